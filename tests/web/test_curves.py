"""The curves of a training."""

from toprock.web.curves import HEIGHT, WIDTH, accuracy_curves, choice_curve, loss_curves


def log(what, **stages):
    return [
        {"stage": stage, "step": 10 * number, "total": 40, what: value}
        for stage, values in stages.items()
        for number, value in enumerate(values)
    ]


def points(line):
    return [tuple(float(v) for v in point.split(",")) for point in line.points.split()]


def test_the_bold_line_is_the_mean_of_the_groups_that_are_through():
    drawn = accuracy_curves(log("accuracy", one=[0.4, 0.6, 0.8], two=[0.6, 0.8, 1.0], three=[1.0, 1.0]))
    assert [line.bold for line in drawn.lines] == [False, False, False, True]
    assert drawn.steps == 40
    mean = points(drawn.lines[-1])
    assert [x for x, _ in mean] == [0, WIDTH / 4, WIDTH / 2]
    one, two = (points(line) for line in drawn.lines[:2])
    assert all(abs(m[1] - (a[1] + b[1]) / 2) < 0.11 for m, a, b in zip(mean, one, two, strict=True))
    assert "93%" in drawn.sentence  # 0.8, 1.0 and 1.0
    assert "3 groups" in drawn.sentence


def test_what_was_begun_again_counts_from_there():
    drawn = accuracy_curves([*log("accuracy", one=[0.5, 0.6, 0.7]), *log("accuracy", one=[0.9, 0.8])])
    (line,) = drawn.lines
    assert len(points(line)) == 2
    assert "80%" in drawn.sentence


def test_a_single_group_is_its_own_bold_line():
    (line,) = accuracy_curves(log("accuracy", one=[0.5, 0.7])).lines
    assert line.bold


def test_the_last_loss_is_bold_and_the_highest_fills_the_plane():
    drawn = loss_curves(log("loss", one=[2.0, 1.0], two=[1.5, 0.5]))
    assert [line.bold for line in drawn.lines] == [False, True]
    assert points(drawn.lines[0])[0][1] == 0
    assert points(drawn.lines[1])[-1][1] == HEIGHT * 0.75
    assert "0.5" in drawn.sentence


def test_what_was_measured_once_is_not_drawn():
    assert accuracy_curves(log("accuracy", one=[0.5])) is None
    assert loss_curves([]) is None


def test_the_curve_that_chose_says_what_stands_at_the_chosen_length_and_at_the_end():
    drawn = choice_curve([[10, 0.5], [20, 0.8], [30, 0.7]], 20)
    assert drawn.sentence.endswith("80% at 20 steps, which were chosen; 70% after all 30.")
    assert [x for x, _ in points(drawn.lines[0])] == [WIDTH / 3, 400, WIDTH]
    assert "group so far" not in drawn.sentence
    assert choice_curve([[10, 0.5]], 10) is None


def test_what_is_over_does_not_say_so_far():
    measured = log("accuracy", one=[0.5, 0.7])
    assert accuracy_curves(measured).sentence.endswith("so far.")
    assert accuracy_curves(measured, over=True).sentence.endswith("over one group.")
