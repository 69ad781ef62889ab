"""Annotated battles of two dancers: their turns, the pieces of those, beats and cuts. BRACE's layout::

    DATA/videos_info.csv                        video_id, year, fps, duration
    DATA/annotations/sequences.csv              turns: video_id, seq_idx, start_frame, end_frame, dancer
    DATA/annotations/segments.csv               pieces of turns: video_id, seq_idx, ..., dance_type        (optional)
    DATA/annotations/audio_beats.json           `video_id.seq_idx` -> beats_sec after the turn's start     (optional)
    DATA/annotations/shot_boundaries.json       video_id -> frames of cuts                                 (optional)

A performance is one dancer in one battle: all of that dancer's turns. Its id is YEAR/VIDEO_ID/DANCER, and that of
a single turn YEAR/VIDEO_ID/DANCER/SEQ_IDX. Seconds are frame / fps: the annotations do not say whether they count
frames from 0 or from 1.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toprock.errors import ManifestError
from toprock.performance import Performance, read_table

Span = tuple[float, float]


@dataclass(frozen=True)
class Turn:
    """One turn of one dancer; times are seconds of the video.

    Attributes:
        number: its place in the battle, from 0.
        dancer: who dances.
        span: from when to when.
        pieces: spans of it, each with toprock, powermove or footwork.
        beats_s: beats of the music; empty where they are not annotated.
    """

    number: int
    dancer: str
    span: Span
    pieces: tuple[tuple[Span, str], ...] = ()
    beats_s: tuple[float, ...] = ()


@dataclass(frozen=True)
class Battle:
    """One video of a battle of two dancers.

    Attributes:
        video_id: its file is called so.
        year: of the championship.
        duration_s: of the video that was annotated.
        turns: in order of time.
        cuts_s: where the camera changes; None where that is not annotated.
    """

    video_id: str
    year: str
    duration_s: float
    turns: tuple[Turn, ...]
    cuts_s: tuple[float, ...] | None = None

    @property
    def dancers(self) -> tuple[str, str]:
        """The two, in order of their first turns."""
        one, other = dict.fromkeys(turn.dancer for turn in self.turns)
        return one, other


@dataclass(frozen=True)
class Part:
    """What one performance is made of: all turns of a dancer in a battle, or a single one."""

    id: str
    battle: Battle
    turns: tuple[Turn, ...]

    @property
    def dancer(self) -> str:
        """Who performs."""
        return self.turns[0].dancer

    @property
    def cuts_s(self) -> tuple[float, ...] | None:
        """Cuts within its turns, in seconds of the video; None where they are not annotated."""
        cuts = self.battle.cuts_s
        spans = [turn.span for turn in self.turns]
        return None if cuts is None else tuple(c for c in cuts if any(start < c < end for start, end in spans))

    @property
    def beats_s(self) -> tuple[float, ...]:
        """Beats within its turns, in seconds of the video."""
        return tuple(beat for turn in self.turns for beat in turn.beats_s)

    def performance(self, video: Path) -> Performance:
        """It, in a file."""
        event = f"{self.battle.year}/{self.battle.video_id}"
        return Performance(self.id, video, tuple(turn.span for turn in self.turns), self.dancer, event)


def performance_id(year: str, video_id: str, dancer: str) -> str:
    """The id of a dancer in a battle; none of the first two parts holds a slash, so it can be taken apart again.

    >>> performance_id("2013", "-mT5x-j_TpI", "hong 10")
    '2013/-mT5x-j_TpI/hong 10'
    """
    return f"{year}/{video_id}/{dancer}"


def parts(battles: Iterable[Battle], *, single_turns: bool = False) -> dict[str, Part]:
    """Id -> performance of every dancer in every battle, or of every single turn."""
    found = {}
    for battle in battles:
        for dancer in battle.dancers:
            ident = performance_id(battle.year, battle.video_id, dancer)
            turns = tuple(turn for turn in battle.turns if turn.dancer == dancer)
            if single_turns:
                found.update({f"{ident}/{t.number}": Part(f"{ident}/{t.number}", battle, (t,)) for t in turns})
            else:
                found[ident] = Part(ident, battle, turns)
    return found


def read_battles(data: str | Path) -> list[Battle]:
    """Read the annotations of all battles, in the order of videos_info.csv.

    Args:
        data: the folder; see above.

    Raises:
        ManifestError: a file or a column is missing, there is no battle, a value makes no sense, or a battle has not
            two dancers.
    """
    folder, info = Path(data) / "annotations", Path(data) / "videos_info.csv"
    videos: dict[str, tuple[int, dict[str, str]]] = {}
    for number, row in rows_of(info, "video_id", "year", "fps", "duration"):
        video = row["video_id"]
        if not video or not row["year"] or "/" in video + row["year"]:
            raise wrong(info, number, f"'{video}' of '{row['year']}' is no name of a video and a year")
        if video in videos:
            raise wrong(info, number, f"'{video}' stands twice")
        videos[video] = (number, row)
    fps = {video: _number(info, number, row, "fps") for video, (number, row) in videos.items()}
    turns = _turns(folder, fps)
    cuts = _json(folder / "shot_boundaries.json")
    battles = []
    for video, (number, row) in videos.items():
        here = turns.get(video, [])
        if len({turn.dancer for turn in here}) != 2:
            raise wrong(info, number, f"'{video}' has not two dancers in {folder / 'sequences.csv'}")
        shots = _numbers(folder / "shot_boundaries.json", cuts[video]) if video in cuts else None
        cuts_s = tuple(frame / fps[video] for frame in shots) if shots is not None else None
        battles.append(Battle(video, row["year"], _number(info, number, row, "duration"), tuple(here), cuts_s))
    if not battles:
        raise ManifestError(f"{info}: lists no battle", advice="Take the file of the BRACE authors anew.")
    return battles


def _turns(folder: Path, fps: Mapping[str, float]) -> dict[str, list[Turn]]:
    """video_id -> turns in order of time."""
    needed = ("video_id", "seq_idx", "start_frame", "end_frame")
    pieces: dict[tuple[str, str], list[tuple[Span, str]]] = {}
    segments, sequences, music = (folder / n for n in ("segments.csv", "sequences.csv", "audio_beats.json"))
    for number, row in rows_of(segments, *needed, "dance_type") if segments.is_file() else ():
        piece = (_span(segments, number, row, fps), row["dance_type"])
        pieces.setdefault((row["video_id"], row["seq_idx"]), []).append(piece)
    beats = _json(music)
    turns: dict[str, list[Turn]] = {}
    for number, row in rows_of(sequences, *needed, "dancer"):
        video, index = row["video_id"], row["seq_idx"]
        span = _span(sequences, number, row, fps)
        before = turns.setdefault(video, [])
        if not index.isdecimal() or int(index) in (turn.number for turn in before):
            raise wrong(sequences, number, f"seq_idx is '{index}', which is no number or stands twice")
        if not row["dancer"] or any(
            turn.dancer == row["dancer"] and turn.span[0] < span[1] and span[0] < turn.span[1] for turn in before
        ):
            raise wrong(sequences, number, f"'{row['dancer']}' is nobody, or dances in two turns at once")
        entry = beats.get(f"{video}.{index}", {"beats_sec": []})
        heard = _numbers(music, entry.get("beats_sec") if isinstance(entry, dict) else entry)
        found = tuple(sorted(pieces.get((video, index), ())))
        inside = tuple(at for beat in heard if (at := span[0] + beat) < span[1])
        before.append(Turn(int(index), row["dancer"], span, found, inside))
    return {video: sorted(here, key=lambda turn: turn.span) for video, here in turns.items()}


def rows_of(path: Path, *required: str) -> list[tuple[int, dict[str, str]]]:
    """Rows of a CSV file of annotations with their line numbers."""
    return read_table(path, required=required, error=ManifestError)


def wrong(path: Path, number: int, what: str) -> ManifestError:
    """What is wrong in a line of such a file."""
    return ManifestError(
        f"{path}, line {number}: {what}", advice="Take the file of the BRACE authors anew, or mend it."
    )


def _number(path: Path, number: int, row: Mapping[str, str], column: str) -> float:
    try:
        value = float(row[column])
    except ValueError:
        value = math.nan
    if not (value > 0 and math.isfinite(value)):
        raise wrong(path, number, f"{column} is '{row[column]}', no number above 0")
    return value


def _span(path: Path, number: int, row: Mapping[str, str], fps: Mapping[str, float]) -> Span:
    """Seconds from the start to the end of a row's frames."""
    if row["video_id"] not in fps:
        raise wrong(path, number, f"'{row['video_id']}' is not in videos_info.csv")
    first, last = row["start_frame"], row["end_frame"]
    if not (first.isdecimal() and last.isdecimal() and int(first) < int(last)):
        raise wrong(path, number, f"{first} to {last} is no span of frames")
    return int(first) / fps[row["video_id"]], int(last) / fps[row["video_id"]]


def _json(path: Path) -> dict[str, Any]:
    """A file's object; empty where there is no file."""
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise ManifestError(f"{path}: cannot be read ({problem})", advice="Take it anew.") from problem
    if not isinstance(value, dict):
        raise ManifestError(f"{path}: holds no object", advice="Take the file of the BRACE authors anew.")
    return value


def _numbers(path: Path, values: Any) -> list[float]:
    if not isinstance(values, list) or not all(
        isinstance(v, (int, float)) and math.isfinite(v) and v >= 0 for v in values
    ):
        raise ManifestError(f"{path}: holds what is no list of numbers", advice="Take it anew.")
    return sorted(map(float, values))
