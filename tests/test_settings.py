"""What is set on this machine: where it is read, that it is obeyed, and how mistakes in it are told."""

from __future__ import annotations

import json

import pytest

from toprock.errors import UsageError, VideoTooLarge
from toprock.settings import section, settings_file
from toprock.video import Limits, probe


@pytest.fixture
def write(tmp_path, monkeypatch):
    """A function that writes the settings of this test."""

    def written(text):
        path = tmp_path / "settings.toml"
        path.write_text(text)
        monkeypatch.setenv("TOPROCK_SETTINGS", str(path))
        return path

    return written


def test_without_a_file_all_are_defaults(tmp_path, monkeypatch):
    monkeypatch.delenv("TOPROCK_SETTINGS", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert settings_file() == tmp_path / "toprock" / "settings.toml"
    assert Limits.chosen() == Limits()


def test_what_is_set_holds_where_nobody_says_otherwise(write, make_video, tmp_path):
    video = make_video(tmp_path / "v.mp4", frames=30)
    write("[limits]\nmax_frames = 20\nstall_s = 7\n")
    assert Limits.chosen() == Limits(max_frames=20, stall_s=7)
    with pytest.raises(VideoTooLarge, match=r"30 frames, the limit is 20.*max_frames \(toprock settings shows where\)"):
        probe(video)
    assert probe(video, limits=Limits()).frames == 30


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[limits]\nstall = 3\n", r"\[limits\] has no 'stall'. Allowed are max_pixels, .*, threads"),
        ("[limits]\nmemory_mb = 'much'\n", r"\[limits\] memory_mb is no number. Write: memory_mb = NUMBER"),
        ("[limits]\nmemory_mb = true\n", r"\[limits\] memory_mb is no number"),
        ("[limits]\nmemory_mb = 20.5\n", r"\[limits\] memory_mb = 20\.5: .*integer"),
        ("[limits]\nstall_s = 1e308\n", r"stall_s is 1e\+308\. Give a number above 0 .*1,000,000,000 at most"),
        ("[limits]\nthreads = 65\n", "64 at most"),
        ("[limits]\nstall_s = " + "[" * 3000 + "\n", "cannot be read"),
        ("[limits]\nmemory_mb = 0\n", "the limit memory_mb is 0. Give a number above 0"),
        ("limits = 3\n", r"'limits' is no section. Write \[limits\] on a line"),
        ("[colours]\nred = 1\n", r"there is no section \[colours\]. Allowed are limits, room"),
        ("[limits\n", r"cannot be read \(.*line 1"),
    ],
)
def test_a_mistake_names_the_file_and_what_is_allowed(write, text, words):
    path = write(text)
    with pytest.raises(UsageError, match=words) as caught:
        section("limits", Limits)
    assert str(path) in str(caught.value)


def test_a_named_file_must_be_there(tmp_path, monkeypatch):
    monkeypatch.setenv("TOPROCK_SETTINGS", str(tmp_path / "none.toml"))
    with pytest.raises(UsageError, match=r"there is no such file\. Check TOPROCK_SETTINGS"):
        Limits.chosen()


def test_the_command_prints_a_file_that_means_the_same(write, toprock):
    path = write("[limits]\nmemory_mb = 2048\n")
    told, _ = toprock("settings")
    assert "\nmemory_mb = 2048 " in told
    assert "\n# stall_s = 30.0 " in told
    assert json.loads(toprock("settings", "--json")[0])["limits"]["memory_mb"] == 2048
    path.write_text(told)
    assert Limits.chosen() == Limits(memory_mb=2048)


def test_the_commands_obey(write, toprock, make_video, tmp_path):
    (tmp_path / "in").mkdir()
    make_video(tmp_path / "in/v.mp4", frames=60)
    write("[limits]\nmax_duration_s = 1\n")
    _, told = toprock("extract", tmp_path / "in", "--out", tmp_path / "f", status=1)
    assert "the limit is 1 s" in told
