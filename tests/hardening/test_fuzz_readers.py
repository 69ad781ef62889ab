"""Damaged files of every kind besides videos are read, or refused by one named error; hypothesis draws the damage."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardening.chapters.fuzz_readers import Whole, attempt
from hardening.mangle import mangled
from hardening.readers import PAIRS, READERS, SLOW, plan
from toprock.features.store import FeatureStore
from toprock.ranker import train_from_store


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A function that gives a whole file of a kind, made once."""
    made = {}

    def get(name):
        if name not in made:
            made[name] = Whole(name, tmp_path_factory.mktemp("whole"))
        made[name].put(made[name].data)
        assert attempt(name, made[name].path) == ("read", "")
        return made[name]

    return get


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_read_or_refused(name, whole):
    file = whole(name)

    @settings(max_examples=12 if name.startswith(SLOW) else 80, derandomize=True, database=None)
    @given(st.integers(0, 2**32))
    def check(seed):
        file.put(mangled(file.data, READERS[name].form, random.Random(seed)))
        assert attempt(name, file.path)[1] == ""

    check()


@pytest.mark.parametrize("name", ["features of one", "model's weights"])
def test_a_single_byte_that_changed_is_noticed(name, whole):
    file = whole(name)
    for at in (len(file.data) - 1, len(file.data) - 20):
        file.put(changed(file.data, at))
        assert attempt(name, file.path) == ("FeaturesError" if "features" in name else "ModelError", "")
    file.put(file.data.replace(b'"check"', b'"chuck"'))  # as files from before the check
    assert attempt(name, file.path) == ("read", "")


def test_a_training_does_not_go_on_from_a_stage_whose_bytes_have_changed(whole):
    file = whole("training's stage that runs")
    assert goes_on_at(file.path) > 5
    file.put(changed(file.data, len(file.data) - 1))
    assert goes_on_at(file.path) == 1


def changed(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def goes_on_at(path):
    """The first step that a training takes in the stage of this file."""

    class Enough(Exception):
        pass

    taken = []

    def on_advance(advance):
        taken.append(advance)
        raise Enough

    store = FeatureStore(path.parent.parent / "features")
    with pytest.raises(Enough):
        train_from_store(store, PAIRS, plan=plan(400), checkpoint=path.parent, on_advance=on_advance)
    assert taken[0].stage == path.stem
    return taken[0].done
