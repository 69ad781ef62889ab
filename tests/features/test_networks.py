"""Extraction with networks: one decoding for all, batches across videos, the same features whatever is beside them."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from toprock.backbones import build
from toprock.backbones.base import Compute
from toprock.errors import ComputeError, WeightsError
from toprock.features import FeatureStore, extract
from toprock.features.encoding import Encoding
from toprock.features.extraction import describe_video
from toprock.performance import Performance
from toprock.video import reader

sys.path.insert(0, str(Path(__file__).parents[1] / "backbones"))
from checkpoints import make_checkpoint

PLAIN = Compute(device="cpu", precision="float32")


@pytest.fixture(scope="module")
def place(tmp_path_factory, make_video):
    """Three videos, one of them damaged, and two small checkpoints."""
    folder = tmp_path_factory.mktemp("networks")
    for number in range(4):
        make_video(folder / f"v{number}.mp4", frames=60 + 30 * number, rate_hz=30, size=(160, 96))
    (folder / "broken.mp4").write_bytes((folder / "v3.mp4").read_bytes()[:2000])
    make_checkpoint("dinov2", folder / "image")
    make_checkpoint("videomae", folder / "video")
    return folder


def performances(place, *names):
    return [Performance(name, place / f"{name}.mp4") for name in names]


def described(performances, backbones, precision="float32"):
    """Features of performances in one video, computed in a fixed way whatever is fastest at the moment."""
    with Encoding(Compute(device="cpu", precision=precision)) as encoding:
        return describe_video(performances[0].video, performances, backbones, encoding=encoding)


def test_a_video_is_decoded_once_for_all_sizes_and_features_do_not_depend_on_what_is_beside_them(place, monkeypatch):
    started = []
    start = reader.start_decoder
    monkeypatch.setattr(reader, "start_decoder", lambda *args: started.append(args) or start(*args))
    names = ["flow", "posture", f"{place / 'video'}", f"{place / 'image'}"]
    backbones = [build(name) for name in names]
    (one,) = performances(place, "v2")
    spans = Performance("part", one.video, ((0.31, 1.27), (1.9, 3.3)))
    together = {p.id: p for p in described([one, spans], backbones)}
    assert len(started) == 1
    for backbone in backbones:
        for performance in (one, spans):
            (alone,) = described([performance], [backbone])
            for recipe, stream in alone.streams.items():
                beside = together[performance.id].streams[recipe]
                assert np.array_equal(stream.times, beside.times)
                assert np.allclose(stream.features.astype(float), beside.features.astype(float), atol=2e-3)


@pytest.mark.parametrize("start_s", [0.3667, 0.36666, 0.3666, 0.4])
def test_an_interval_may_begin_at_a_frame_or_a_hair_beside_it(start_s, place):
    backbone, plain = build(str(place / "image")), build("posture")
    (found,) = described([Performance("p", place / "v0.mp4", ((start_s, 1.2), (1.2, 1.9)))], [backbone, plain])
    for stream in found.streams.values():
        assert stream.times[0, 0] == pytest.approx(start_s, abs=0.035)
        assert stream.times[-1, 1] == pytest.approx(1.9)


def test_rates_that_fit_no_other_leave_others_alone(place):
    posture, image = build("posture"), build(str(place / "image"), rate_hz=7.123)
    other = build("posture:rate_hz=8")
    (alone,) = described([Performance("p", place / "v1.mp4")], [posture])
    (beside,) = described([Performance("p", place / "v1.mp4")], [posture, image, other])
    for recipe, stream in alone.streams.items():
        assert np.array_equal(stream.times, beside.streams[recipe].times)
        assert np.array_equal(stream.features, beside.streams[recipe].features)


def test_what_concerns_the_run_is_no_videos_failure(place, tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has an accelerator")
    store = FeatureStore(tmp_path / "store", create=True)
    with pytest.raises(ComputeError, match=r"there is no CUDA device here"):
        extract(performances(place, "v0", "v1"), store, [build(str(place / "image"))], compute=Compute(device="cuda"))
    assert store.failures() == {}


def test_damaged_pose_weights_end_the_run_in_words(place, tmp_path, shared):
    weights = tmp_path / "movenet" / "movenet_single_pose_lightning_ptq.tflite"
    weights.parent.mkdir()
    whole = (shared / "weights" / "movenet" / weights.name).read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    store = FeatureStore(tmp_path / "store", create=True)
    with pytest.raises(WeightsError, match=r"movenet_single_pose_lightning_ptq.tflite"):
        extract(performances(place, "v0", "v1"), store, [build("pose", at=str(weights))], workers=2)


def test_many_videos_share_the_networks_and_a_bad_one_stops_none(place, tmp_path):
    backbones = [build(str(place / "video")), build(str(place / "image"))]
    store = FeatureStore(tmp_path / "store", create=True)
    told = []
    wanted = performances(place, "v0", "v1", "broken", "v2", "v3")
    found = extract(wanted, store, backbones, workers=3, compute=PLAIN, on_progress=told.append)
    assert found.written == ["v0", "v1", "v2", "v3"]
    assert list(found.failed) == ["broken"]
    assert set(found.paces) == {"image", "video"}
    assert "float32" in found.paces["image"]
    assert store.read("v0").facts["bfloat16"] == 0.0
    assert told[-1].done == told[-1].total == 5
    again = extract(wanted, store, backbones, compute=PLAIN)
    assert (again.written, sorted(again.kept)) == ([], ["v0", "v1", "v2", "v3"])
    for p in performances(place, "v0", "v3"):
        (alone,) = described([p], backbones)
        for recipe, stream in store.read(p.id).streams.items():
            assert np.allclose(stream.features.astype(float), alone.streams[recipe].features.astype(float), atol=2e-3)


def test_weights_that_are_lost_stop_the_run_at_once_and_lose_nothing(place, tmp_path):
    folder = make_checkpoint("dinov2", tmp_path / "mine")
    backbone = build(str(folder))
    store = FeatureStore(tmp_path / "store", create=True)
    extract(performances(place, "v0"), store, [backbone], compute=PLAIN)
    (folder / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="mine: its weights do not make a DINOv2 model"):
        extract(performances(place, "v0", "v1"), store, [backbone], compute=PLAIN)
    assert store.ids() == ["v0"]
    assert store.failures() == {}


def test_stores_hold_where_weights_were_and_no_recipe_depends_on_it(place, tmp_path):
    backbone = build(str(place / "image"))
    store = FeatureStore(tmp_path / "store", create=True)
    extract(performances(place, "v0"), store, [backbone], compute=PLAIN)
    (recipe,) = json.loads((tmp_path / "store" / "store.json").read_text())["recipes"]
    assert recipe["weights_at"] == str(place / "image")
    assert str(place) not in json.dumps(recipe["settings"])
    (read,) = FeatureStore(tmp_path / "store").recipes
    assert read.build() == backbone


def test_a_first_box_concerns_those_alone_that_follow_the_performer(place, tmp_path, shared):
    movenet = str(shared / "weights" / "movenet")
    middle, close = build(str(place / "image")), build(str(place / "image"), crop="performer", pose=movenet)
    (plain,) = performances(place, "v0")
    boxed = replace(plain, box=(0.0, 0.0, 0.5, 1.0))
    store = FeatureStore(tmp_path / "store", create=True)
    extract([plain], store, [middle, close], compute=PLAIN)
    assert extract([boxed], store, [middle], compute=PLAIN).kept == ["v0"]
    assert extract([boxed], store, [close], compute=PLAIN).written == ["v0"]
    assert extract([boxed], store, [middle, close], compute=PLAIN).kept == ["v0"]


def test_bfloat16_changes_features_little(place):
    for name in ("image", "video"):
        backbone = build(str(place / name))
        (p,) = performances(place, "v3")
        exact, half = (
            next(iter(found.streams.values())).features.astype(float)
            for precision in ("float32", "bfloat16")
            for found in described([p], [backbone], precision)
        )
        cosine = (exact * half).sum(1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(half, axis=1)
        assert cosine.min() > 0.999


def test_bfloat16_moves_a_score_by_little(shared, tmp_path, make_video):
    """Real weights: a score made in bfloat16 differs by less than a tenth of the scores' spread."""
    import torch

    from toprock.assess.model import Model
    from toprock.comparisons import Pair
    from toprock.ranker import Plan, train_from_store

    rng = np.random.default_rng(0)
    for number in range(6):
        rough = torch.from_numpy(rng.random((6, 3, 4 + number, 6 + number), dtype=np.float32))
        fine = torch.nn.functional.interpolate(rough, (96, 160), mode="bicubic").clamp(0, 1)
        pictures = (fine * 255).byte().permute(0, 2, 3, 1).numpy()
        make_video(tmp_path / f"p{number}.mp4", frames=6, rate_hz=2, size=(160, 96), pictures=pictures)
    them = [Performance(f"p{number}", tmp_path / f"p{number}.mp4") for number in range(6)]
    backbone = build(str(shared / "weights" / "mobilenet_v2"))
    exact, half = (FeatureStore(tmp_path / precision, create=True) for precision in ("float32", "bfloat16"))
    for store, precision in ((exact, "float32"), (half, "bfloat16")):
        extract(them, store, [backbone], compute=Compute(device="cpu", precision=precision))
    pairs = [Pair(f"p{a}", f"p{b}") for a in range(6) for b in range(a)]
    model = Model(train_from_store(exact, pairs, name="rough or fine", plan=Plan(steps=40, members=1)))
    scores = np.array([[model.assess(store.read(p.id)).score for p in them] for store in (exact, half)])
    assert np.ptp(scores[0]) > 0.1
    assert np.abs(scores[0] - scores[1]).max() < 0.1 * scores[0].std()
    assert np.abs(scores[0] - scores[1]).max() > 0
