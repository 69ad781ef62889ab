"""What one video may cost."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from toprock.errors import UsageError
from toprock.settings import section

_MOST = {"threads": 64}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds on what decoding one video may use; a video beyond them ends in one `VideoError`.

    Attributes:
        max_pixels: width x height, as declared and of every frame. The default holds 5.3K, not 8K.
        max_duration_s: as declared and as decoded.
        max_frames: as declared and as decoded.
        max_gap_s: from one picture or sound to the next; a longer gap is taken for damage, and what lies behind it too.
        max_streams: pictures, sound, subtitles and all others together.
        memory_mb: address space of the decoder process; ten times what a Full HD video takes.
        stall_s: wall-clock seconds without a decoded frame before the decoder is killed.
        cpu_s: processor seconds, all threads together.
        threads: decoding threads; 0 is one a core (at most 16). Give 1 where several videos are read at once.

    Functions that are given no limits take those of this machine: `Limits.chosen()`.

    Raises:
        UsageError: a value is not a number above 0.

    >>> Limits(stall_s=5).stall_s
    5
    """

    max_pixels: int = 25_000_000
    max_duration_s: float = 86_400.0
    max_frames: int = 6_000_000
    max_gap_s: float = 600.0
    max_streams: int = 64
    memory_mb: int = 4096
    stall_s: float = 30.0
    cpu_s: float = 86_400.0
    threads: int = 0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            most = _MOST.get(name, 1_000_000_000)
            number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
            if not number or not 0 <= value <= most or (value == 0 and name != "threads"):
                raise UsageError(
                    f"the limit {name} is {value!r}",
                    advice=f"Give a number above 0 (threads: 0 or above), {most:,} at most.",
                )

    @classmethod
    def chosen(cls) -> Limits:
        """Those in this machine's settings; see `toprock.settings`.

        Raises:
            UsageError: the settings cannot be read.
        """
        return section("limits", cls)

    def to_json(self) -> dict[str, Any]:
        """JSON values; `Limits(**values)` makes an equal object."""
        return asdict(self)
