"""Pins, ranges, the bill of materials and its licences say what is installed here."""

from __future__ import annotations

import copy
import json
import re
from importlib.metadata import distribution

import pytest
from packaging.requirements import Requirement

from hardening import bill
from hardening.bundled import libraries_of
from hardening.chapter import Scale
from hardening.chapters import supply


@pytest.fixture(scope="module")
def written():
    return json.loads(bill.WRITTEN.read_text(encoding="utf-8"))


def test_pins_licences_and_the_bill_of_materials_are_those_of_this_environment(tmp_path):
    assert supply.run(Scale(False, tmp_path)).lost == []


def test_a_pin_that_is_missing_wrong_or_of_no_use_is_found():
    pinned, wanted = {"a": "1.0", "b": "2", "c": "3"}, {"a": "1", "b": "2.1", "d": "4"}
    said = supply.wrong_pins(pinned, wanted)
    assert [line.split()[0] for line in said] == ["d", "c", "b"]


def test_what_needs_an_extra_is_needed_with_it_alone():
    plain, web = bill.needed([]), bill.needed(["web"])
    assert {"torch", "numpy", "sympy"} <= plain.keys()
    assert {"fastapi", "starlette"} <= web.keys() - plain.keys()
    assert "psycopg-binary" in bill.needed(["postgres"]).keys() - web.keys()
    assert "pytest" not in bill.needed(bill.RUN_TIME)


def test_every_range_begins_with_a_release_and_holds_the_pin():
    pinned = supply.pins()
    for name, version in supply.lowest().items():
        assert Requirement(f"{name}>={version}").specifier.contains(pinned[name]), name


def test_a_licence_that_is_missing_or_not_allowed_is_found(written):
    changed = copy.deepcopy(written)
    changed["components"][0].pop("licenses")
    changed["components"][1]["licenses"] = [{"expression": "MIT AND AGPL-3.0-only"}]
    first, second = (component["name"] for component in changed["components"][:2])
    assert bill.complaints(changed) == [f"{first}: names no licence", f"{second}: MIT AND AGPL-3.0-only"]


def test_a_bill_that_is_out_of_date_is_found(written):
    wanted = bill.needed(bill.RUN_TIME)
    said = supply.stale(written, {**wanted, "scipy": "0.1", "new": "1"})
    assert [re.search(r"has (\S+)", line)[1] for line in said] == ["new", "scipy"]


def test_the_bill_is_the_same_every_time_and_names_no_place_on_a_machine(written):
    assert not {"serialNumber", "timestamp"} & (written.keys() | written["metadata"].keys())
    assert "file:" not in json.dumps(written)
    assert written["metadata"]["component"]["name"] == "toprock"


def test_what_lies_within_is_named(written):
    found = {(within, component["name"]): component for within, component in bill.everything(written)}
    assert bill.licence_of(found["", "htmx.org"]) == "0BSD"
    wheels = {name: libraries_of(distribution(name)) for name in bill.needed(bill.RUN_TIME)}
    brought = {(wheel, library) for wheel, libraries in wheels.items() for library in libraries}
    assert brought == {place for place in found if place[0]}
    assert brought >= bill.KNOWN_GPL
    assert bill.licence_of(found["av", "FFmpeg"]).startswith("LGPL")
