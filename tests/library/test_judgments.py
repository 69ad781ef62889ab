"""Offers of pairs and answers to them."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import combinations

import pytest
from sqlalchemy import func, select, update

from toprock.errors import NotThere, Refused
from toprock.library import Library, catalogue, choosing, judgments, tables
from toprock.library import desk as desk_module
from toprock.library.desk import key_pairs
from toprock.library.judgments import HELD, answer, couple, offers, progress, undo
from toprock.library.standings import standings

from ..web.servers import invented


def next_offer(library: Library, annotator: str, criterion: str = "") -> tables.Offer | None:
    """The pair that an annotator is to judge now."""
    return next(iter(offers(library, annotator, criterion)), None)


def judge(library: Library, annotator: str, outcome: str = "left", criterion: str = "") -> tables.Offer:
    """Answer the next pair."""
    offer = next_offer(library, annotator, criterion)
    assert offer is not None
    answer(library, offer.token, outcome, 2.0)
    return offer


def sides(offer: tables.Offer) -> tuple[str, str]:
    return couple(offer.left, offer.right)


def kept(library: Library) -> list[tables.Judgment]:
    with library.read() as session:
        return list(session.scalars(select(tables.Judgment).order_by(tables.Judgment.id)))


def test_a_pair_stays_until_it_is_answered(library):
    invented(library, 5)
    first = next_offer(library, "Anna")
    assert next_offer(library, " Anna ").token == first.token
    answer(library, first.token, "left", 3.5)
    assert next_offer(library, "Anna").token != first.token
    (judgment,) = kept(library)
    assert (judgment.left, judgment.right, judgment.outcome, judgment.seconds) == (first.left, first.right, "left", 3.5)


def test_the_pair_after_it_can_be_had_ahead(library):
    invented(library, 5)
    now, ahead = offers(library, "Anna", count=2)
    assert sides(now) != sides(ahead)
    answer(library, now.token, "tie")
    assert offers(library, "Anna", count=2)[0].token == ahead.token


def test_an_answer_that_is_sent_again_counts_once_and_the_first_one(library):
    invented(library, 4)
    offer = next_offer(library, "Anna")
    with ThreadPoolExecutor(12) as threads:
        found = list(threads.map(lambda _: answer(library, offer.token, "left").id, range(36)))
    assert len(set(found)) == 1
    assert answer(library, offer.token, "right").outcome == "left"
    assert len(kept(library)) == 1


def test_many_at_once_are_given_different_pairs(library):
    invented(library, 12)
    with ThreadPoolExecutor(20) as threads:
        given = list(threads.map(lambda number: offers(library, f"Judge {number}", count=2), range(20)))
    times = Counter(sides(offer) for pair in given for offer in pair)
    assert len(times) == 40 and max(times.values()) == 1


def test_pairs_are_shared_only_where_none_is_left(library):
    invented(library, 3)
    given = [next_offer(library, f"Judge {number}") for number in range(6)]
    assert sorted(Counter(map(sides, given)).values()) == [2, 2, 2]
    assert len(offers(library, "Judge 0", count=2)) == 1  # none is taken from others just to be loaded ahead


def test_a_pair_is_held_for_a_while_only(library):
    invented(library, 2)
    first = next_offer(library, "Anna")
    with library.write() as session:
        session.execute(update(tables.Offer).values(created=tables.now() - HELD - timedelta(seconds=1)))
    assert sides(next_offer(library, "Bert")) == sides(first)
    assert next_offer(library, "Anna").token != first.token  # Bert looks at it now
    assert answer(library, first.token, "left").annotator == "Anna"  # who had it before the eyes may still answer


def test_everything_is_asked_once_and_then_nothing(library):
    keys = invented(library, 5)
    seen = []
    while (offer := next_offer(library, "Anna")) is not None:
        if offer.repeat_of is None:
            seen.append(sides(offer))
        answer(library, offer.token, "right")
    assert sorted(seen) == sorted(couple(a, b) for a, b in combinations(keys, 2))


@pytest.mark.parametrize("outcome", ["skip", "unsure"])
def test_what_cannot_be_told_is_no_comparison_and_is_not_asked_soon(library, outcome):
    invented(library, 3)
    put_off = judge(library, "Anna", outcome)
    assert [sides(judge(library, "Anna")) == sides(put_off) for _ in range(2)] == [False, False]
    assert next_offer(library, "Anna") is None
    assert progress(library, "Anna").mine == 2
    with library.read() as session:
        assert len(judgments.pairs_of(session)) == 2
    assert next_offer(library, "Bert") is not None  # others may be able to tell


def test_failed_performances_and_unplayable_videos_are_not_shown(library):
    keys = invented(library, 2)
    invented_failed = invented(library, 1, state="failed")
    unplayable = invented(library, 1, state="new")
    with library.write() as session:
        session.get(tables.Performance, unplayable[0]).video.codec = "mpeg4"
    assert sides(judge(library, "Anna")) == couple(*keys)
    assert next_offer(library, "Anna") is None
    assert progress(library, "Anna").performances == 2
    with library.write() as session:
        session.get(tables.Performance, invented_failed[0]).state = "ready"
    assert next_offer(library, "Anna") is not None


def test_undo_keeps_the_answer_as_taken_back_and_asks_again(library):
    invented(library, 6)
    judge(library, "Anna")
    wrong = judge(library, "Anna", "right")
    ahead = next_offer(library, "Anna")
    again = undo(library, "Anna", token=wrong.token)
    assert (again.left, again.right) == (wrong.left, wrong.right)
    assert next_offer(library, "Anna").token == again.token
    assert undo(library, "Anna", token=wrong.token) is None  # sent twice
    assert [one.undone is None for one in kept(library)] == [True, False]
    answer(library, wrong.token, "right")  # sent late: it stays taken back
    assert progress(library, "Anna").mine == 1
    answer(library, again.token, "left")
    assert next_offer(library, "Anna").token == ahead.token
    assert progress(library, "Anna").mine == 2


def test_undo_takes_only_from_its_annotator_and_criterion(library):
    invented(library, 4)
    judge(library, "Anna", criterion="footwork")
    theirs = judge(library, "Bert")
    assert undo(library, "Anna") is None
    assert undo(library, "Anna", token=theirs.token) is None
    assert undo(library, "Anna", "footwork") is not None


def test_a_hidden_repeat_is_turned_round_and_no_second_opinion(library, monkeypatch):
    invented(library, 12)
    monkeypatch.setattr(choosing, "REPEATS", 1.0)
    given = [judge(library, "Anna") for _ in range(9)]
    assert [offer.repeat_of is not None for offer in given] == 6 * [False] + 3 * [True]
    by_id = {one.id: one for one in kept(library)}
    for offer in given[6:]:
        asked = by_id[offer.repeat_of]
        assert (asked.left, asked.right) == (offer.right, offer.left) and asked.repeat_of is None
    with library.read() as session:
        assert len(judgments.pairs_of(session)) == 6
        assert len(judgments.pairs_of(session, repeats=True)) == 9
    assert progress(library, "Anna").mine == 9  # a counter that stood still would tell


def test_repeats_are_few_and_come_by_chance(library, monkeypatch):
    monkeypatch.setattr(choosing, "_random", random.Random(0))
    invented(library, 30)
    repeats = [number for number in range(70) if judge(library, "Anna").repeat_of is not None]
    assert 2 <= len(repeats) <= 14  # some 6


def test_pairs_of_others_come_now_and_then(library, monkeypatch):
    invented(library, 30)
    monkeypatch.setattr(choosing, "REPEATS", 0.0)
    theirs = {sides(judge(library, "Anna")) for _ in range(20)}
    monkeypatch.setattr(choosing, "SHARED", 0.0)
    new = {sides(judge(library, "Bert")) for _ in range(10)}
    monkeypatch.setattr(choosing, "SHARED", 1.0)
    shared = [sides(judge(library, "Bert")) for _ in range(5)]
    assert len(new & theirs) < 10 and set(shared) <= theirs - new


def test_what_nobody_has_compared_is_asked_first_and_then_what_connects(library, monkeypatch):
    for share in ("REPEATS", "SHARED"):
        monkeypatch.setattr(choosing, share, 0.0)
    keys = invented(library, 10)
    first = [sides(judge(library, "Anna")) for _ in range(5)]
    assert sorted(key for pair in first for key in pair) == sorted(keys)
    groups = [set(pair) for pair in first]
    for _ in range(4):
        a, b = sides(judge(library, "Bert"))
        one, two = (next(group for group in groups if key in group) for key in (a, b))
        assert one is not two
        groups = [group for group in groups if group not in (one, two)] + [one | two]


def test_sides_are_drawn(library, monkeypatch):
    monkeypatch.setattr(choosing, "_random", random.Random(0))
    keys = invented(library, 2)
    left = Counter(next_offer(library, f"Judge {number}").left for number in range(60))
    assert min(left[key] for key in keys) > 12


def test_criteria_are_judged_apart(library):
    invented(library, 3)
    for criterion in ("footwork", "footwork", "power"):
        judge(library, "Anna", criterion=criterion)
    with library.read() as session:
        assert judgments.criteria(session) == ["footwork", "power"]
        assert len(judgments.pairs_of(session, criterion="footwork")) == 2
    assert progress(library, "Anna").mine == 0


def test_answers_settle_the_standings_and_new_performances_unsettle_them(library):
    keys = invented(library, 6)
    order = {key: number for number, key in enumerate(keys)}
    assert progress(library, "Anna").settled == pytest.approx(0.5)
    while (offer := next_offer(library, "Anna")) is not None:
        answer(library, offer.token, "left" if order[offer.left] > order[offer.right] else "right")
    settled = progress(library, "Anna").settled
    assert settled > 0.8
    invented(library, 3)
    assert progress(library, "Anna").settled < settled


def test_standings_are_worked_out_anew_when_something_has_changed_and_only_then(library):
    keys = invented(library, 4)
    found = [standings(library)]
    changes = (
        lambda: judge(library, "Anna"),
        lambda: judge(library, "Bo", "tie"),
        lambda: undo(library, "Bo"),
        lambda: catalogue.describe(library, keys[0], performer="Cleo"),
        lambda: catalogue.remove(library, keys[3:]),
    )
    for change in changes:
        assert standings(library) is found[-1]
        change()
        found.append(standings(library))
        assert found[-1] != found[-2]


def test_what_is_deleted_is_not_asked_about(library):
    keys = invented(library, 3)
    offer = next_offer(library, "Anna")
    catalogue.remove(library, [offer.left])
    with pytest.raises(NotThere):
        answer(library, offer.token, "left")
    rest = [key for key in keys if key != offer.left]
    assert sides(next_offer(library, "Anna")) == couple(*rest)
    with library.read() as session:
        assert session.scalar(select(func.count()).select_from(tables.Judgment)) == 0


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\0b"])
def test_annotators_have_a_name_of_some_length(library, name):
    with pytest.raises(Refused):
        next_offer(library, name)


@pytest.mark.parametrize(("outcome", "seconds"), [("better", 1.0), ("left", -1.0), ("left", float("nan"))])
def test_answers_are_checked(library, outcome, seconds):
    invented(library, 2)
    offer = next_offer(library, "Anna")
    with pytest.raises(Refused):
        answer(library, offer.token, outcome, seconds)
    with pytest.raises(NotThere):
        answer(library, "0" * 16, "left")
    assert kept(library) == []


def test_an_opinion_counts_once_whichever_answer_is_taken_back(library):
    a, b = invented(library, 2)
    with library.write() as session:
        first = tables.Judgment(token="1", annotator="Anna", left=a, right=b, outcome="left")
        session.add(first)
        session.flush()
        again = tables.Judgment(token="2", annotator="Anna", left=b, right=a, outcome="right", repeat_of=first.id)
        session.add(again)
    counted = []
    for taken_back in ((), (first,), (first, again)):
        with library.write() as session:
            for judgment in taken_back:
                session.get(tables.Judgment, judgment.id).undone = tables.now()
        with library.read() as session:
            counted.append(len(judgments.pairs_of(session)))
            assert len(key_pairs(session, "")) == counted[-1]
    assert counted == [1, 1, 0]


def test_of_very_many_some_are_weighed_and_all_come_up(library, monkeypatch):
    monkeypatch.setattr(desk_module, "_MOST_WEIGHED", 6)
    keys = invented(library, 14)
    first = [judge(library, "Anna") for _ in range(9)]
    assert {key for offer in first for key in (offer.left, offer.right)} == set(keys)  # nobody waits long
    later = [judge(library, "Anna") for _ in range(30)]
    assert len({key for offer in later for key in (offer.left, offer.right)}) > 10
