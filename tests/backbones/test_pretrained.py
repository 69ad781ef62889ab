"""Pretrained backbones: real loading code on small checkpoints of every kind, and on real weights where they lie."""

import itertools
import json

import numpy as np
import pytest
import torch
from checkpoints import KINDS, pictures

from toprock.backbones import build
from toprock.backbones.base import Compute, FollowingBackbone, Frame, NetworkBackbone
from toprock.backbones.pretrained import read_checkpoint
from toprock.backbones.pretrained.families import FAMILIES
from toprock.backbones.pretrained.network import TransformersNetwork, load_model
from toprock.errors import ComputeError, ToprockError, UsageError, WeightsError
from toprock.features.recipe import Recipe

PLAIN = Compute(device="cpu", precision="float32")


@pytest.fixture
def mobilenet(shared):
    return shared / "weights" / "mobilenet_v2"


def shown(backbone, images, rate_hz=10.0):
    """The segments that a backbone makes of pictures, in one shot."""
    describer, out = backbone.describer(), []
    for number, image in enumerate(images):
        out += describer.push(Frame(number / rate_hz, image), new_shot=number == 0)
    return out + describer.finish(len(images) / rate_hz)


def test_every_family_has_a_small_checkpoint():
    assert set(KINDS) == {kind for kind in FAMILIES if not kind.endswith("_vision_model")}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_features_equal_those_of_the_librarys_own_model(kind, checkpoints):
    backbone = build(str(checkpoints(kind)), rate_hz=10)
    segments = shown(backbone, pictures(8))
    network = backbone.open(PLAIN)
    found = network.launch([segment.vector for segment in segments])()
    assert found.shape == (len(segments), backbone.spec.dimension)
    checkpoint = read_checkpoint(checkpoints(kind))
    family, p = checkpoint.family, checkpoint.preparation
    model = load_model(checkpoint)
    pixels = torch.from_numpy(np.stack([segment.vector for segment in segments])).double()
    ready = ((pixels * p.scale + p.offset - torch.tensor(p.mean)) / torch.tensor(p.std)).movedim(-1, -3).float()
    with torch.no_grad():
        out = model(**{family.argument: ready}, **(family.options or {}))
    wanted = family.features(out).flatten(1).numpy()
    cosine = (found * wanted).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(wanted, axis=1)
    assert cosine.min() >= 0.9999
    half = backbone.open(Compute(device="cpu", precision="bfloat16")).launch([s.vector for s in segments])()
    cosine = (half * wanted).sum(1) / np.linalg.norm(half, axis=1) / np.linalg.norm(wanted, axis=1)
    assert cosine.min() >= 0.999


@pytest.mark.parametrize("crop", ["middle", "performer"])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_segments_tile_the_time_and_a_recipe_makes_the_backbone_again(kind, crop, checkpoints, shared):
    pose = {"pose": str(shared / "weights" / "movenet")} if crop == "performer" else {}
    backbone = build(str(checkpoints(kind)), crop=crop, **pose)
    assert isinstance(backbone, NetworkBackbone)
    assert isinstance(backbone, FollowingBackbone)
    segments = shown(backbone, pictures(30), rate_hz=backbone.reading.rate_hz)
    assert segments[0].start_s == 0
    assert all(a.end_s >= b.start_s - 1e-6 for a, b in itertools.pairwise(segments))
    assert segments[-1].end_s == pytest.approx(30 / backbone.reading.rate_hz)
    assert {segment.vector.dtype for segment in segments} == {np.dtype(np.uint8)}
    assert len({segment.vector.shape for segment in segments}) == 1
    recipe = Recipe.from_json(json.loads(json.dumps(Recipe.of(backbone).to_json())))
    assert recipe.build() == backbone
    assert recipe == Recipe.of(backbone)
    assert str(checkpoints(kind)) not in json.dumps(dict(recipe.settings))


