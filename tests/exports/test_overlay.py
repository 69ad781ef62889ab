"""The video with its evidence: the panel is where it should be and says what was measured; the rest is untouched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import toprock.report
from toprock.errors import UsageError
from toprock.exports import write_overlay
from toprock.exports.film import SOUND_HZ
from toprock.exports.graphic import DOWN, INK, ON_FILL, PANEL, SOFT, UP, LowerThird
from toprock.exports.layout import Layout
from toprock.exports.lettering import BOLD, MEDIUM, Lettering
from toprock.video import probe, read_frames, read_sound

GREY = 128


def drawn(item, time_s, *, size=(1280, 720), spans=((0.0, 6.0),), **more):
    """The graphic on plain grey."""
    picture = np.full((size[1], size[0], 3), GREY, np.uint8)
    return LowerThird(item, size, spans, **more).draw(picture, time_s)


def near(image, colour, tolerance=24):
    """Where an image has a colour."""
    return (np.abs(image.astype(int) - colour) <= tolerance).all(axis=-1)


def frames_of(path, short_side):
    with read_frames(path, rate_hz=30, short_side=short_side) as frames:
        return list(frames)


def test_only_panel_and_badge_change_the_picture(film_strip, make_item, read_number, tmp_path):
    path = write_overlay(make_item("round-1", film_strip), tmp_path / "overlay.mp4")
    assert probe(path).duration_s == pytest.approx(6.0, abs=0.002)
    source, made = frames_of(film_strip, 360), frames_of(path, 360)
    assert [f.time_s for f in made] == pytest.approx([f.time_s for f in source], abs=1e-3)
    height, width = made[0].image.shape[:2]
    layout = Layout.of(width, height)
    left, top, right, bottom = layout.panel
    above = layout.badge[1] - 40
    for number in (5, 45, 150):
        before, after = source[number].image, made[number].image
        assert read_number(after[:above]) == number
        assert np.abs(before[:above].astype(int) - after[:above]).mean() < 3
        assert np.abs(before[bottom + 2 :].astype(int) - after[bottom + 2 :]).mean() < 6
        assert np.median(after[top + 3 : bottom - 3, left + 3 : right - 3], axis=(0, 1)) == pytest.approx(PANEL, abs=40)
    badge = slice(layout.badge[1] - 24, layout.badge[1])
    assert near(made[45].image[badge], UP).sum() > 500  # 1.5 s: within the best moment
    assert near(made[110].image[badge], DOWN).sum() > 500  # 3.7 s: within the worst one
    assert not near(made[15].image[badge], UP).any() and not near(made[80].image[badge], DOWN).any()


def test_the_playhead_walks_from_one_end_of_the_chart_to_the_other(make_item):
    left, _, right, bottom = Layout.of(1280, 720).chart
    for time_s, x in ((0.0, left), (1.5, left + (right - left) / 4), (6.0, right)):
        image = drawn(make_item(), time_s)
        white = near(image[bottom - 3 : bottom, :], INK).all(axis=0)
        assert np.flatnonzero(white).mean() == pytest.approx(x, abs=2)


def test_evidence_stands_above_or_below_its_line_and_what_is_to_come_is_dimmed(make_item):
    image = drawn(make_item(), 3.0)
    left, top, right, bottom = Layout.of(1280, 720).chart
    middle = (left + right) // 2
    chart = image[top : bottom - 8]
    up, down = near(chart, UP), near(chart, DOWN)
    assert up[:, left : middle - 8].sum() > 1000 and not up[:, middle + 8 : right].any()
    assert not down[:, : middle - 8].any()  # all that lowers the score is yet to come
    dimmed = np.array(PANEL) + 0.4 * (np.array(DOWN) - PANEL)
    assert near(chart[:, middle + 8 : right], dimmed).sum() > 1000
    later = near(drawn(make_item(), 6.0)[top : bottom - 8], DOWN)
    rows_up, rows_down = (np.flatnonzero(mask[:, left:right].any(axis=1)) for mask in (up, later))
    assert rows_up.max() < rows_down.min() + 2
    # -0.2 in half a second against +0.1: twice as far from the line
    assert len(rows_down) == pytest.approx(2 * len(rows_up), abs=3)


def test_the_score_has_come_as_far_as_the_evidence(make_item):
    graphic = LowerThird(make_item(bias=0.5), (1280, 720), [(0.0, 6.0)])
    assert [round(graphic.score(t), 6) for t in (-1.0, 0.0, 1.5, 3.0, 6.0, 9.0)] == [0.5, 0.5, 0.8, 1.1, -0.1, -0.1]
    shown = [drawn(make_item(), t) for t in (0.0, 3.0, 6.0)]
    left, top, _, bottom = Layout.of(1280, 720).panel
    texts = [image[top:bottom, left : left + 290] for image in shown]
    assert [near(text, UP).sum() > 40 for text in texts] == [False, True, False]
    assert [near(text, DOWN).sum() > 40 for text in texts] == [False, False, True]


@pytest.mark.parametrize("size", [(640, 360), (360, 640), (1280, 720)])
def test_long_figures_leave_the_chart_alone(make_item, size):
    layout = Layout.of(*size)
    plain, long = (drawn(make_item(bias=bias), 6.0, size=size) for bias in (0.5, -123456.5))
    left, top, right, bottom = layout.chart
    np.testing.assert_array_equal(*(image[top:bottom, left:right] for image in (plain, long)))


def test_a_cut_performance_is_shown_without_its_gap(film_strip, make_item, read_number, tmp_path):
    item = make_item("a", film_strip, spans=[(1.0, 2.0), (4.0, 5.5)], cut=True)
    path = write_overlay(item, tmp_path / "cut.mp4")
    assert probe(path).duration_s == pytest.approx(2.5, abs=0.002)
    made = frames_of(path, 360)
    top = Layout.of(*made[0].image.shape[1::-1]).badge[1] - 30
    assert [read_number(f.image[:top]) for f in made] == [*range(30, 60), *range(120, 165)]
    graphic = LowerThird(item, (540, 360), [(1.0, 2.0), (4.0, 5.5)])
    left, _, right, _ = graphic.layout.chart
    assert [graphic.position(t) for t in (1.0, 2.0, 3.0, 4.0, 5.5)] == [
        left, *[left + round((right - left) * 0.4)] * 3, right,
    ]  # fmt: skip


def test_sound_is_cut_as_the_pictures_are(make_video, make_item, clicks, tmp_path):
    video = make_video(tmp_path / "loud.mp4", frames=180, size=(96, 64), sound=clicks([1.5, 3.0, 5.0], 6.0))
    item = make_item("a", video, spans=[(1.0, 2.0), (4.0, 5.5)], cut=True)
    path = write_overlay(item, tmp_path / "cut.mp4")
    pieces = list(read_sound(path, rate_hz=SOUND_HZ))
    heard = np.concatenate([piece.samples for piece in pieces])
    loud = np.flatnonzero(np.abs(heard) > 0.1) / SOUND_HZ + pieces[0].time_s
    starts = [t for t, last in zip(loud, [-1, *loud], strict=False) if t - last > 0.2]
    assert starts == pytest.approx([0.5, 2.0], abs=0.01)
    assert probe(path).duration_s == pytest.approx(2.5, abs=0.002)


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (360, 640), (480, 360), (120, 3840), (3840, 120)])
def test_everything_lies_in_the_panel_and_the_panel_in_the_picture(make_item, size):
    layout = Layout.of(*size)
    left, top, right, bottom = layout.panel
    assert 0 <= left < right <= size[0] and 0 <= top < bottom <= size[1]
    assert left < layout.chart[0] < layout.chart[2] < right and top < layout.chart[1] < layout.chart[3] < bottom
    image = drawn(make_item(performer="A very long name that never ends " * 9), 1.5, size=size)
    image[top:bottom, left:right] = GREY
    x, base = layout.badge
    image[max(0, base - round(2 * max(18 * layout.unit, 13))) : base, x:] = GREY
    assert (image == GREY).all()


@pytest.mark.parametrize("performer", ["試合 ünï 🕺", "\x1b[31m\nline", "\ud800", "مرحبا", "a" * 5000, "%s{x}"])
@pytest.mark.parametrize("typeface", [True, False])
def test_any_name_can_be_drawn(make_item, performer, typeface):
    image = drawn(make_item(performer=performer), 0.0, lettering=Lettering(typeface=typeface))
    left, top, _, _ = Layout.of(1280, 720).panel
    assert near(image[top : top + 36, left : left + 290], SOFT, 60).any()


@pytest.mark.parametrize("typeface", [True, False])
def test_letters_stand_on_their_line_and_are_cut_to_fit(typeface):
    letters = Lettering(typeface=typeface)
    mask = letters.mask("E0", 40, BOLD)
    rows = np.flatnonzero(mask.max(axis=1) > 128)
    assert rows.max() == pytest.approx(40, abs=2) and rows.max() - rows.min() == pytest.approx(28, abs=4)
    assert letters.width("E0", 40, BOLD) == pytest.approx(mask.shape[1] - 4)
    assert letters.fitting("Anna", 20, BOLD, 500) == "Anna"
    cut = letters.fitting("Annabella the Great", 20, BOLD, 100)
    assert cut.startswith("Ann") and cut.endswith("…") and letters.width(cut, 20, BOLD) <= 100


def test_a_short_moment_is_named_long_enough_to_be_read(make_item):
    item = make_item(moments=[("best", 1.0, 1.4, 0.2), ("worst", 4.0, 4.4, -0.2), ("best", 4.8, 5.2, 0.1)])
    x, base = Layout.of(1280, 720).badge
    seen = {t: near(drawn(item, t)[base - 18, x + 6], UP) for t in (0.99, 1.2, 1.9, 2.3, 4.2, 5.0)}
    assert [bool(v) for v in seen.values()] == [False, True, True, False, False, True]
    assert near(drawn(item, 4.6)[base - 18, x + 6], DOWN)


@pytest.mark.parametrize("size", [(1280, 720), (360, 640)])
def test_cautions_are_told_first_and_marked_to_the_end(make_item, size):
    text = "Its motion is unlike the training performances: 1.32 times as far from their middle as they reach."
    layout = Layout.of(*size)
    _, base = layout.badge
    left, top, _, _ = layout.panel
    plain, wary = make_item(spans=[(0.0, 12.0)]), make_item(spans=[(0.0, 12.0)], cautions=[text, text, text])
    first, later = (drawn(wary, t, size=size, spans=[(0.0, 12.0)]) for t in (2.5, 7.0))
    above = np.s_[: base - round(2 * max(18 * layout.unit, 13)) - 2]
    assert near(first[above], PANEL, 40).sum() > 3000 and near(first[above], INK, 40).sum() > 100
    assert (later[above] == GREY).all()
    assert (drawn(plain, 2.5, size=size, spans=[(0.0, 12.0)])[above] == GREY).all()
    mark = np.s_[top : layout.name.baseline + 2, left : layout.name.x + 6]
    assert [near(drawn(item, 7.0, size=size, spans=[(0.0, 12.0)])[mark], DOWN, 60).any() for item in (wary, plain)] == [
        True, False,
    ]  # fmt: skip


@pytest.mark.parametrize("typeface", [True, False])
def test_text_is_wrapped_at_words(typeface):
    letters = Lettering(typeface=typeface)
    lines = letters.wrapped("one two three four five six seven eight", 20, MEDIUM, 120, most=9)
    assert " ".join(lines) == "one two three four five six seven eight"
    assert len(lines) > 2 and all(letters.width(line, 20, MEDIUM) <= 120 for line in lines)
    assert letters.wrapped("one two three four five six", 20, MEDIUM, 120, most=1)[0].endswith("…")
    assert letters.wrapped("a" * 90, 20, MEDIUM, 120, most=3)[0].endswith("…")
    assert letters.wrapped("", 20, MEDIUM, 120, most=3) == []


def test_colours_are_the_reports():
    css = (Path(toprock.report.__file__).parent / "templates" / "report.css").read_text(encoding="utf-8")
    assert all("#{:02x}{:02x}{:02x}".format(*colour) in css for colour in (PANEL, INK, SOFT, UP, DOWN, ON_FILL))


def test_the_overlay_is_never_written_over_its_video(film_strip, make_item, tmp_path):
    video = tmp_path / "v.mp4"
    video.write_bytes(film_strip.read_bytes())
    (tmp_path / "link.mp4").symlink_to(video)
    (tmp_path / "hard.mp4").hardlink_to(video)
    for name in ("v.mp4", "link.mp4", "hard.mp4"):
        with pytest.raises(UsageError, match="would be written over"):
            write_overlay(make_item("a", video), tmp_path / name)
    with pytest.raises(UsageError, match="the video of 'a' is not known"):
        write_overlay(make_item("a"), tmp_path / "o.mp4")
    assert video.read_bytes() == film_strip.read_bytes()
    assert len(list(tmp_path.iterdir())) == 3
