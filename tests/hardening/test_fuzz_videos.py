"""300 damaged films of every container and codec end in pictures or in one named error."""

from __future__ import annotations

import random
import subprocess
from functools import partial

import pytest

from hardening import films
from hardening.chapters import fuzz_videos
from hardening.damage import KINDS, damaged

NAMES = list(films.FILMS)
TURNS = ("frames", "frames", "pictures", "frames", "features", "frames", "sound")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_damage_damages_and_its_seed_does_it_again(kind, monkeypatch):
    data = bytes(range(256)) * 40
    monkeypatch.setattr("hardening.damage.KINDS", {kind: KINDS[kind]})
    copies = [damaged(data, [bytes(9000)], random.Random(seed))[0] for seed in range(20)]
    assert copies == [damaged(data, [bytes(9000)], random.Random(seed))[0] for seed in range(20)]
    assert sum(copy != data for copy in copies) >= 15


@pytest.mark.long
@pytest.mark.parametrize("share", range(4))
def test_damaged_films_end_in_pictures_or_in_one_named_error(share, tmp_path):
    names = NAMES[share::4]
    results = list(fuzz_videos.fuzz(tmp_path, names, 15 * len(names) + 4, seed=7, ways=["frames"], turns=TURNS))
    assert [line for line in results if line[2].wrong] == []
    assert len(results) == 16 * len(names) + 4
    kinds = {found.what for _, _, found in results}
    assert kinds >= {"whole", "UnreadableVideo"}


def _hang(kept, path):
    while True:
        pass


def _leave_a_process(kept, path):
    kept.append(subprocess.Popen(["sleep", "60"]))
    return "whole", ""


def _leave_a_file(kept, path):
    kept.append(path.open("w"))
    return "whole", ""


def _raise(kept, path):
    raise KeyError("moov")


@pytest.mark.parametrize(
    ("way", "words"),
    [
        (_hang, "no answer within"),
        (_leave_a_process, "a process was left behind"),
        (_leave_a_file, "an open file was left behind"),
        (_raise, "KeyError: 'moov'"),
    ],
)
def test_what_should_not_happen_is_noticed(way, words, tmp_path, monkeypatch):
    kept: list = []
    monkeypatch.setitem(fuzz_videos.WAYS, "so", partial(way, kept))
    monkeypatch.setattr(fuzz_videos, "LONGEST_S", 0.3 if way is _hang else 30)
    assert words in fuzz_videos.attempt(tmp_path / "x.mp4", "so").wrong
    for left in kept:
        if isinstance(left, subprocess.Popen):
            left.kill()
            left.wait()
        else:
            left.close()
