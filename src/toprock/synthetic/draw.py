"""Pictures of a performance: the body as layered, shaded limbs with a shadow on the floor of a place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from toprock.synthetic.body import JOINT, Proportions
from toprock.synthetic.choreography import FPS, Choreography, choreograph
from toprock.synthetic.scene import Background, Camera, Colour

_SHIFT = 4  # fractional bits of cv2's coordinates
_ARC = 7  # points of each round end
_RIM = 0.9  # pixels of dark outline
# name: (from, to, radius there, radius here, part of the wardrobe)
_PIECES: tuple[tuple[str, str, float, float, str], ...] = (
    *(
        piece
        for side in ("left", "right")
        for piece in (
            (f"hip_{side}", f"knee_{side}", 0.062, 0.044, "trousers"),
            (f"knee_{side}", f"ankle_{side}", 0.044, 0.030, "shins"),
            (f"ankle_{side}", f"toe_{side}", 0.031, 0.024, "shoes"),
            (f"shoulder_{side}", f"elbow_{side}", 0.043, 0.032, "sleeves"),
            (f"elbow_{side}", f"wrist_{side}", 0.031, 0.022, "forearms"),
            (f"wrist_{side}", f"hand_{side}", 0.022, 0.018, "hands"),
        )
    ),
    ("chest", "neck", 0.034, 0.030, "skin"),
)


@dataclass(frozen=True)
class Look:
    """Colours (RGB 0..255) of a performer's wardrobe, and the direction that light comes from."""

    wardrobe: dict[str, Colour]
    hair: Colour
    hat: bool
    light: tuple[float, float]

    @classmethod
    def draw(cls, rng: np.random.Generator, wall_luma: float, tint: np.ndarray) -> Look:
        """A look in light of colour `tint` (3,), told apart from a wall of mean brightness `wall_luma`."""

        def cloth() -> Colour:
            for _ in range(12):
                hsv = np.array([[[rng.uniform(0, 360), rng.uniform(0, 0.9), rng.uniform(0.12, 1.0)]]], np.float32)
                colour = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0] * 235
                if abs(float(colour.mean()) - wall_luma) > 45:
                    break
            return _colour(colour * tint)

        def scaled(colour: Colour, factor: float) -> Colour:
            return (colour[0] * factor, colour[1] * factor, colour[2] * factor)

        skin = _colour(np.array([236, 188, 158]) * rng.uniform(0.38, 1.0) * tint)
        top, trousers, shoes = cloth(), cloth(), cloth()
        long_sleeves, shorts = rng.uniform() < 0.4, rng.uniform() < 0.25
        wardrobe = {
            "top": top,
            "trousers": trousers,
            "shins": skin if shorts else scaled(trousers, 0.93),
            "shoes": shoes,
            "sleeves": scaled(top, 0.95),
            "forearms": scaled(top, 0.92) if long_sleeves else skin,
            "hands": skin,
            "skin": skin,
        }
        angle = rng.uniform(-2.6, -0.5)
        hair = cloth() if rng.uniform() < 0.4 else scaled((70.0, 48.0, 34.0), rng.uniform(0.3, 1.6))
        return cls(wardrobe, hair, bool(rng.uniform() < 0.4), (float(np.cos(angle)), float(np.sin(angle))))


def draw_proportions(rng: np.random.Generator) -> Proportions:
    """A new performer's body."""
    legs, arms = rng.normal(1, 0.05), rng.normal(1, 0.05)
    base = Proportions()
    return Proportions(
        thigh=base.thigh * legs * rng.normal(1, 0.03),
        shin=base.shin * legs * rng.normal(1, 0.03),
        torso=base.torso * rng.normal(1, 0.05),
        head=base.head * rng.normal(1, 0.06),
        upper_arm=base.upper_arm * arms,
        forearm=base.forearm * arms,
        shoulders=base.shoulders * rng.normal(1, 0.08),
        hips=base.hips * rng.normal(1, 0.08),
        girth=float(np.clip(rng.normal(1.05, 0.14), 0.8, 1.4)),
    )


def draw_performance(
    seed: int, index: int, *, numbers: Iterable[int] | None = None
) -> tuple[Choreography, Iterator[np.ndarray]]:
    """The plan number `index` of `seed` and its frames, each (192, 256, 3) uint8 RGB, at 20 a second.

    `numbers` asks for these frames alone.

    >>> plan, frames = draw_performance(1, 0)
    >>> next(frames).shape
    (192, 256, 3)
    """
    plan, body = choreograph(seed, index), draw_proportions_of(seed, index)
    rng = np.random.default_rng(np.random.SeedSequence([seed, index, 10]))
    return plan, draw_frames(plan.joints(body), rng, body, numbers)


def draw_proportions_of(seed: int, index: int) -> Proportions:
    """The body of performer `index` of `seed`."""
    return draw_proportions(np.random.default_rng(np.random.SeedSequence([seed, index, 11])))


