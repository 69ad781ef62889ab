"""A model of the transformers library at work: how fast it runs here is tried out, then batches go through it."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from toprock.backbones.base import Compute
from toprock.backbones.pretrained.checkpoint import Checkpoint
from toprock.errors import ComputeError, WeightsError
from toprock.machine import cores

if TYPE_CHECKING:
    import torch

_MATRIX_GAIN = 3.0
"""bfloat16 comes into question only where products of matrices are so many times as fast in it as in float32: with
units made for it they are far faster, without them about twice as fast. Noise must not decide what features are."""
_GAIN, _SMALL_GAIN = 1.4, 1.1
"""Then it is taken where the network itself is so many times as fast; any other way over the one before it."""
_TURNS, _TRIED, _TRIAL_S = 3, 4, 3.0
"""Each way is tried so often after a first time, on so many inputs, while the whole trial has not taken so long."""
_HOPELESS = 2.0
"""A way that takes so many times as long as the fastest is not tried again."""
_IMAGES, _IMAGES_CUDA = 8, 128
"""Pictures in a batch on a processor and on an accelerator; a clip counts as its frames."""


@dataclass(frozen=True)
class Pace:
    """How a network runs.

    Attributes:
        device: cpu or cuda.
        bfloat16: whether products are computed in bfloat16; sums, norms and features stay float32.
        channels_last: whether pictures lie so in memory, which convolutions may like better.
        threads: of the processor.
    """

    device: str
    bfloat16: bool = False
    channels_last: bool = False
    threads: int = 1

    def __str__(self) -> str:
        kind = "bfloat16" if self.bfloat16 else "float32"
        order = ", channels last" if self.channels_last else ""
        on = f", {self.threads} thread{'s' if self.threads > 1 else ''}" if self.device == "cpu" else ""
        return f"{self.device}, {kind}{order}{on}"


class TransformersNetwork:
    """A loaded checkpoint; see `Network` for what it is used as.

    Args:
        checkpoint: what to load.
        shape: of one input: (H, W, 3) a picture, (F, H, W, 3) a clip.
        compute: where and how.
        pool: makes one row (B, D') of a clip's frame features (B, F, D), for a model of single pictures.

    Raises:
        WeightsError: the transformers library is absent, or the weights do not make the model.
        ComputeError: there is no such device, or not memory enough.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        shape: tuple[int, ...],
        compute: Compute,
        pool: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> None:
        import torch

        self._family = checkpoint.family
        self._preparation = checkpoint.preparation
        self._folder = checkpoint.folder
        self._pool, self._dimension = pool, checkpoint.dimension
        device = compute.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        elif device == "cuda" and not torch.cuda.is_available():
            raise ComputeError("there is no CUDA device here", advice="Leave out --device, or give --device cpu.")
        images = shape[0] if len(shape) == 4 else 1
        self.batch = max(1, (_IMAGES_CUDA if device == "cuda" else _IMAGES) // images)
        self._model = load_model(checkpoint)
        self._whole: dict[torch.nn.Parameter, torch.Tensor] = {}
        try:
            self._model.to(device)
            self._pace = self._choose(shape, device, compute)
        except (RuntimeError, ValueError, IndexError, TypeError, MemoryError) as problem:
            if _no_memory(problem):
                raise self._too_large() from problem
            size = " x ".join(map(str, shape))
            raise WeightsError(
                f"{self._folder}: its model cannot look at inputs of {size} ({str(problem).splitlines()[0][:200]})",
                advice="Leave out frames=, if you gave it; else its config.json and preprocessor_config.json do not "
                "fit each other: bring them from one place.",
            ) from problem
        self._set(self._pace)
        self._whole.clear()  # weights in float32, for changing to and fro while that was tried out

    @property
    def pace(self) -> str:
        """How it runs, in words."""
        return str(self._pace)

    def launch(self, inputs: Sequence[np.ndarray]) -> Callable[[], np.ndarray]:
        """Show it B inputs uint8 of one shape; what is returned waits for their features (B, D) float32.

        A batch that is not full is filled up with its last input: other sizes are computed in other orders, and the
        features of a video would depend, in their last digits, on what was shown beside it.

        Raises:
            ComputeError: memory does not suffice for a single one.
        """
        parts: list[torch.Tensor] = []
        left = list(inputs)
        while left:
            now = left[: self.batch]
            part = self._forward_if_memory(now + now[-1:] * (self.batch - len(now)))
            if part is not None:
                parts.append(part[: len(now)])
                left = left[len(now) :]
            elif self.batch == 1:
                raise self._too_large()
            else:
                self.batch //= 2

        def fetch() -> np.ndarray:
            import torch

            rows: np.ndarray = torch.cat(parts).float().cpu().numpy()
            if not np.isfinite(rows).all():
                raise WeightsError(
                    f"{self._folder}: gives features that are no numbers ({self.pace})",
                    advice="Give --precision float32, or bring the weights again.",
                )
            return rows

        return fetch

    def _forward_if_memory(self, inputs: Sequence[np.ndarray]) -> torch.Tensor | None:
        """Features (B, D) on the device; None where memory does not suffice."""
        import torch

        try:
            with self._threads(self._pace):
                return self._forward(inputs)
        except (RuntimeError, MemoryError) as problem:
            if not _no_memory(problem):
                raise
        if self._pace.device == "cuda":  # the exception, which held what was computed, is gone
            torch.cuda.empty_cache()
        return None

    def _too_large(self) -> ComputeError:
        return ComputeError(
            f"there is not memory enough for one segment in {self._folder.name}",
            advice="Close programs, or take a smaller backbone.",
        )

    @contextlib.contextmanager
    def _threads(self, pace: Pace) -> Iterator[None]:
        """Torch keeps how many threads it uses for each thread that calls it: leave that as it was."""
        import torch

        before = torch.get_num_threads()
        if pace.device == "cpu" and before != pace.threads:
            torch.set_num_threads(pace.threads)
        try:
            yield
        finally:
            if torch.get_num_threads() != before:
                torch.set_num_threads(before)

    def _forward(self, inputs: Sequence[np.ndarray]) -> torch.Tensor:
        import torch

        pixels = torch.from_numpy(np.stack(inputs))
        if self._pace.device == "cuda":
            pixels = pixels.pin_memory().to("cuda", non_blocking=True)
        return self._features(pixels, self._pace)

    def _features(self, pixels: torch.Tensor, pace: Pace) -> torch.Tensor:
        """Features (B, D) of pixels (B, H, W, 3) or (B, F, H, W, 3) uint8 on the device."""
        import torch

        clips = pixels.shape[0]
        if self._pool is not None:
            pixels = pixels.flatten(0, 1)
        with torch.inference_mode(), _precision(pace):
            ready = self._preparation.normalise(pixels)
            if pace.channels_last and ready.dim() == 4:
                ready = ready.contiguous(memory_format=torch.channels_last)
            out = self._model(**{self._family.argument: ready}, **(self._family.options or {}))
            rows = self._family.features(out).flatten(1).float()
            return rows if self._pool is None else self._pool(rows.unflatten(0, (clips, -1)))

    def _choose(self, shape: tuple[int, ...], device: str, compute: Compute) -> Pace:
        """The fastest way to compute, by a short trial; the first is taken where others gain little."""
        last = self._family.convolutional
        if device == "cuda":
            first = Pace("cuda", bfloat16=compute.precision != "float32", channels_last=last)
            self._try(first, shape)
            return first
        whole = Pace("cpu", bfloat16=compute.precision == "bfloat16", threads=cores())
        ways = [whole, replace(whole, channels_last=True)] if last else [whole]
        if compute.precision == "auto" and _matrix_gain() >= _MATRIX_GAIN:
            ways += [replace(way, bfloat16=True) for way in ways]
        best = self._fastest(ways, shape)
        if cores() > 2:  # leaving a core to the decoder may be better than taking all
            best = self._fastest([best, replace(best, threads=cores() - 1)], shape)
        return best

    def _fastest(self, ways: Sequence[Pace], shape: tuple[int, ...]) -> Pace:
        """The fastest of several, tried in turns: what else goes on here strikes all alike."""
        least = {way: float("inf") for way in ways}
        begun = time.perf_counter()
        for turn in range(_TURNS + 1):
            for way in ways:
                if turn > 1 and least[way] > _HOPELESS * min(least.values()):
                    continue
                seconds = self._try(way, shape)
                least[way] = seconds if turn < 2 else min(least[way], seconds)  # the very first is slower
            if time.perf_counter() - begun > _TRIAL_S:  # a large network: what it takes once says enough
                break
        best = ways[0]
        for way in ways[1:]:
            gain = _GAIN if way.bfloat16 and not best.bfloat16 else _SMALL_GAIN
            if least[way] * gain < least[best]:
                best = way
        return best

    def _try(self, pace: Pace, shape: tuple[int, ...]) -> float:
        """Seconds for a few inputs."""
        import torch

        self._set(pace)
        pixels = torch.full((min(self.batch, _TRIED), *shape), 100, dtype=torch.uint8, device=pace.device)
        with self._threads(pace):
            begun = time.perf_counter()
            rows = self._features(pixels, pace)
            taken = time.perf_counter() - begun
        if self._pool is None and rows.shape[1] != self._dimension:
            raise ValueError(f"it gives {rows.shape[1]} numbers, not {self._dimension}")
        return taken

    def _set(self, pace: Pace) -> None:
        import torch

        order = torch.channels_last if pace.channels_last else torch.contiguous_format
        kind = torch.bfloat16 if pace.bfloat16 else torch.float32
        for module in self._model.modules():  # weights are turned once, not for every batch
            if isinstance(module, (torch.nn.Linear, torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)):
                for parameter in module.parameters(recurse=False):
                    whole = self._whole.setdefault(parameter, parameter.data)
                    parameter.data = whole.to(kind)
                    if parameter.dim() == 4:
                        parameter.data = parameter.data.contiguous(memory_format=order)


@functools.cache
def _matrix_gain() -> float:
    """How many times as fast bfloat16 is here as float32 where nothing but matrices is multiplied."""
    import torch

    least = []
    for kind in (torch.float32, torch.bfloat16):
        square = torch.full((1024, 1024), 0.01, dtype=kind)
        times = []
        for _ in range(6):
            begun = time.perf_counter()
            torch.mm(square, square)
            times.append(time.perf_counter() - begun)
        least.append(min(times[1:]))
    return least[0] / least[1]


def load_model(checkpoint: Checkpoint) -> Any:
    """The model of a checkpoint, in float32, ready to be shown something.

    Raises:
        WeightsError: the transformers library is absent, or the weights do not make the model.
    """
    try:
        import transformers
    except ImportError:
        raise WeightsError(
            f"{checkpoint.folder}: needs the transformers library",
            advice="Install it: pip install 'toprock[pretrained]'.",
        ) from None
    import torch

    kind = getattr(transformers, checkpoint.family.model)
    with _quiet(transformers):
        try:
            model, report = kind.from_pretrained(
                checkpoint.folder,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                dtype=torch.float32,
                output_loading_info=True,
            )
        except Exception as problem:
            raise WeightsError(
                f"{checkpoint.folder}: its weights do not make a {checkpoint.family.title} model "
                f"({str(problem).strip().splitlines()[0][:200] if str(problem).strip() else type(problem).__name__})",
                advice="Its files do not belong together, or are damaged: copy them again from one place.",
            ) from problem
    lacking = sorted({str(name) for name in report["missing_keys"]} - checkpoint.family.spare)
    if lacking or report.get("mismatched_keys"):
        what = f"lacks {lacking[0]}" if lacking else "holds arrays of other sizes than its config.json says"
        raise WeightsError(
            f"{checkpoint.folder}: its model.safetensors {what}",
            advice="Its files do not belong together: copy them again from one place.",
        )
    return model.eval().requires_grad_(False)


@contextlib.contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """The library tells of heads that are left out, and draws a bar; neither is news here."""
    log = transformers.utils.logging
    before, bar = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(before)
        if bar:
            log.enable_progress_bar()


@contextlib.contextmanager
def _precision(pace: Pace) -> Iterator[None]:
    import torch

    with torch.autocast(pace.device, dtype=torch.bfloat16, enabled=pace.bfloat16):
        yield


def _no_memory(problem: BaseException) -> bool:
    import torch

    text = str(problem).lower()
    told = any(words in text for words in ("out of memory", "can't allocate memory", "cannot allocate memory"))
    return isinstance(problem, (MemoryError, torch.OutOfMemoryError)) or (isinstance(problem, RuntimeError) and told)
