"""Battles of two dancers in one video, annotated in the layout of BRACE (see `toprock.datasets.battles`).

Each turn is one performance of `choreography`: the dancer keeps body and clothes, both share the place and its
light, two cameras take turns, and drums play at the pace of whoever dances. Who dances better over all turns, by
the planted quality alone, wins.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toprock.datasets.battles import performance_id
from toprock.errors import UsageError
from toprock.files import storage_errors, write_json
from toprock.performance import write_table
from toprock.synthetic.choreography import FPS, Choreography, PlantedMoment, choreograph
from toprock.synthetic.draw import Figure, Look, draw_proportions_of
from toprock.synthetic.render import SOUND_HZ, write_video
from toprock.synthetic.scene import HEIGHT, WIDTH, Background, Camera

GAP_S = 1.0  # the floor is empty before, between and after turns
_MAIN, _OTHER = 0, 1  # cameras: the main one shows the empty floor and the middle third of each turn
_TYPES = {"toprock": "toprock", "spin": "powermove", "footwork": "footwork"}  # element -> BRACE's type
_TYPE_IDS = {"toprock": 0, "powermove": 1, "footwork": 2}
_DRUM_S = 0.12
Rows = list[tuple[str, ...]]


@dataclass(frozen=True)
class RenderedTurn:
    """A turn: who dances (0 or 1) what, and its first frame."""

    dancer: int
    plan: Choreography
    first: int

    @property
    def end(self) -> int:
        """The frame after its last one."""
        return self.first + len(self.plan.times())

    @property
    def beats_s(self) -> np.ndarray:
        """Beats in seconds after its start."""
        return np.arange(0, self.plan.duration_s, self.plan.style.beat_s)


@dataclass(frozen=True)
class RenderedBattle:
    """A rendered battle and what is true of it.

    Attributes:
        video_id: its name in the annotations.
        year: likewise.
        dancers: the two, by name.
        turns: in order of time.
        video: the file.
    """

    video_id: str
    year: str
    dancers: tuple[str, str]
    turns: tuple[RenderedTurn, ...]
    video: Path

    @property
    def frames(self) -> int:
        """How many the video has."""
        return self.turns[-1].end + round(GAP_S * FPS)

    @property
    def shots(self) -> list[tuple[int, int]]:
        """(first frame, camera) of every shot."""
        found = [(0, _MAIN)]
        for turn in self.turns:
            third = (turn.end - turn.first) // 3
            places = (turn.first, turn.first + third, turn.first + 2 * third, turn.end)
            found += zip(places, (_OTHER, _MAIN, _OTHER, _MAIN), strict=True)
        return found

    def quality(self, dancer: int) -> float:
        """Mean planted quality, 0 to 1, of a dancer's turns."""
        return float(np.mean([turn.plan.quality for turn in self.turns if turn.dancer == dancer]))

    @property
    def ranked(self) -> tuple[str, str] | None:
        """(winner, loser); None where both are as good."""
        one, other = self.quality(0), self.quality(1)
        return None if one == other else self.dancers if one > other else self.dancers[::-1]

    @property
    def moments(self) -> list[tuple[str, float, PlantedMoment]]:
        """(dancer, start of the turn in seconds, what is planted in it)."""
        return [(self.dancers[t.dancer], t.first / FPS, m) for t in self.turns for m in t.plan.moments]


def render_battles(
    out: str | Path, *, count: int, seed: int, turns: int = 2, years: Sequence[str] = ("2031", "2032")
) -> list[RenderedBattle]:
    """Render battles into a folder that `toprock dataset brace` reads, videos/ and moments.csv beside the annotations.

    Args:
        out: folder, made where needed.
        count: how many battles; battle i depends on `seed`, `turns` and i alone.
        seed: another seed gives other battles.
        turns: of each dancer.
        years: battles are spread over these.

    Raises:
        UsageError: `count` or `turns` is below 1, or there is no year.
        StorageError: the disk is full, or the folder cannot be written.

    Example::

        battles = render_battles("battles", count=4, seed=1)
        print(battles[0].ranked)
    """
    battles = plan_battles(out, count=count, seed=seed, turns=turns, years=years)
    out = Path(out)
    with storage_errors(out):
        (out / "videos").mkdir(parents=True, exist_ok=True)
    for index, battle in enumerate(battles):
        write_video(_frames(battle, seed, index), battle.video, sound=_drums(battle))
    _annotate(out, battles)
    return battles


def plan_battles(
    out: str | Path, *, count: int, seed: int, turns: int = 2, years: Sequence[str] = ("2031", "2032")
) -> list[RenderedBattle]:
    """What `render_battles` would give, before anything is rendered."""
    if count < 1 or turns < 1 or not years:
        raise UsageError(f"{count} battles of {turns} turns in {len(years)} years", advice="Each must be 1 or more.")
    battles = []
    for index in range(count):
        name = f"battle-{seed}-{index:03}"
        dancers = (f"dancer {2 * index}", f"dancer {2 * index + 1}")
        video = Path(out) / "videos" / f"{name}.mp4"
        battles.append(RenderedBattle(name, years[index % len(years)], dancers, _turns(seed, index, turns), video))
    return battles


def _turns(seed: int, index: int, turns: int) -> tuple[RenderedTurn, ...]:
    found, first = [], round(GAP_S * FPS)
    for number in range(2 * turns):
        turn = RenderedTurn(number % 2, choreograph(seed, 2 * turns * index + number), first)
        found.append(turn)
        first = turn.end + round(GAP_S * FPS)
    return tuple(found)


