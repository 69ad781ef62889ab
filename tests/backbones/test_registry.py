import json
import subprocess
import sys

import pytest

from toprock.backbones import REGISTRY, build, from_settings, specs
from toprock.errors import RecipeMismatch, UsageError


def test_specs_name_every_backbone():
    assert [spec.name for spec in specs()] == sorted(REGISTRY)
    assert {spec.stream for spec in specs()} == {"dynamic", "static"}
    for spec in specs():
        assert 150 <= spec.dimension <= 400


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_settings_make_an_equal_backbone_again(name):
    backbone = build(name, short_side=96)
    stored = json.loads(json.dumps(dict(backbone.settings)))
    again = from_settings(name, stored)
    assert again == backbone
    assert again.reading == backbone.reading
    assert build(name) != backbone
    assert isinstance(stored["version"], int)


def test_an_unknown_backbone_lists_the_allowed():
    with pytest.raises(UsageError, match=r"there is no backbone 'resnet'.*flow, flow-beat, posture"):
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
    ],
)
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(UsageError, match=message):
        build("flow", **settings)


def test_another_version_is_refused():
    with pytest.raises(RecipeMismatch, match="version 99"):
        build("posture", version=99)


def test_importing_the_registry_is_light():
    code = "import sys, toprock.backbones; print([m for m in ('torch', 'cv2', 'scipy') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