def draw_frames(
    joints: np.ndarray, rng: np.random.Generator, body: Proportions, numbers: Iterable[int] | None = None
) -> Iterator[np.ndarray]:
    """Frames of joints (T, 20, 3) with place, camera and look drawn from `rng`; only `numbers` if given."""
    camera = Camera.draw(rng, len(joints), FPS)
    tint = rng.uniform(0.85, 1.1) * rng.uniform(0.94, 1.06, 3)
    background = Background(rng, camera, tint)
    figure = Figure(joints, camera, Look.draw(rng, background.wall_luma(), tint), body)
    for number in range(len(joints)) if numbers is None else numbers:
        picture = background.frame(number)
        figure.paint(picture, number)
        yield picture


class Figure:
    """All polygons of a performance, computed at once; painted frame by frame from far to near."""

    def __init__(self, joints: np.ndarray, camera: Camera, look: Look, body: Proportions) -> None:
        cv2.setNumThreads(1)
        self._look = look
        pixels, depth, scale = camera.project(joints)
        start = [JOINT[piece[0]] for piece in _PIECES]
        end = [JOINT[piece[1]] for piece in _PIECES]
        radii = np.array([piece[2:4] for piece in _PIECES]) * body.girth
        first, last = pixels[:, start], pixels[:, end]
        r0, r1 = radii[:, 0] * scale[:, start], radii[:, 1] * scale[:, end]
        light = np.array(look.light)
        self._rims = _capsules(first, last, r0 + _RIM, r1 + _RIM)
        self._fills = _capsules(first, last, r0, r1)
        self._shines = _capsules(
            first + 0.3 * r0[..., None] * light, last + 0.3 * r1[..., None] * light, 0.5 * r0, 0.5 * r1
        )
        piece_depth = (depth[:, start] + depth[:, end]) / 2
        head = JOINT["head"]
        trunk_depth = (depth[:, JOINT["pelvis"]] + depth[:, JOINT["chest"]]) / 2
        order_depth = np.concatenate([piece_depth, trunk_depth[:, None], depth[:, [head]]], axis=1)
        self._order = np.argsort(order_depth, axis=1)
        self._colours = [_shades(look.wardrobe[piece[4]]) for piece in _PIECES]
        self._trunk = _trunk_points(pixels, scale, body)
        self._trunk_shine = self._trunk + (0.018 * camera.scale * light).astype(np.float32)
        self._heads = pixels[:, head]
        self._necks = pixels[:, JOINT["neck"]]
        self._radius = body.head * scale[:, head]
        across = joints[:, JOINT["shoulder_left"]] - joints[:, JOINT["shoulder_right"]]
        crown = joints[:, head] - joints[:, JOINT["neck"]]
        front = np.cross(across, crown)
        front /= np.maximum(np.linalg.norm(front, axis=1, keepdims=True), 1e-6)
        gaze = joints[:, head] + body.head * front
        ahead, ahead_depth, _ = camera.project(gaze[:, None])
        self._gaze = ahead[:, 0] - self._heads
        self._towards = (ahead_depth[:, 0] - depth[:, head]) / body.head  # 1 looks into the camera
        self._shadow = self._shadow_polygons(joints, camera)

    def paint(self, picture: np.ndarray, number: int) -> None:
        """Draw frame `number` into `picture`."""
        self._paint_shadow(picture, number)
        pieces = len(_PIECES)
        for part in self._order[number]:
            if part < pieces:
                rim, fill, shine = self._colours[part]
                cv2.fillConvexPoly(picture, self._rims[number, part], rim, cv2.LINE_AA, _SHIFT)
                cv2.fillConvexPoly(picture, self._fills[number, part], fill, cv2.LINE_AA, _SHIFT)
                cv2.fillConvexPoly(picture, self._shines[number, part], shine, cv2.LINE_AA, _SHIFT)
            elif part == pieces:
                self._paint_trunk(picture, number)
            else:
                self._paint_head(picture, number)

    def _paint_trunk(self, picture: np.ndarray, number: int) -> None:
        rim, fill, shine = _shades(self._look.wardrobe["top"])
        hull = cv2.convexHull(self._trunk[number])[:, 0]
        centre = hull.mean(axis=0)
        for scale, offset, colour in ((1.0, 0.0, rim), (0.93, 0.0, fill), (0.5, 0.12, shine)):
            shift = offset * np.array(self._look.light) * np.ptp(hull, axis=0)
            cv2.fillConvexPoly(picture, _fixed((hull - centre) * scale + centre + shift), colour, cv2.LINE_AA, _SHIFT)

    def _paint_head(self, picture: np.ndarray, number: int) -> None:
        radius, towards = float(self._radius[number]), float(self._towards[number])
        centre, gaze = self._heads[number], self._gaze[number]
        up = centre - self._necks[number]
        up = up / max(float(np.hypot(*up)), 1e-3)
        skin, hair = _shades(self._look.wardrobe["skin"]), _shades(self._look.hair)
        _disc(picture, centre, radius + _RIM, hair[0])
        _disc(picture, centre, radius, hair[1])
        visible = 0.86 * radius * float(np.clip(0.75 + 0.55 * towards, 0, 1))
        if visible > 1:
            face = centre + 0.3 * gaze - 0.16 * radius * up
            _disc(picture, face, visible, skin[1])
            _disc(picture, face + 0.2 * visible * np.array(self._look.light), 0.5 * visible, skin[2])
        if self._look.hat:
            brim = centre + 0.42 * radius * up
            _line(picture, brim - 0.3 * gaze, brim + 1.05 * gaze, hair[0], 3)
            _disc(picture, centre + 0.36 * radius * up, 0.86 * radius, hair[1])
            _disc(picture, centre + 0.5 * radius * up, 0.4 * radius, hair[2])

    def _shadow_polygons(self, joints: np.ndarray, camera: Camera) -> np.ndarray:
        flat = joints.copy()
        flat[..., 0] -= 0.35 * flat[..., 1] * self._look.light[0]
        flat[..., 1] = 0.0
        return camera.project(flat)[0]

    def _paint_shadow(self, picture: np.ndarray, number: int) -> None:
        points = self._shadow[number]
        low, high = np.floor(points.min(axis=0)) - 14, np.ceil(points.max(axis=0)) + 14
        left, top = max(int(low[0]), 0), max(int(low[1]), 0)
        right, bottom = min(int(high[0]), picture.shape[1]), min(int(high[1]), picture.shape[0])
        if right - left < 4 or bottom - top < 4:
            return
        mask = np.full((bottom - top, right - left), 255, np.uint8)
        local = np.round((points - (left, top)) * (1 << _SHIFT)).astype(np.int32)
        for chain in _SHADOW_CHAINS:
            cv2.polylines(mask, [local[chain]], False, 120, 9, cv2.LINE_8, _SHIFT)
        mask = cv2.blur(cv2.blur(mask, (9, 5)), (7, 5))
        region = picture[top:bottom, left:right]
        cv2.multiply(region, cv2.merge([mask, mask, mask]), dst=region, scale=1 / 255)


