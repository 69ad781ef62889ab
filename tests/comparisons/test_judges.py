import math
from itertools import permutations

import numpy as np
import pytest

from toprock.comparisons import Pair, Share, judges_agreement


def krippendorff(units, difference):
    """Alpha by the definition: observed over expected difference, as plain loops."""
    units = [unit for unit in units if len(unit) > 1]
    values = [value for unit in units for value in unit]
    n = len(values)
    observed = sum(sum(difference(a, b) for a, b in permutations(u, 2)) / (len(u) - 1) for u in units) / n
    expected = sum(difference(a, b) for a, b in permutations(values, 2)) / (n * (n - 1))
    return 1 - observed / expected


def drawn(annotators, couples, *, seed=0, tie=0.2, alike=0.7):
    """Judgements of few performances, and the answers of each couple: 1, -1 or 0 by its first id."""
    rng = np.random.default_rng(seed)
    ids = [f"v{n}" for n in range(8)]
    pairs, units = [], {}
    for number in range(couples):
        a, b = sorted(rng.choice(ids, 2, replace=False))
        if (a, b) in units:
            continue
        usual = rng.choice([1, -1, 0], p=[(1 - tie) / 2, (1 - tie) / 2, tie])
        for who in range(annotators):
            if rng.uniform() < 0.3:
                continue
            answer = usual if rng.uniform() < alike else rng.choice([1, -1, 0])
            units.setdefault((a, b), []).append(answer)
            better, worse = (a, b) if answer >= 0 else (b, a)
            extra = {"seconds": f"{number + 1}"}
            pairs.append(Pair(str(better), str(worse), tie=bool(answer == 0), annotator=f"{who}", extra=extra))
    return pairs, units


def test_the_loop_gives_the_published_figure():
    """The example of Krippendorff, "Computing Krippendorff's alpha-reliability" (2011), section C: nominal 0.743."""
    rows = ["123321412...", "1233224125.3", ".3332342251.", "1233244125 1.".replace(" ", "")]
    units = [[row[column] for row in rows if row[column] != "."] for column in range(12)]
    assert krippendorff(units, lambda a, b: float(a != b)) == pytest.approx(0.743, abs=5e-4)


@pytest.mark.parametrize("tie", [0.0, 0.3])
def test_alpha_is_krippendorffs_with_pairs_entered_from_both_sides(tie):
    pairs, units = drawn(4, 30, tie=tie)
    both = [*units.values(), *([-answer for answer in unit] for unit in units.values())]
    found = judges_agreement(pairs)
    assert found.alpha == pytest.approx(krippendorff(both, lambda a, b: abs(a - b) / 2))
    assert found.pairs == sum(len(unit) > 1 for unit in units.values())
    assert found.low < found.alpha < found.high


def test_alpha_does_not_depend_on_names():
    pairs, _ = drawn(3, 30)
    new = {f"v{n}": f"w{(3 * n) % 8}" for n in range(8)}
    renamed = [Pair(new[p.better], new[p.worse], p.tie, p.annotator) for p in pairs]
    assert judges_agreement(renamed).alpha == pytest.approx(judges_agreement(pairs).alpha)


def test_alpha_of_chance_is_none_and_of_likeness_one():
    chance = [judges_agreement(drawn(3, 60, seed=seed, alike=0.0)[0], resamples=1).alpha for seed in range(30)]
    assert abs(np.mean(chance)) < 0.06
    assert judges_agreement(drawn(3, 30, alike=1.0)[0]).alpha == pytest.approx(1)
    opposed = [Pair(*"ab"), Pair("b", "a", annotator="bob"), Pair(*"bc"), Pair("c", "b", annotator="bob")]
    assert judges_agreement(opposed).alpha < 0


def test_where_nothing_can_be_compared_there_is_no_figure():
    alone = judges_agreement([Pair("a", "b", annotator="ann")])
    assert math.isnan(alone.alpha)
    assert alone.pairs == 0
    assert alone.couples == {}
    assert alone.judges[0].others.count == 0
    assert math.isnan(alone.judges[0].others.value)
    ties = judges_agreement([Pair("a", "b", tie=True, annotator=who) for who in ("ann", "bob")])
    assert math.isnan(ties.alpha)
    assert ties.couples["ann", "bob"].value == 1
    assert judges_agreement([]).judges == []


def test_judges_are_told_apart():
    judged = [
        Pair("a", "b", annotator="ann", extra={"seconds": "4"}),
        Pair("a", "b", annotator="bob", extra={"seconds": "soon"}),
        Pair("b", "a", annotator="cy"),
        Pair("c", "d", annotator="ann", extra={"seconds": "8.5"}),
        Pair("d", "c", tie=True, annotator="bob"),
        Pair("b", "a", annotator="ann", extra={"seconds": "6"}),
        Pair("d", "c", tie=True, annotator="ann"),
        Pair("c", "d", tie=True, annotator="ann"),
    ]
    found = judges_agreement(judged)
    ann, bob, cy = found.judges
    assert (ann.annotator, ann.judgements, ann.ties, ann.seconds) == ("ann", 5, 2, 6.0)
    assert (bob.judgements, bob.ties, bob.seconds) == (2, 1, None)
    assert (ann.itself.value, ann.itself.count) == (pytest.approx((0 + 0.5 + 1) / 3), 3)
    assert (bob.itself.count, cy.itself.count) == (0, 0)
    assert {couple: share.value for couple, share in found.couples.items()} == {
        ("ann", "bob"): 0.75,
        ("ann", "cy"): 0.0,
        ("bob", "cy"): 0.0,
    }
    assert (ann.others.value, ann.others.count) == (pytest.approx((0.5 + 0.5) / 2), 2)
    assert cy.others.value == 0


def test_the_interval_of_a_share_is_wilsons():
    """Figures of Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263 and 0 of 20."""
    one = Share.of([1.0] * 81 + [0.0] * 182)
    assert (one.low, one.high) == (pytest.approx(0.2553, abs=5e-5), pytest.approx(0.3662, abs=5e-5))
    none = Share.of([0.0] * 20)
    assert (none.low, none.high) == (0.0, pytest.approx(0.1611, abs=5e-5))


def test_self_agreement_covers_the_truth():
    rng = np.random.default_rng(0)
    shares = [Share.of(list((rng.uniform(size=40) < 0.85).astype(float))) for _ in range(400)]
    assert np.mean([share.low < 0.85 < share.high for share in shares]) > 0.92
