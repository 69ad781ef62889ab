"""Rendered battles: what is annotated is what is seen and heard."""

import csv
import json
from itertools import pairwise

import av
import numpy as np
import pytest

from toprock.datasets.battles import parts, read_battles
from toprock.errors import UsageError
from toprock.synthetic import render_battles
from toprock.synthetic.choreography import FPS


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_layout_is_that_of_the_real_files(championship, shared):
    real = shared / "data/brace"
    for name in ("videos_info.csv", "outcomes.csv", "annotations/sequences.csv", "annotations/segments.csv"):
        headers = [
            (folder / name).read_text(encoding="utf-8").splitlines()[0] for folder in (real, championship.folder)
        ]
        assert headers[0] == headers[1], name
    for name in ("audio_beats.json", "shot_boundaries.json"):
        theirs, ours = (json.loads((f / "annotations" / name).read_text()) for f in (real, championship.folder))
        one, other = next(iter(theirs.values())), next(iter(ours.values()))
        assert type(one) is type(other)
        assert not isinstance(one, dict) or set(one) == set(other)
    uids = {row["uid"] for row in table(championship.folder / "annotations/sequences.csv")}
    assert uids == set(json.loads((championship.folder / "annotations/audio_beats.json").read_text()))


def test_turns_alternate_and_the_better_dancer_wins(championship):
    told = {row["video_id"]: row["winner"] for row in table(championship.folder / "outcomes.csv")}
    for battle, read in zip(championship.battles, read_battles(championship.folder), strict=True):
        assert [turn.dancer for turn in read.turns] == list(battle.dancers) * 2
        qualities = {name: battle.quality(number) for number, name in enumerate(battle.dancers)}
        assert told[battle.video_id] == max(qualities, key=qualities.get)
        for turn in battle.turns:
            assert battle.turns[0].first / FPS == 1.0
            assert turn.end - turn.first == round(turn.plan.duration_s * FPS)
    assert len({turn.plan.quality for b in championship.battles for turn in b.turns}) > 6


def test_moments_lie_in_the_turns_of_their_dancer(championship):
    performances = parts(read_battles(championship.folder))
    rows = table(championship.folder / "moments.csv")
    assert {row["id"] for row in rows} == set(performances)
    assert {row["label"] for row in rows} == {"good", "bad"}
    for row in rows:
        spans = [turn.span for turn in performances[row["id"]].turns]
        assert any(start <= float(row["start_s"]) < float(row["end_s"]) <= end for start, end in spans)


def test_pieces_follow_the_plan(championship):
    kinds = {"toprock": "toprock", "spin": "powermove", "footwork": "footwork"}
    for battle, read in zip(championship.battles, read_battles(championship.folder), strict=True):
        for turn, annotated in zip(battle.turns, read.turns, strict=True):
            for element in turn.plan.elements:
                middle = turn.first / FPS + (element.start_s + element.end_s) / 2
                there = [kind for (start, end), kind in annotated.pieces if start <= middle < end]
                assert there == ([kinds[element.kind]] if element.kind in kinds else []), element


def test_pictures_change_at_the_cuts_and_the_floor_is_empty_between_turns(championship):
    battle = championship.battles[0]
    with av.open(str(battle.video)) as container:
        pictures = [f.to_ndarray(format="gray8").astype(int) for f in container.decode(video=0)]
    assert len(pictures) == battle.frames
    steps = np.array([np.abs(b - a).mean() for a, b in pairwise(pictures)])
    cuts = [first for first, _ in battle.shots[1:]]
    assert len(cuts) == 4 * len(battle.turns)
    assert sorted(np.argsort(steps)[-len(cuts) :] + 1) == cuts
    for turn in battle.turns:  # by the same camera: a body is there and then is not; the picture itself drifts a little
        empty, danced, left = (pictures[n] for n in (turn.first - 1, (turn.first + turn.end) // 2, turn.end))
        assert (np.abs(danced - empty) > 40).mean() > 3 * (np.abs(left - empty) > 40).mean()


def test_the_drums_are_heard_where_the_beats_are_annotated(championship):
    battle, read = championship.battles[0], read_battles(championship.folder)[0]
    with av.open(str(battle.video)) as container:
        stream = container.streams.audio[0]
        assert (stream.rate, stream.channels) == (16_000, 1)
        blocks = [(frame.time, frame.to_ndarray()[0]) for frame in container.decode(stream)]
    sound = np.abs(np.concatenate([block for _, block in blocks]))
    loud = np.flatnonzero(sound > 0.25) / 16_000 + blocks[0][0]
    onsets = loud[np.diff(loud, prepend=-1.0) > 0.2]
    beats = np.array([beat for turn in read.turns for beat in turn.beats_s])
    assert len(onsets) == len(beats)
    assert np.abs(onsets - beats).max() < 0.02


def test_a_battle_depends_on_its_number_and_seed_alone(championship, tmp_path):
    (one,) = render_battles(tmp_path, count=1, seed=1, years=("2031",))
    assert one.video.read_bytes() == championship.battles[0].video.read_bytes()


@pytest.mark.parametrize("wrong", [{"count": 0}, {"count": 1, "turns": 0}, {"count": 1, "years": ()}])
def test_wrong_use_says_so(tmp_path, wrong):
    with pytest.raises(UsageError, match="1 or more"):
        render_battles(tmp_path / "new", seed=1, **wrong)
    assert not (tmp_path / "new").exists()
