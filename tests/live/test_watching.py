"""The score at the end is the batch's, evidence comes while a file is written, and every end is named."""

import math
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from toprock.assess.model import Model
from toprock.backbones import build
from toprock.errors import EmptyVideo, UnreadableVideo, UsageError
from toprock.features import Recipe
from toprock.features.encoding import Encoding
from toprock.features.extraction import Following, describe_video
from toprock.live import Watching
from toprock.performance import Performance
from toprock.video import Look, read_pictures

sys.path.insert(0, str(Path(__file__).parents[1] / "backbones"))
from checkpoints import make_checkpoint

STREAM = ("-f", "mpegts")
BRIEF = ("-t", "3", *STREAM)
FORMS = {
    "film.ts": STREAM,
    "film.mkv": ("-f", "matroska", "-cluster_time_limit", "200"),
    "film.mp4": ("-f", "mp4", "-movflags", "+empty_moov+default_base_moof", "-frag_duration", "200000"),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_file_is_scored_while_it_is_written_and_in_the_end_as_the_finished_file(name, model, recorded, tmp_path):
    path, early, told = tmp_path / name, [], []
    with recorded(path, *FORMS[name]) as writer, Watching(model, path, every_s=0.2) as watching:
        for update in watching:
            told += [(s.stream, s.start_s) for s in update.segments]
            if writer.poll() is None and update.segments:
                early.append(update)
    assert len(early) >= 3
    assert early[0].time_s < 5 < early[-1].time_s
    assert update.final
    assert watching.end.reason == "closed"
    assert not watching.end.broken
    assert update.assessment.to_json() == model.assess(path).to_json()
    assert update.time_s == pytest.approx(8, abs=0.1)
    assert sorted(told) == sorted((s.stream, s.start_s) for s in update.assessment.segments)  # each once


def test_a_rate_that_the_header_gets_wrong_at_first_changes_nothing(model, make_video, tmp_path):
    """Of uneven pictures in fragments; the first fragment knows of its own alone."""
    steps_s = [0.012 if i % 100 < 50 else 0.025 for i in range(200)]
    times_s = np.round(np.cumsum(steps_s) + np.random.default_rng(0).uniform(0, 0.003, 200), 3)
    options = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    path = make_video(tmp_path / "film.mp4", times_s=times_s, container_options=options)
    with read_pictures(path, looks=[Look(64, 30)], follow_s=0.1) as followed:
        begun = [frame.time_s for frame in followed]
    with read_pictures(path, looks=[Look(64, 30)]) as batch:
        assert begun != [frame.time_s for frame in batch]
    with Watching(model, path, quiet_s=0.3) as watching:
        *_, last = watching
    assert last.assessment.to_json() == model.assess(path).to_json()


def test_no_more_is_watched_than_is_wanted(model, recorded, tmp_path):
    path = tmp_path / "film.ts"
    with recorded(path, *STREAM), Watching(model, path, for_s=4) as watching:
        *_, last = watching
    assert watching.end.reason == "length"
    part = Performance("film", path, ((0.0, 4.0),))
    assert last.assessment.to_json() == model.assess(part).to_json()


def test_stopped_it_gives_the_score_of_what_was_seen(model, recorded, tmp_path):
    path = tmp_path / "film.ts"
    with recorded(path, *STREAM, speed=1), Watching(model, path, every_s=0.2) as watching:
        for last in watching:
            if last.time_s > 1.5 and watching.end is None:
                watching.stop()
    assert watching.end.reason == "stopped"
    assert 1.5 < last.time_s < 7
    ends_s = {s.stream: s.end_s for s in last.assessment.segments}
    assert all(last.time_s <= end_s < last.time_s + 0.1 for end_s in ends_s.values())


def test_a_file_that_its_writer_holds_open_and_leaves_alone_has_ended(model, film, recorded, tmp_path):
    source, path = tmp_path / "whole.ts", tmp_path / "film.ts"
    with recorded(source, *BRIEF, speed=100) as writer:
        writer.wait()
    with path.open("wb") as file:
        file.write(source.read_bytes())
        file.flush()
        begun = time.monotonic()
        with Watching(model, path, quiet_s=2) as watching:
            updates = list(watching)
    assert time.monotonic() - begun > 2
    assert watching.end.reason == "quiet"
    assert "2 s" in watching.end.note
    assert updates[0].delay_s is not None  # what was there is told before the end is certain
    assert updates[-1].assessment.score == model.assess(path).score


def test_a_file_that_becomes_shorter_broke_off(model, recorded, tmp_path):
    path = tmp_path / "film.ts"
    with recorded(path, *STREAM) as writer, Watching(model, path, every_s=0.2) as watching:
        for last in watching:
            if last.time_s > 2 and writer.poll() is None:
                writer.kill()
                writer.wait()
                path.write_bytes(b"")
    assert (watching.end.reason, watching.end.broken) == ("cut", True)
    assert math.isfinite(last.assessment.score)


def test_waiting_at_the_end_takes_no_processor(model, recorded, tmp_path):
    path = tmp_path / "film.ts"
    with recorded(path, *BRIEF, speed=100) as writer:
        writer.wait()
    with path.open("ab"), Watching(model, path, quiet_s=30) as watching:
        while next(watching).time_s < 2.9:
            pass
        child = watching._following.frames._child.pid
        before = ticks(child)
        time.sleep(1)
        assert ticks(child) - before <= 10  # of 100


def ticks(pid):
    """Hundredths of a second that a process has computed."""
    return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))