def _frames(battle: RenderedBattle, seed: int, index: int) -> Iterator[np.ndarray]:
    """Frames (192, 256, 3) uint8 RGB."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, index, 20]))
    tint = rng.uniform(0.85, 1.1) * rng.uniform(0.94, 1.06, 3)
    cameras = [Camera.draw(rng, battle.frames, FPS) for _ in (_MAIN, _OTHER)]
    places = [Background(rng, camera, tint) for camera in cameras]
    wall = float(np.mean([place.wall_luma() for place in places]))
    looks = [Look.draw(rng, wall, tint) for _ in battle.dancers]
    bodies = [draw_proportions_of(seed, 2 * index + dancer) for dancer in (0, 1)]
    views = np.zeros(battle.frames, int)
    for first, camera in battle.shots:
        views[first:] = camera
    at = 0
    for turn in battle.turns:
        yield from (places[views[number]].frame(number) for number in range(at, turn.first))
        body = bodies[turn.dancer]
        joints = turn.plan.joints(body)
        figures = [Figure(joints, c.during(turn.first, turn.end), looks[turn.dancer], body) for c in cameras]
        for number in range(turn.first, turn.end):
            picture = places[views[number]].frame(number)
            figures[views[number]].paint(picture, number - turn.first)
            yield picture
        at = turn.end
    yield from (places[views[number]].frame(number) for number in range(at, battle.frames))


def _drums(battle: RenderedBattle) -> np.ndarray:
    """(N,) float32: one stroke a beat, sharp at its start, dying away."""
    time = np.arange(round(_DRUM_S * SOUND_HZ)) / SOUND_HZ
    stroke = 0.7 * np.exp(-time / 0.03) * np.sin(2 * np.pi * 180 * time + np.pi / 2)
    sound = np.zeros(battle.frames * SOUND_HZ // FPS, np.float32)
    for turn in battle.turns:
        for beat in turn.first / FPS + turn.beats_s:
            start = round(beat * SOUND_HZ)
            sound[start : start + len(stroke)] += stroke[: len(sound) - start]
    return np.clip(sound, -1, 1)


def _annotate(out: Path, battles: Sequence[RenderedBattle]) -> None:
    """The files of BRACE, with who won, and the planted moments beside them."""
    videos: Rows = []
    sequences: Rows = []
    pieces: Rows = []
    won: Rows = []
    planted: Rows = []
    beats = {}
    ids = {name: number for number, name in enumerate(name for battle in battles for name in battle.dancers)}
    for b in battles:
        videos.append((b.video_id, "", b.year, f"{b.frames / FPS:.6f}", str(FPS), f"{WIDTH}x{HEIGHT}"))
        for number, turn in enumerate(b.turns):
            name, uid = b.dancers[turn.dancer], f"{b.video_id}.{number}"
            who = (name, str(ids[name]), b.year)
            sequences.append((b.video_id, str(number), str(turn.first), str(turn.end), *who, uid))
            for first, end, kind in _pieces(turn):
                more = (kind, str(_TYPE_IDS[kind]), *who, f"{b.video_id}.{first}.{end}")
                pieces.append((b.video_id, str(number), str(first), str(end), *more))
            beats[uid] = {
                "bpm": 60 / turn.plan.style.beat_s,
                "beats_confidence": 5.0,
                "beats_sec": turn.beats_s.tolist(),
                "beats_frames": np.floor(turn.beats_s * FPS).astype(int).tolist(),
            }
        if b.ranked:
            won.append((b.video_id, *b.ranked, "", "yes", b.year, "no"))
        for name, start_s, m in b.moments:
            span = (f"{start_s + m.start_s:.3f}", f"{start_s + m.end_s:.3f}")
            planted.append((performance_id(b.year, b.video_id, name), *span, m.label, m.kind, m.stream))
    folder, who_columns = out / "annotations", ("dancer", "dancer_id", "year", "uid")
    place = ("video_id", "seq_idx", "start_frame", "end_frame")
    tables: dict[Path, tuple[tuple[str, ...], Rows]] = {
        out / "videos_info.csv": (("video_id", "video_url", "year", "duration", "fps", "resolution"), videos),
        folder / "sequences.csv": ((*place, *who_columns), sequences),
        folder / "segments.csv": ((*place, "dance_type", "dance_type_id", *who_columns), pieces),
        out / "outcomes.csv": (("video_id", "winner", "loser", "round", "certain", "year", "bracket_complete"), won),
        out / "moments.csv": (("id", "start_s", "end_s", "label", "kind", "stream"), planted),
    }
    for path, (columns, rows) in tables.items():
        write_table(path, columns, [(row, {}) for row in rows])
    write_json(folder / "audio_beats.json", beats)
    write_json(folder / "shot_boundaries.json", {b.video_id: [first for first, _ in b.shots[1:]] for b in battles})


def _pieces(turn: RenderedTurn) -> list[tuple[int, int, str]]:
    """(first frame, end, type) of elements that BRACE has a type for, equal ones in a row as one."""
    found: list[tuple[int, int, str]] = []
    for element in turn.plan.elements:
        first, end = (turn.first + round(s * FPS) for s in (element.start_s, element.end_s))
        kind = _TYPES.get(element.kind)
        if kind and found and found[-1][1:] == (first, kind):
            found[-1] = (found[-1][0], end, kind)
        elif kind:
            found.append((first, end, kind))
    return found
