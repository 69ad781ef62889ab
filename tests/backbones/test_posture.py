import cv2
import numpy as np
import pytest
from backbone_figures import FPS, HEIGHT, WIDTH, describe, stick_figure, texture

from toprock.backbones import build
from toprock.backbones.base import Frame
from toprock.backbones.posture_descriptor import DIMENSION, describe_posture
from toprock.backbones.silhouette import find_silhouette

UPRIGHT = [((0.0, -0.5), (0.0, 0.5))]
LYING = [((-0.5, 0.0), (0.5, 0.0))]
TILTED = [((-0.35, 0.35), (0.35, -0.35))]
STAR = [
    ((0.0, -0.4), (0.0, 0.1)),
    ((0.0, -0.2), (-0.45, -0.45)),
    ((0.0, -0.2), (0.45, -0.45)),
    ((0.0, 0.1), (-0.3, 0.5)),
    ((0.0, 0.1), (0.3, 0.5)),
]
CROUCH = [
    ((-0.12, -0.1), (0.12, 0.1)),
    ((0.12, 0.1), (-0.1, 0.2)),
    ((-0.12, -0.1), (-0.05, 0.15)),
    ((0, 0), (0.1, -0.1)),
]


def vector(picture):
    return describe_posture(picture, find_silhouette(picture))


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def edge_directions(picture):
    """Energy of the performer by direction of the gradient, 0 to 90 degrees from level (mirrored alike)."""
    return vector(picture)[:5]


def lies(picture):
    return vector(picture)[-24 + 7]


def test_silhouette_is_where_the_figure_is():
    picture = stick_figure(STAR, centre=(0.6, 0.5), size=0.5)
    truth = cv2.resize((picture[..., 0] > 150).astype(np.uint8), find_silhouette(picture).mask.shape[::-1])
    found = find_silhouette(picture).mask
    overlap = (found & truth).sum() / (found | truth).sum()
    assert overlap > 0.6


@pytest.mark.parametrize("kind", ["noise", "stripes", "gradient"])
def test_silhouette_on_places_with_a_pattern(kind):
    place = {
        "noise": texture(1, contrast=12.0),
        "stripes": np.broadcast_to((100 + 40 * (np.arange(WIDTH) % 16 < 8))[None, :, None], (HEIGHT, WIDTH, 3)).astype(
            np.uint8
        ),
        "gradient": np.broadcast_to(np.linspace(40, 160, HEIGHT)[:, None, None], (HEIGHT, WIDTH, 3)).astype(np.uint8),
    }[kind]
    figure = stick_figure(STAR, ground=(0, 0, 0), colour=(220, 60, 40))
    inside = figure[..., 0] > 100
    picture = np.where(inside[..., None], figure, place)
    silhouette = find_silhouette(picture)
    truth = cv2.resize(inside.astype(np.uint8), silhouette.mask.shape[::-1])
    assert (silhouette.mask & truth).sum() / (silhouette.mask | truth).sum() > 0.5


def test_upright_tilted_and_lying_bars_are_told_apart():
    upright, tilted, lying = (edge_directions(stick_figure(bar)) for bar in (UPRIGHT, TILTED, LYING))
    assert np.argmax(upright) == 0  # gradient along x
    assert np.argmax(tilted) == 2  # 45 degrees
    assert np.argmax(lying) == 4
    assert lies(stick_figure(UPRIGHT)) < -0.5 < abs(lies(stick_figure(TILTED))) < 0.5 < lies(stick_figure(LYING))


def test_a_compact_posture_differs_from_an_extended_one():
    extended, compact = (vector(stick_figure(figure))[-24:] for figure in (STAR, CROUCH))
    solidity = 13
    assert extended[solidity] < 0.6 < compact[solidity]
    assert extended[20] > 1.5 * compact[20]  # height in the picture


def test_another_place_size_or_colour_changes_less_than_another_posture():
    reference = vector(stick_figure(STAR))
    same = [
        stick_figure(STAR, centre=(0.6, 0.5)),
        stick_figure(STAR, size=0.45),
        stick_figure(STAR, size=0.8, centre=(0.9, 0.5)),
        stick_figure(STAR, colour=(40, 60, 190)),
        stick_figure(STAR, colour=(240, 240, 230), ground=(30, 40, 30)),
    ]
    others = [vector(stick_figure(figure)) for figure in (UPRIGHT, LYING, TILTED, CROUCH)]
    nearest_other = max(cosine(reference, other) for other in others)
    for picture in same:
        assert cosine(reference, vector(picture)) > 0.93
        assert cosine(reference, vector(picture)) > nearest_other + 0.05


def test_a_mirror_image_is_the_same_posture():
    picture = stick_figure(TILTED, centre=(0.7, 0.5))
    assert cosine(vector(picture), vector(picture[:, ::-1])) > 0.995


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((HEIGHT, WIDTH, 3), np.uint8),
        np.full((HEIGHT, WIDTH, 3), 255, np.uint8),
        texture(0, contrast=100.0),
        np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8),
        texture(0, width=72, height=128),
        texture(0, width=16, height=400),
        texture(0, width=400, height=16),
    ],
    ids=["black", "white", "texture", "noise", "portrait", "sliver", "strip"],
)
def test_any_picture_has_a_finite_descriptor(picture):
    found = vector(picture)
    assert found.shape == (DIMENSION,)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert np.abs(found).max() < 50


def test_segments_tile_the_time_and_meet_at_cuts():
    times = [0.1, 0.3, 0.4, 1.0, 1.2]
    pictures = [stick_figure(STAR if k < 3 else LYING) for k in range(5)]
    frames = [Frame(t, picture) for t, picture in zip(times, pictures, strict=True)]
    segments = describe(build("posture"), frames, cuts=[3], end_s=1.5)
    spans = [(s.start_s, s.end_s) for s in segments]
    flat = [value for span in spans for value in span]
    assert flat == pytest.approx([0.1, 0.2, 0.2, 0.35, 0.35, 1.0, 1.0, 1.1, 1.1, 1.5])


def test_a_frame_is_described_without_the_others():
    alone = describe(build("posture"), [Frame(0.0, stick_figure(STAR))])[0]
    among = describe(build("posture"), [Frame(k / FPS, stick_figure(f)) for k, f in enumerate((LYING, STAR, CROUCH))])[
        1
    ]
    assert np.array_equal(alone.vector, among.vector)
