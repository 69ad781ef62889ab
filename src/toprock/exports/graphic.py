"""The lower third: a slim panel with the running score and the evidence of the whole performance, and a badge.

It shows measured quantities alone: the score as far as it has come (that of a typical performance, and what every
segment has contributed up to now), how far that is from typical, contributions per second above and below zero, and
the best and worst moments. What makes a score less worth than it looks is told first, and marked to the end. Colours
are the report's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from toprock.assess import Moment
from toprock.exports.item import Item, one_line
from toprock.exports.layer import Colour, Layer, Overlay, bars, lay_text, placed
from toprock.exports.layout import Axis, Layout, Place
from toprock.exports.lettering import BOLD, MEDIUM, Lettering
from toprock.report.drawing import Scale
from toprock.report.figures import decimals_for, show, sign, units
from toprock.report.timeline import Timeline, clock

PANEL, INK, SOFT, ON_FILL = (11, 21, 38), (245, 248, 255), (169, 187, 214), (6, 16, 28)
UP, DOWN = (67, 220, 174), (255, 154, 102)
_PANEL_COVER, _AHEAD = 0.88, 0.4  # how much the panel hides, and how bright is what is yet to come
_BADGE_S, _FADE_S = 1.2, 0.16  # a badge stays long enough to be read, however short its moment
_NOTE_S = 6.0  # for how long cautions can be read


class LowerThird:
    """The graphic of one performance, to draw into its pictures.

    Args:
        item: the performance.
        size: width and height of the pictures, in pixels.
        spans: of the video, in seconds, that are shown one after the other.
        lettering: draws the text.

    Attributes:
        layout: where everything is.

    >>> battle = Item(toprock.load("model").assess("battle.mp4"))
    >>> LowerThird(battle, (640, 360), [(0.0, 10.0)]).draw(np.zeros((360, 640, 3), np.uint8), 2.5).shape
    (360, 640, 3)
    """

    def __init__(
        self,
        item: Item,
        size: tuple[int, int],
        spans: Sequence[tuple[float, float]],
        *,
        lettering: Lettering | None = None,
    ) -> None:
        self.layout = Layout.of(*size)
        self._axis = Axis(spans)
        self._letters = lettering or Lettering()
        self._assessment = item.assessment
        self._decimals = decimals_for([item.assessment.score, item.assessment.bias])
        self._net = Timeline.of(item.assessment.segments).net
        self._small, self._large = max(14 * self.layout.unit, 11.0), 34 * self.layout.unit
        self._typical = " typical"
        if not self._room_for_all():
            self._typical = ""
        ahead, behind = (self._panel(item, brightness) for brightness in (_AHEAD, 1.0))
        self._ahead, self._behind = ahead, behind
        self._head = self._playhead()
        self._label_size = max(18 * self.layout.unit, 13.0)
        self._note = self._cautions()
        self._badges = [(*_shown(moment, item.moments), self._badge(item, moment)) for moment in item.moments]

    def position(self, time_s: float) -> int:
        """The column of the picture at which the playhead stands."""
        left, _, right, _ = self.layout.chart
        return left + round((right - left) * self._axis.along(time_s) / max(self._axis.length_s, 1e-9))

    def score(self, time_s: float) -> float:
        """The score as far as it has come by then: the bias, and all contributions up to that time."""
        return self._assessment.bias + self._net.between(-np.inf, time_s)

    def draw(self, picture: np.ndarray, time_s: float) -> np.ndarray:
        """A copy of the picture (height, width, 3) uint8 at that time of the video, with the graphic in it."""
        picture = picture.copy()
        left, top, right, bottom = self.layout.panel
        head = self.position(time_s)
        panel = picture[top:bottom, left:right]
        self._behind.over(panel, slice(0, head - left))
        self._ahead.over(panel, slice(head - left, None))
        _, chart_top, _, _ = self.layout.chart
        lay_text(picture, self._head, INK, head - self._head.shape[1] // 2, chart_top - round(5 * self.layout.unit))
        self._figures(picture, time_s)
        x, base = self.layout.badge
        for start_s, end_s, badge in self._badges:
            if start_s <= time_s < end_s:
                shown = min(1.0, (time_s - start_s) / _FADE_S, (end_s - time_s) / _FADE_S)
                badge.over(picture[base - badge.height : base, x : x + badge.width], opacity=shown)
        left_s = _NOTE_S - self._axis.along(time_s)
        base -= round(2 * self._label_size + 8 * self.layout.unit)
        if self._note is not None and left_s > 0 and base >= self._note.height:
            part = picture[base - self._note.height : base, x : x + self._note.width]
            self._note.over(part, opacity=min(1.0, left_s / _FADE_S))
        return picture

    def _figures(self, picture: np.ndarray, time_s: float) -> None:
        place = self.layout
        score, against, ahead = self._texts(self.score(time_s))
        beside, room = self._beside(self._write(picture, score, place.score, self._large, BOLD, INK))
        against = self._letters.fitting(against, self._small, MEDIUM, room)
        self._write(picture, against, beside, self._small, MEDIUM, (SOFT, UP, DOWN)[ahead])
        if place.time is not None:
            self._write(picture, clock(time_s), place.time, 22 * place.unit, BOLD, INK)

    def _texts(self, score: float) -> tuple[str, str, int]:
        """A score, how far from typical that is, and to which side of it."""
        value, typical = (units(v, self._decimals) for v in (score, self._assessment.bias))
        ahead = value - typical
        words = f"{show(abs(ahead), self._decimals)} {'above' if ahead > 0 else 'below'}{self._typical}"
        return show(value, self._decimals), words if ahead else "typical", sign(ahead)

    def _beside(self, score_width: int) -> tuple[Place, int]:
        """Where the words beside a score begin, and the room that they have."""
        place, gap = self.layout, round(12 * self.layout.unit)
        if place.score.from_right:
            return place.against, place.score.x - score_width - gap - place.against.x
        start = place.against.x + score_width + gap
        return Place(start, place.against.baseline), place.chart[0] - gap - start

    def _room_for_all(self) -> bool:
        """Whether all words fit beside the longest scores that will come."""
        totals = np.cumsum(self._net.sums(self._net.edges_s)) if len(self._net.edges_s) else np.zeros(1)
        for total in (totals.min(), totals.max()):
            score, against, _ = self._texts(self._assessment.bias + float(total))
            _, room = self._beside(self._letters.width(score, self._large, BOLD))
            if self._letters.width(against, self._small, MEDIUM) > room:
                return False
        return True

    def _write(self, picture: np.ndarray, text: str, place: Place, size: float, weight: int, colour: Colour) -> int:
        """Write a line of text; returns its width in pixels."""
        mask = self._letters.mask(text, size, weight)
        width = mask.shape[1]
        lay_text(picture, mask, colour, place.x - width if place.from_right else place.x, place.baseline - round(size))
        return width

    # ---- what stays

    def _panel(self, item: Item, brightness: float) -> Overlay:
        """The panel with name and evidence; bars and marks as bright as told."""
        place, unit = self.layout, self.layout.unit
        left, top, right, bottom = place.panel
        size = (right - left, bottom - top)
        layer = Layer(*size)
        layer.paint(bars(size, np.array([[0, 0, *size]]), radius=14 * unit), PANEL, _PANEL_COVER)
        chart = np.array(place.chart) - (left, top, left, top)
        up, down, zero = self._bars(chart)
        layer.paint(bars(size, zero), SOFT, 0.35)
        layer.paint(bars(size, up, radius=unit), UP, brightness)
        layer.paint(bars(size, down, radius=unit), DOWN, brightness)
        for kind, colour in (("best", UP), ("worst", DOWN)):
            marks = self._marks(chart, [m for m in item.moments if m.kind == kind])
            layer.paint(bars(size, marks, radius=place.mark / 2), colour, brightness)
        layer.paint(bars(size, self._cuts(chart)), SOFT, 0.7)
        name_top, name_left = place.name.baseline - top - round(self._small), place.name.x - left
        if item.assessment.cautions:
            mark = self._letters.mask("!", self._small, BOLD)
            layer.paint(placed(mark, size, name_left, name_top), DOWN)
            name_left += mark.shape[1] + round(3 * unit)
        room = place.name.x - left + place.name_width - name_left
        name = self._letters.fitting(one_line(item.name), self._small, BOLD, room)
        layer.paint(placed(self._letters.mask(name, self._small, BOLD), size, name_left, name_top), SOFT)
        return layer.fixed()

    def _bars(self, chart: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(n, 4) boxes above zero, below it, and the line of zero itself."""
        left, top, right, bottom = chart.tolist()
        bottom -= 2 * self.layout.mark
        pitch = max(6 * self.layout.unit, 4.0)
        count = max(1, int((right - left) / pitch))
        along = np.linspace(0.0, self._axis.length_s, count + 1)
        rates = self._net.sums(self._axis.times(along)) / max(along[1], 1e-9)
        scale = Scale.over([rates], bottom - top)
        x = np.linspace(left, right, count + 1)
        y = top + scale.zero - rates * scale.unit
        zero = np.full(count, top + scale.zero)
        gap = (right - left) / count / 3
        boxes = np.stack([x[:-1] + gap / 2, np.minimum(y, zero), x[1:] - gap / 2, np.maximum(y, zero)], axis=1)
        line = np.array([[left, zero[0] - 0.5, right, zero[0] + 0.5]])
        return boxes[rates > 0], boxes[rates < 0], line

    def _marks(self, chart: np.ndarray, moments: Sequence[Moment]) -> np.ndarray:
        """(n, 4) boxes under the bars where moments are."""
        left, _, right, bottom = chart.tolist()
        scale = (right - left) / max(self._axis.length_s, 1e-9)
        ends = [(self._axis.along(m.start_s) * scale, self._axis.along(m.end_s) * scale) for m in moments]
        thick = self.layout.mark
        return np.array([[left + a, bottom - thick, left + max(b, a + thick), bottom] for a, b in ends]).reshape(-1, 4)

    def _cuts(self, chart: np.ndarray) -> np.ndarray:
        """(n, 4) boxes where the video jumps from one span to the next."""
        left, top, right, bottom = chart.tolist()
        cuts = [left + (right - left) * at / max(self._axis.length_s, 1e-9) for at in self._axis.cuts_s]
        half = 0.75 * self.layout.unit
        return np.array([[x - half, top, x + half, bottom] for x in cuts]).reshape(-1, 4)

    def _playhead(self) -> np.ndarray:
        """A line with a knob on top, (height, width) uint8."""
        unit = self.layout.unit
        _, top, _, bottom = self.layout.chart
        knob = round(10 * unit) | 1
        tall, half = bottom - top + round(8 * unit), max(unit, 0.75)
        middle = knob / 2
        boxes = np.array([[middle - half, middle, middle + half, tall], [0, 0, knob, knob]])
        return bars((knob, tall), boxes, radius=knob / 2)

    def _badge(self, item: Item, moment: Moment) -> Overlay:
        size = self._label_size
        rounded = [units(m.contribution, self._decimals) for m in item.moments]
        label = item.label(moment, self._decimals if all(rounded) else None)  # as the score, unless that hides one
        mask = self._letters.mask(label, size, BOLD)
        pad, tall = round(0.85 * size), round(2 * size)
        box = (mask.shape[1] + 2 * pad, tall)
        layer = Layer(*box)
        layer.paint(bars(box, np.array([[0, 0, *box]]), radius=tall / 2), UP if moment.kind == "best" else DOWN)
        layer.paint(placed(mask, box, pad, round(0.36 * size)), ON_FILL)
        return layer.fixed()

    def _cautions(self) -> Overlay | None:
        """What is said first of a score that is less worth than it looks: its gravest two cautions."""
        left, _, right, _ = self.layout.panel
        size, pad = self._small, round(12 * self.layout.unit)
        width = min(right - left, round(720 * self.layout.unit)) - 2 * pad
        lines = [
            line
            for caution in self._assessment.cautions[:2]
            for line in self._letters.wrapped(f"! {caution.text}", size, MEDIUM, width, most=4)
        ]
        if not lines:
            return None
        step = round(1.4 * size)
        box = (max(self._letters.width(line, size, MEDIUM) for line in lines) + 2 * pad + 4, step * len(lines) + pad)
        layer = Layer(*box)
        layer.paint(bars(box, np.array([[0, 0, *box]]), radius=10 * self.layout.unit), PANEL, _PANEL_COVER)
        for number, line in enumerate(lines):
            mask = self._letters.mask(line, size, MEDIUM)
            layer.paint(placed(mask, box, pad, pad // 2 + step * number), INK)
        return layer.fixed()


def _shown(moment: Moment, moments: Sequence[Moment]) -> tuple[float, float]:
    """From when to when its badge is there: at least so long that it can be read, and not into the next moment."""
    after = [m.start_s for m in moments if m.start_s > moment.start_s]
    return moment.start_s, max(moment.end_s, min([moment.start_s + _BADGE_S, *after]))
