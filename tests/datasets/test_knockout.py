"""Who won a knock-out: against every bracket there is, and against knock-outs that were drawn."""

import itertools
import random

import pytest

from toprock.datasets.knockout import Outcome, knockout_outcomes


def played(order, decide):
    """Battles (winner, loser) of a knock-out; neighbours meet, `decide(a, b)` says who wins."""
    found = []
    while len(order) > 1:
        won = [decide(a, b) for a, b in zip(order[::2], order[1::2], strict=True)]
        found += [(w, b if w == a else a) for a, b, w in zip(order[::2], order[1::2], won, strict=True)]
        order = won
    return found


def every_knockout(dancers):
    """The sets of (winner, loser) of all knock-outs of four."""
    for order in itertools.permutations(dancers):
        for coins in itertools.product((0, 1), repeat=3):
            coin = iter(coins)
            yield frozenset(played(list(order), lambda a, b, coin=coin: (a, b)[next(coin)]))


FOUR = set(every_knockout("abcd"))


@pytest.mark.parametrize(
    "known",
    [set(subset) for size in (1, 2, 3) for subset in itertools.combinations(itertools.combinations("abcd", 2), size)],
    ids=lambda known: "+".join(sorted(a + b for a, b in known)),
)
def test_certain_is_what_every_fitting_knockout_agrees_on(known):
    fitting = [k for k in FOUR if known <= {tuple(sorted(pair)) for pair in k}]
    battles = {a + b: (a, b) for a, b in sorted(known)}
    if not fitting:
        with pytest.raises(ValueError, match="knock-out of 4"):
            knockout_outcomes(battles, rounds=2)
        return
    found = knockout_outcomes(battles, rounds=2)
    for name, (a, b) in battles.items():
        winners = {a if (a, b) in k else b for k in fitting}
        certain = name in found and found[name].certain
        assert certain == (len(winners) == 1)
        if certain:
            assert found[name].winner in winners


@pytest.mark.parametrize("seed", range(30))
def test_no_certain_winner_of_a_drawn_knockout_is_wrong(seed):
    rng = random.Random(seed)
    truth = played([f"dancer {n}" for n in range(16)], lambda a, b: rng.choice((a, b)))
    known = rng.sample(truth, rng.randint(5, 15))
    battles = {f"{n}": tuple(rng.sample(pair, 2)) for n, pair in enumerate(known)}
    found = knockout_outcomes(battles)
    for name, outcome in found.items():
        if outcome.certain:
            assert (outcome.winner, outcome.loser) == known[int(name)]
    if len(known) == 15:
        assert sum(o.certain for o in found.values()) == 14


def test_all_battles_but_the_final_of_a_whole_knockout_are_certain():
    truth = played(list("abcdefghijklmnop"), min)
    found = knockout_outcomes({a + b: (b, a) for a, b in truth})
    assert found == {a + b: Outcome(a, b, True) for a, b in truth[:-1]}


def test_who_danced_more_often_is_likely_where_nothing_is_certain():
    found = knockout_outcomes({"one": ("a", "b"), "two": ("a", "c")})
    assert found == {"one": Outcome("a", "b", False), "two": Outcome("a", "c", False)}


@pytest.mark.parametrize(
    "battles", [[(0, n) for n in range(1, 6)], [(0, 1), (1, 2), (2, 0)], [(n, n + 1) for n in range(16)]]
)
def test_battles_that_are_no_knockout_are_refused(battles):
    with pytest.raises(ValueError, match="16 dancers"):
        knockout_outcomes({str(n): (str(a), str(b)) for n, (a, b) in enumerate(battles)})