def test_batches_do_not_change_features_and_shrink_when_memory_runs_out(checkpoints, monkeypatch):
    backbone = build(str(checkpoints("dinov2")))
    network = backbone.open(PLAIN)
    inputs = [segment.vector for segment in shown(backbone, pictures(10), rate_hz=2)]
    whole = network.launch(inputs)()
    alone = np.concatenate([network.launch([one])() for one in inputs])
    assert np.abs(whole - alone).max() < 1e-5
    forward, seen = network._forward, []

    def short_of_memory(now):
        seen.append(len(now))
        if len(now) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return forward(now)

    monkeypatch.setattr(network, "_forward", short_of_memory)
    assert np.array_equal(network.launch(inputs)(), np.concatenate([whole])) or np.allclose(
        network.launch(inputs)(), whole, atol=1e-5
    )
    assert seen[:3] == [8, 4, 2]
    assert network.batch == 2
    monkeypatch.setattr(network, "_forward", lambda now: (_ for _ in ()).throw(MemoryError()))
    before = torch.get_num_threads()
    with pytest.raises(ToprockError, match=r"not memory enough for one segment"):
        network.launch(inputs)
    assert torch.get_num_threads() == before


def test_trying_out_how_to_compute_leaves_the_process_as_it_was(checkpoints):
    torch.manual_seed(0)
    wanted = torch.rand(1)
    torch.manual_seed(0)
    before = torch.get_num_threads()
    build(str(checkpoints("resnet"))).open(Compute(device="cpu"))
    assert torch.equal(torch.rand(1), wanted)
    assert torch.get_num_threads() == before


def test_want_of_memory_while_trying_out_is_called_so(checkpoints, monkeypatch):
    def short(self, pixels, pace):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.setattr(TransformersNetwork, "_features", short)
    with pytest.raises(ComputeError, match=r"not memory enough for one segment in dinov2"):
        build(str(checkpoints("dinov2"))).open(PLAIN)


def test_features_that_are_no_numbers_are_refused(checkpoints):
    backbone = build(str(checkpoints("dinov2")))
    network = backbone.open(PLAIN)
    assert isinstance(network, TransformersNetwork)
    next(network._model.parameters()).data.fill_(float("nan"))
    with pytest.raises(WeightsError, match=r"features that are no numbers"):
        network.launch([np.zeros((32, 32, 3), np.uint8)])()


def test_there_is_no_cuda_on_a_machine_without(checkpoints):
    if torch.cuda.is_available():
        pytest.skip("this machine has an accelerator")
    with pytest.raises(ToprockError, match=r"there is no CUDA device here"):
        build(str(checkpoints("dinov2"))).open(Compute(device="cuda"))
    with pytest.raises(UsageError, match=r"there is no precision 'half'"):
        Compute(precision="half")


def test_temporal_pools_frames_differences_and_rhythm(checkpoints):
    image = build(str(checkpoints("dinov2")))
    backbone = build("temporal", image=str(checkpoints("dinov2")))
    assert backbone.spec.dimension == 2 * 32 + 6
    still, moving = pictures(1).repeat(8, 0), pictures(8)
    clips = [shown(backbone, images, rate_hz=7.5)[0].vector for images in (still, moving)]
    quiet, lively = backbone.open(PLAIN).launch(clips)()
    frames = image.open(PLAIN).launch(list(clips[1]))()
    assert np.allclose(lively[:32], frames.mean(0), atol=1e-4)
    assert np.allclose(lively[32:64], np.abs(np.diff(frames, axis=0)).mean(0), atol=1e-4)
    assert np.abs(quiet[32:67]).max() < 1e-4
    assert lively[64] > 0.02
    assert Recipe.of(backbone).build() == backbone


def test_real_weights_see_what_is_in_a_picture(mobilenet, shared):
    """A squatting person is called a dumbbell by this network, as its README says of the picture."""
    import cv2
    from transformers import MobileNetV2ForImageClassification

    backbone = build(str(mobilenet))
    assert backbone.spec.dimension == 1280
    picture = cv2.cvtColor(cv2.imread(str(shared / "weights" / "movenet" / "squat.bmp")), cv2.COLOR_BGR2RGB)
    squeezed = cv2.resize(picture, (224, 224), interpolation=cv2.INTER_AREA)
    features = backbone.open(PLAIN).launch([squeezed])()
    whole = MobileNetV2ForImageClassification.from_pretrained(mobilenet).eval()
    with torch.no_grad():
        logits = whole.classifier(torch.from_numpy(features))
    assert whole.config.id2label[int(logits.argmax())] == "dumbbell"
