"""What is unlike the training performances is said; what is like them is not."""

import numpy as np
import pytest

from toprock.calibration import Domain, Seen, coverage, fit_domain, unlikeness

BOTH = ("dynamic", "static")


def performances(rng, count, *, shift=0.0):
    found = []
    for _ in range(count):
        own = 0.5 * rng.normal(size=6) + shift
        found.append({"dynamic": own + rng.normal(size=(20, 6)), "static": own + rng.normal(size=(30, 6))})
    return found


def seen(length_s=60.0, **facts):
    return Seen({}, {"dynamic": 1.0, "static": 1.0}, length_s, {"duration_s": length_s, "cuts": 0.0, **facts})


def fitted(count=120, groups=None):
    rng = np.random.default_rng(0)
    data = performances(rng, count)
    groups = groups or [f"p{i}" for i in range(count)]
    return fit_domain(data, groups, [seen(40.0 + i % 30) for i in range(count)]), data


def away(domain, x, data):
    every = {s: np.concatenate([p[s] for p in data]) for s in ("dynamic", "static")}
    return {s: unlikeness(x[s], every[s].mean(0), every[s].std(0)) for s in x}


def kinds(domain, what):
    return [caution.kind for caution in domain.cautions(what, BOTH)]


@pytest.mark.parametrize("count", [20, 120])
def test_new_performances_of_the_same_kind_are_rarely_unlike_and_others_always(count):
    domain, data = fitted(count)
    rng = np.random.default_rng(1)
    like = [away(domain, x, data) for x in performances(rng, 200)]
    unlike = [away(domain, x, data) for x in performances(rng, 50, shift=2.0)]
    flagged = [any(each[s] > domain.limits[s] for s in each) for each in like]
    assert np.mean(flagged) < 0.06
    for each in unlike:
        assert kinds(domain, Seen(each, {}, 50.0, {})) == ["unlike", "unlike"]


def test_a_performer_is_measured_against_others():
    """Five performances of each performer, who are far apart and true to themselves."""
    rng = np.random.default_rng(2)
    data, groups = [], []
    for person in range(6):
        own = 2 * rng.normal(size=6)
        data += [{"static": own + 0.1 * rng.normal(size=(30, 6))} for _ in range(5)]
        groups += [f"p{person}"] * 5
    apart = fit_domain(data, groups, [seen()] * 30).limits["static"]
    alone = fit_domain(data, [str(i) for i in range(30)], [seen()] * 30).limits["static"]
    assert apart > alone


def test_length_has_room_on_both_sides():
    domain, _ = fitted()
    assert domain.length_s == (40.0, 69.0)
    near = {"dynamic": 0.1, "static": 0.1}
    for length_s, wanted in ((33.0, []), (31.0, ["length"]), (86.0, []), (87.0, ["length"])):
        assert kinds(domain, Seen(near, {}, length_s, {})) == wanted
    (caution,) = domain.cautions(Seen(near, {}, 200.0, {}), BOTH)
    assert caution.text == "It is 200 s long, longer than the training performances (40 to 69 s)."
    assert kinds(domain, Seen(near, {}, None, {})) == []


def test_bad_pictures_and_missing_streams_are_said_with_their_share():
    domain, _ = fitted()
    near = {"dynamic": 0.1, "static": 0.1}
    facts = {"duration_s": 60.0, "cuts": 30.0, "black_share": 0.5, "frozen_share": 0.2}
    found = {caution.kind: caution for caution in domain.cautions(Seen(near, {}, 60.0, facts), BOTH)}
    assert set(found) == {"black", "frozen", "cuts"}
    assert found["black"].share == 0.5
    assert found["black"].text == "50% of its pictures are black."
    assert "30 times a minute" in found["cuts"].text
    (missing,) = domain.cautions(Seen({"static": 0.1}, {"static": 1.0}, 60.0, {}), BOTH)
    assert (missing.kind, missing.share) == ("stream missing", 1.0)
    assert "no dynamic stream" in missing.text
    (little,) = domain.cautions(Seen(near, {"dynamic": 0.3, "static": 1.0}, 60.0, {}), BOTH)
    assert (little.kind, little.share) == ("coverage", 0.3)


def test_coverage_counts_overlapping_segments_once():
    assert coverage(np.array([[0, 2], [1, 3], [5, 6]]), 10.0) == pytest.approx(0.4)
    assert coverage(np.array([[5, 6], [0, 9], [1, 3]]), 10.0) == pytest.approx(0.9)
    assert coverage(np.zeros((0, 2)), 10.0) == 0.0
    assert coverage(np.array([[0, 2]]), None) == 1.0


def test_a_model_that_knows_no_domain_says_nothing():
    assert Domain().cautions(Seen({"static": 99.0}, {}, 1e6, {"black_share": 0.0}), ["static"]) == ()


def test_features_that_never_varied_do_not_count():
    assert unlikeness(np.full((3, 2), 7.0), np.zeros(2), np.array([1.0, np.inf])) == 7.0
    assert unlikeness(np.full((3, 1), 7.0), np.zeros(1), np.array([np.inf])) == 0.0


def test_where_one_performer_did_all_the_check_is_against_their_other_performances():
    rng = np.random.default_rng(3)
    data = performances(rng, 12)
    domain = fit_domain(data, ["ann"] * 12, [seen()] * 12)
    far = away(domain, performances(rng, 1, shift=9.0)[0], data)
    assert kinds(domain, Seen(far, {}, 60.0, {})) == ["unlike", "unlike"]
    assert kinds(domain, Seen({}, {}, 60.0, {})) == ["stream missing", "stream missing"]


def test_copies_of_one_performance_leave_a_limit_that_can_be_divided_by():
    x = {"static": np.random.default_rng(4).normal(size=(20, 3))}
    domain = fit_domain([x, x], ["a", "b"], [seen(), seen()])
    (caution,) = domain.cautions(Seen({"static": 1.0}, {}, None, {}), ["static"])
    assert caution.kind == "unlike"