def test_a_file_may_appear_and_begin_late(model, film, recorded, tmp_path):
    path, source = tmp_path / "film.ts", tmp_path / "whole.ts"
    with recorded(source, *BRIEF, speed=100) as writer:
        writer.wait()

    def write():
        time.sleep(0.3)
        with path.open("wb") as file:
            for part in (b"", source.read_bytes()[:100], source.read_bytes()[100:]):
                time.sleep(0.3)
                file.write(part)
                file.flush()

    threading.Thread(target=write).start()
    waited = []
    with Watching(model, path, quiet_s=1.5, on_wait=lambda: waited.append(1)) as watching:
        *_, last = watching
    assert len(waited) > 5
    assert last.assessment.score == model.assess(path).score


def test_a_file_whose_index_comes_last_is_refused_with_what_to_record(model, film, recorded, tmp_path):
    path = tmp_path / "film.mp4"
    with recorded(path, "-f", "mp4", speed=1) as writer:
        with pytest.raises(UnreadableVideo, match=r"index comes at its end.*\.mkv or \.ts"):
            Watching(model, path)
        assert writer.poll() is None
    path = tmp_path / "film.avi"
    with recorded(path, "-f", "avi", speed=1), pytest.raises(UnreadableVideo, match="index comes at its end"):
        Watching(model, path)
    with pytest.raises(UnreadableVideo, match=r"that is finished\. Score it: toprock score"):
        Watching(model, film)


def test_what_does_not_begin_is_named(model, tmp_path):
    with pytest.raises(UnreadableVideo, match="no such file"):
        Watching(model, tmp_path / "film.ts", quiet_s=0.3)
    (tmp_path / "empty.ts").touch()
    with pytest.raises(EmptyVideo, match=r"nothing was written to it for 0\.3 s"):
        Watching(model, tmp_path / "empty.ts", quiet_s=0.3)
    (tmp_path / "text.ts").write_text("#EXTM3U\nhttp://example.org/1.ts\n")
    with pytest.raises(UnreadableVideo, match="playlist"):
        Watching(model, tmp_path / "text.ts", quiet_s=0.3)


def test_a_header_alone_ends_in_an_error(model, film, recorded, tmp_path):
    path = tmp_path / "film.mkv"
    with recorded(tmp_path / "whole.mkv", "-f", "matroska", speed=100) as writer:
        writer.wait()
    path.write_bytes((tmp_path / "whole.mkv").read_bytes()[:700])
    with Watching(model, path, quiet_s=1) as watching, pytest.raises(UnreadableVideo, match="nothing more was written"):
        list(watching)


def test_wrong_use_is_refused(model, film, tmp_path):
    for more, what in (
        ({"quiet_s": 0}, "quiet_s is 0"),
        ({"for_s": -1}, "for_s is -1"),
        ({"record": tmp_path / "x.mkv"}, "is there already"),
    ):
        with pytest.raises(UsageError, match=what):
            Watching(model, film, **more)


def test_a_model_that_listens_is_refused(model, film):
    heard = Recipe.of(build("flow-beat"))
    config = model.saved.config.model_copy(
        update={"recipes": {**model.saved.config.recipes, "dynamic": heard.to_json()}}
    )
    with pytest.raises(UsageError, match="'flow-beat' need the beats of the whole music"):
        Watching(Model(replace(model.saved, config=config)), film)


def test_networks_are_shown_what_there_is_while_the_file_is_written(recorded, tmp_path):
    make_checkpoint("dinov2", tmp_path / "still")
    backbones = [build(str(tmp_path / "still"))]
    path, seen = tmp_path / "film.ts", []
    encoding = Encoding()
    encoding.load(backbones[0])
    with recorded(path, *STREAM, speed=3) as writer:
        while not path.exists() or path.stat().st_size < 10_000:
            time.sleep(0.05)

        def take(features):
            if writer.poll() is None:
                seen.append([len(rows.times) for rows in features.streams.values()])

        following = Following(quiet_s=3, every_s=0.2, on_features=take)
        (live,) = describe_video(path, [Performance("film", path)], backbones, encoding=encoding, following=following)
    assert len(seen) >= 2  # a batch that is not full does not wait for the end
    (batch,) = describe_video(path, [Performance("film", path)], backbones, encoding=encoding)
    encoding.close()
    for recipe, rows in batch.streams.items():
        np.testing.assert_array_equal(live.streams[recipe].times, rows.times)
        np.testing.assert_allclose(live.streams[recipe].features, rows.features, rtol=2e-3, atol=2e-3)
    assert live.facts == batch.facts


def test_a_decoder_that_dies_leaves_the_score_so_far(model, recorded, tmp_path):
    path = tmp_path / "film.ts"
    with recorded(path, *STREAM, speed=1), Watching(model, path, every_s=0.2) as watching:
        for last in watching:
            if last.time_s > 1 and not last.final:
                watching._following.frames._child._process.kill()
    assert (watching.end.reason, watching.end.broken) == ("failed", True)
    assert "SIGKILL" in watching.end.note
    assert math.isfinite(last.assessment.score)
