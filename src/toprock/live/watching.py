"""A performance scored while it goes on: frames are described in a thread, what is known so far is scored here."""

from __future__ import annotations

import math
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from toprock.assess.assessment import Assessment, SegmentEvidence
from toprock.assess.model import Model
from toprock.backbones.base import HearingBackbone
from toprock.errors import EmptyVideo, UsageError, VideoError
from toprock.features.extraction import READ_HZ, Following
from toprock.features.store import PerformanceFeatures
from toprock.live.recording import Recording
from toprock.live.source import Source, await_beginning, read_source
from toprock.performance import Performance
from toprock.video import probe

_PATIENCE_S = 5.0
_LATE = 1.5  # times as long as from one update to the next: then there is one without news
_REST = 1  # times as long as scoring took, between one scoring and the next


@dataclass(frozen=True)
class Update:
    """What is known at one moment.

    Attributes:
        time_s: how far the performance has been seen.
        delay_s: by how much the newest evidence lies behind what goes on, as far as can be told from when frames came;
            None before there is evidence, and at the end.
        assessment: of what was seen so far; None before the first segment is complete. Cautions mean something at
            the end only.
        segments: evidence of the segments that are new since the last update, as it stands now.
        final: whether this is the last one.
    """

    time_s: float
    delay_s: float | None
    assessment: Assessment | None
    segments: tuple[SegmentEvidence, ...]
    final: bool = False


@dataclass(frozen=True)
class End:
    """Why there is no more.

    Attributes:
        reason: closed (by its writer), quiet (nothing more came), length (as much was seen as was wanted), stopped
            (by `Watching.stop`), cut (the file became shorter), lost (the source), failed (it cannot be read on).
        note: the same in a sentence.
        broken: whether it broke off, so that there may have been more.
    """

    reason: str
    note: str
    broken: bool


