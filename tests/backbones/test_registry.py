import json
import subprocess
import sys

import pytest

from toprock.backbones import REGISTRY, build, from_settings, names
from toprock.backbones.listing import listed
from toprock.errors import RecipeMismatch, UsageError


def test_the_list_names_every_backbone_and_what_to_do():
    found = {one.name: one for one in listed()}
    assert list(found)[: len(REGISTRY)] == sorted(REGISTRY)
    assert set(found) == set(names())
    assert {one.stream for one in found.values()} == {"dynamic", "static"}
    for one in found.values():
        assert one.licence
        assert one.description
        assert (one.state == "ready") == (one.advice == "")
    assert found["flow"].state == found["posture"].state == "ready"


EMBEDDED = ("flow", "flow-beat", "posture")
"""Those that need no weights; the others have files of their own here."""


@pytest.mark.parametrize("name", EMBEDDED)
def test_settings_make_an_equal_backbone_again(name):
    backbone = build(name, short_side=96)
    stored = json.loads(json.dumps(dict(backbone.settings)))
    again = from_settings(name, stored)
    assert again == backbone
    assert again.reading == backbone.reading
    assert build(name) != backbone
    assert isinstance(stored["version"], int)


def test_an_unknown_backbone_lists_the_allowed():
    with pytest.raises(UsageError, match=r"there is no backbone 'resnet'.*clip-base.*flow, flow-beat.*resnet-50"):
        build("resnet")


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"stride": 2}, "has no setting stride.*clip_s"),
        ({"clip_s": 0}, "clip_s=0"),
        ({"clip_s": "long"}, "clip_s='long'"),
        ({"short_side": 12.5}, "short_side=12.5.*whole"),
        ({"rate_hz": float("nan")}, "rate_hz=nan"),
        ({"every_s": 1.0, "clip_s": 0.8}, "every_s=1.0.*clip_s=0.8"),
        ({"clip_s": 1e-9, "every_s": 1e-9}, "clip_s=1e-09.*shorter than any motion"),
        ({"rate_hz": 1e9}, "more than any video has.*240"),
    ],
)
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(UsageError, match=message):
        build("flow", **settings)


def test_another_version_is_refused():
    with pytest.raises(RecipeMismatch, match="version 99"):
        build("posture", version=99)


def test_importing_the_registry_is_light():
    heavy = ("torch", "cv2", "scipy", "transformers", "ai_edge_litert")
    code = f"import sys, toprock.backbones; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