_SHADOW_CHAINS = tuple(
    np.array([JOINT[name] for name in chain])
    for side in ("left", "right")
    for chain in (
        (f"hand_{side}", f"elbow_{side}", f"shoulder_{side}", "chest", "pelvis"),
        (f"toe_{side}", f"ankle_{side}", f"knee_{side}", "pelvis", "chest", "head"),
    )
)


def _shades(colour: Colour) -> tuple[Colour, Colour, Colour]:
    """Rim, fill and highlight of a material."""
    r, g, b = colour
    return (
        (r * 0.38, g * 0.38, b * 0.42),
        (r * 0.86, g * 0.86, b * 0.86),
        (min(r * 1.1 + 12, 255), min(g * 1.1 + 12, 255), min(b * 1.1 + 12, 255)),
    )


def _colour(values: np.ndarray) -> Colour:
    r, g, b = np.clip(values, 0, 255)
    return (float(r), float(g), float(b))


def _fixed(points: np.ndarray) -> np.ndarray:
    return np.round(points * (1 << _SHIFT)).astype(np.int32)


def _disc(picture: np.ndarray, centre: np.ndarray, radius: float, colour: Colour) -> None:
    x, y = (round(float(value) * (1 << _SHIFT)) for value in centre)
    cv2.circle(picture, (x, y), round(radius * (1 << _SHIFT)), colour, -1, cv2.LINE_AA, _SHIFT)


def _line(picture: np.ndarray, start: np.ndarray, end: np.ndarray, colour: Colour, width: int) -> None:
    points = _fixed(np.stack([start, end]))
    cv2.line(picture, points[0].tolist(), points[1].tolist(), colour, width, cv2.LINE_AA, _SHIFT)


def _capsules(first: np.ndarray, last: np.ndarray, r0: np.ndarray, r1: np.ndarray) -> np.ndarray:
    """Tapered limbs with round ends: fixed-point polygons (T, N, 2 * arc, 2) from ends and radii (T, N)."""
    along = last - first
    heading = np.arctan2(along[..., 1], along[..., 0])[..., None]
    half = np.linspace(np.pi / 2, 3 * np.pi / 2, _ARC)
    back = np.stack([np.cos(heading + half), np.sin(heading + half)], axis=-1)
    polygon = np.concatenate(
        [first[..., None, :] + r0[..., None, None] * back, last[..., None, :] - r1[..., None, None] * back],
        axis=-2,
    )
    return _fixed(polygon)


def _trunk_points(pixels: np.ndarray, scale: np.ndarray, body: Proportions) -> np.ndarray:
    """Points (T, N, 2) whose convex hull is the trunk."""
    circle = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    ring = np.stack([np.cos(circle), np.sin(circle)], axis=-1)
    parts = []
    for name, radius in (
        ("hip_left", 0.055),
        ("hip_right", 0.055),
        ("shoulder_left", 0.042),
        ("shoulder_right", 0.042),
    ):
        joint = JOINT[name]
        parts.append(pixels[:, joint, None] + radius * body.girth * scale[:, joint, None, None] * ring)
    return np.concatenate(parts, axis=1).astype(np.float32)