class Watching(Iterator[Update]):
    """Scores a source while it goes on: yields an `Update` about every `every_s`, and a final one at its end.

    Where scoring takes long, as after hours, it is done less often. A context manager, which ends what it began.

    Args:
        model: whose backbones do not listen: beats need the whole sound.
        source: a file that is being written, `/dev/video0`, or an `rtsp://` address.
        quiet_s: a file has ended when nothing was written for so long, or its writer has closed it.
        for_s: watch the first so many seconds of the performance.
        record: a file (.mkv) to keep a camera or network stream in; by default a temporary one is used.
        every_s: seconds from one update to the next.
        on_wait: called again and again while a file has not begun.

    Attributes:
        performance: with the file that was watched, for a report; only while a temporary file is there.
        end: why there is no more; None while it goes on.
        delays_s: of the updates so far.

    Raises:
        UsageError: a wrong argument.
        VideoError: the source cannot be used.
        RecipeMismatch, WeightsError: as `Model.assess`.

    >>> with Watching(toprock.load("model"), "battle.mp4", quiet_s=0.5) as watching:
    ...     *_, last = watching
    >>> last.final, last.assessment.score == toprock.load("model").assess("battle.mp4").score
    (True, True)
    """

    def __init__(
        self,
        model: Model,
        source: str | Path | Source,
        *,
        quiet_s: float = 5.0,
        for_s: float | None = None,
        record: str | Path | None = None,
        every_s: float = 1.0,
        on_wait: Callable[[], None] = lambda: None,
    ) -> None:
        self._model, self._every_s = model, every_s
        self.source = source if isinstance(source, Source) else read_source(str(source))
        self.end: End | None = None
        self.delays_s: list[float] = []
        _check(model, self.source, quiet_s, for_s, record)
        self._changed = threading.Condition()
        self._fresh: PerformanceFeatures | None = None
        self._found: PerformanceFeatures | None = None
        self._problem: BaseException | None = None
        self._done = self._stopped = False
        self._time_s, self._ahead_s = 0.0, math.inf  # clock less time of the performance, where that is least
        self._rest_until_s = 0.0
        self._shown: dict[str, float] = {}
        self._last: Assessment | None = None
        self._recording: Recording | None = None
        self._thread: threading.Thread | None = None
        self._cleanup = ExitStack()
        try:
            video = self._file(record)
            ident = self.source.id if record is None else Path(record).stem
            self.performance = Performance(ident, video, () if for_s is None else ((0.0, for_s),))
            await_beginning(video, quiet_s, on_wait)
        except BaseException:
            self.close()
            raise
        self._following = Following(quiet_s=quiet_s, every_s=every_s, on_features=self._take)
        self._thread = threading.Thread(target=self._describe, name="describing", daemon=True)
        self._thread.start()

    def __enter__(self) -> Watching:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the source; a temporary file is removed."""
        if self._recording is not None:
            self._recording.stop()
        if self._thread is not None and self._following.frames is not None:
            self._following.frames.stop()
            self._thread.join(_PATIENCE_S)
        self._cleanup.close()

    def stop(self) -> None:
        """End the watching here: the final update follows, of what was seen."""
        self._stopped = True
        if self._recording is not None:
            self._recording.stop()  # the file is then whole, and is seen to its end
        elif self._following.frames is not None:
            self._following.frames.stop()
        else:
            raise EmptyVideo(self.source.shown, "nothing was seen of it yet", advice="Watch it for longer.")

    def __next__(self) -> Update:
        if self.end is not None:
            raise StopIteration
        with self._changed:
            self._changed.wait_for(lambda: self._done, timeout=self._rest_until_s - time.monotonic())
            self._changed.wait_for(lambda: self._done or self._fresh is not None, timeout=_LATE * self._every_s)
            fresh, self._fresh = self._fresh, None
            done = self._done
        if done:
            return self._final()
        begun_s = time.monotonic()
        if fresh is not None and any(len(rows.times) for rows in fresh.streams.values()):
            self._last = self._model.assess(fresh)
        took_s = time.monotonic() - begun_s
        self._rest_until_s = time.monotonic() + _REST * took_s
        update = Update(self._time_s, self._delay_s(), self._last, self._new())
        if fresh is not None and update.delay_s is not None:
            self.delays_s.append(update.delay_s)
        return update

    # ---- what happens meanwhile

    def _file(self, record: str | Path | None) -> Path:
        """The file that is watched."""
        if self.source.kind == "file":
            return Path(self.source.address)
        if record is None:
            folder = self._cleanup.enter_context(tempfile.TemporaryDirectory(prefix="toprock-watch-"))
            path = Path(folder, "stream.mkv")
        else:
            path = Path(record)
        self._recording = Recording(self.source, path, self._model.limits)
        return path

    def _describe(self) -> None:
        try:
            found = self._model.describe(self.performance, self._reached, self._following)
            self._found = self._model.describe(self.performance) if self._seen_otherwise() else found
        except BaseException as problem:  # it is for the thread that reads the updates
            self._problem = problem
        with self._changed:
            self._done = True
            self._changed.notify_all()

    def _seen_otherwise(self) -> bool:
        """Whether the finished file declares another rate than it began with, by which other frames are chosen.

        In fragmented MP4 it is a mean over all fragments; it matters above the rate that frames are looked at.
        """
        frames = self._following.frames
        if frames is None or frames.ended not in ("closed", "quiet"):
            return False
        try:
            now_hz, begun_hz = probe(self.performance.video, limits=self._model.limits).rate_hz, frames.info.rate_hz
        except VideoError:
            return False
        return now_hz != begun_hz and max(now_hz, begun_hz) > READ_HZ

    def _reached(self, time_s: float) -> None:
        self._time_s, self._ahead_s = time_s, min(self._ahead_s, time.monotonic() - time_s)

    def _take(self, features: PerformanceFeatures) -> None:
        with self._changed:
            self._fresh = features
            self._changed.notify_all()

    # ---- what is told

    def _delay_s(self) -> float | None:
        if self._last is None:
            return None
        ends_s = {s.stream: s.end_s for s in self._last.segments}  # the last of each
        return time.monotonic() - self._ahead_s - min(ends_s.values())

    def _new(self) -> tuple[SegmentEvidence, ...]:
        if self._last is None:
            return ()
        new = tuple(s for s in self._last.segments if s.start_s > self._shown.get(s.stream, -math.inf))
        self._shown |= {s.stream: s.start_s for s in new}
        return new

    def _final(self) -> Update:
        if self._recording is not None:
            self._recording.stop()
        if self._problem is not None:
            if not isinstance(self._problem, VideoError) or self._last is None:
                raise self._problem
            self.end = End("failed", str(self._problem), True)
        else:
            assert self._found is not None
            self._last = self._model.assess(self._found)
            self.end = self._ending()
        return Update(self._time_s, None, self._last, self._new(), final=True)

    def _ending(self) -> End:
        frames, recording = self._following.frames, self._recording
        assert frames is not None
        reason = "stopped" if self._stopped else frames.ended or "length"
        if reason == "cut":
            return End(reason, f"{self.source.shown} became shorter while it was read.", True)
        if recording is not None and reason in ("closed", "quiet"):
            if recording.problem is not None:
                return End("failed", str(recording.problem), True)
            return End("lost", f"{self.source.shown} sends nothing more.", True)
        notes = {
            "closed": "Its writer has closed it.",
            "quiet": f"Nothing more was written to it for {self._following.quiet_s:g} s.",
            "length": "As much was seen as was wanted.",
            "stopped": "The watching was stopped.",
        }
        return End(reason, notes[reason], False)

    def to_json(self) -> dict[str, object]:
        """How the watching went: source, end, delay."""
        assert self.end is not None
        delays = self.delays_s
        return {
            "source": self.source.shown,
            "seen_s": self._time_s,
            "ended": self.end.reason,
            "note": self.end.note,
            "delay_s": {"median": statistics.median(delays), "largest": max(delays)} if delays else None,
        }


def _check(model: Model, source: Source, quiet_s: float, for_s: float | None, record: str | Path | None) -> None:
    for name, value in (("quiet_s", quiet_s), ("for_s", for_s)):
        if value is not None and not 0 < value < 1e6:
            raise UsageError(f"{name} is {value:g}", advice="Give seconds, more than 0.")
    for recipe in model.saved.recipes.values():
        if isinstance(recipe.build(), HearingBackbone):
            raise UsageError(
                f"the model's features '{recipe.backbone}' need the beats of the whole music, which is not over yet",
                advice="Watch with a model that does not listen, or score the video when it is finished.",
            )
    if record is None:
        return
    if source.kind == "file":
        raise UsageError("a file that is watched is there already", advice="Leave --record out.")
    if Path(record).suffix.lower() != ".mkv":
        raise UsageError(f"{record}: a recording is a Matroska file", advice="Give a name that ends in .mkv.")
    if Path(record).exists():
        raise UsageError(f"{record}: is there already", advice="Give another name, or move it away.")
