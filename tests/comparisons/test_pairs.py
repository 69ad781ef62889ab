import pytest

from toprock.comparisons import Pair, check_consistency, match_pairs, read_pairs, write_pairs
from toprock.errors import PairsError, UnknownPerformance


def written(tmp_path, text, name="pairs.txt"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_lines(tmp_path):
    path = written(tmp_path, "a b\n\n  Hand/c   d \n")
    assert read_pairs(path) == [Pair("a", "b"), Pair("Hand/c", "d")]


def test_every_column_survives(tmp_path):
    text = 'better,worse,outcome,annotator,criterion,weight,note\na b,c,tie,ann,form,0.5,"x, y"\nc,d,,bob,form,,\n'
    pairs = read_pairs(written(tmp_path, text, "pairs.csv"))
    assert pairs[0] == Pair("a b", "c", True, "ann", "form", 0.5, {"note": "x, y"})
    assert pairs[1].weight == 1.0
    write_pairs(pairs, tmp_path / "again.csv")
    assert read_pairs(tmp_path / "again.csv") == pairs


def test_several_criteria_need_a_choice(tmp_path):
    path = written(tmp_path, "better,worse,criterion\na,b,form\nb,a,flow\n", "p.csv")
    with pytest.raises(PairsError, match="--criterion: 'flow', 'form'"):
        read_pairs(path)
    assert read_pairs(path, criterion="flow") == [Pair("b", "a", criterion="flow")]
    with pytest.raises(PairsError, match="It has: 'flow', 'form'"):
        read_pairs(path, criterion="speed")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "holds no pair"),
        ("a b c\n", "line 1: has 3 words"),
        ("a a\n", "compares 'a' with itself"),
        ("better,worse,outcome\na,b,lost\n", "outcome is 'lost'"),
        ("better,worse,weight\na,b,-1\n", "weight is '-1'"),
        ("better,worse,weight\na,b,nan\n", "weight is 'nan'"),
        ("better,worse\na,\n", "an id is empty"),
    ],
)
def test_malformed_files_are_named_with_the_line(tmp_path, text, what):
    path = written(tmp_path, text)
    with pytest.raises(PairsError, match=what) as caught:
        read_pairs(path)
    assert str(path) in str(caught.value)
    assert caught.value.advice


def test_a_file_that_is_no_text(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(PairsError, match="cannot be read"):
        read_pairs(path)


def test_unknown_ids_are_all_named_with_why():
    pairs = [Pair("a", "b"), Pair("a", "gone"), Pair("broken", "a")]
    with pytest.raises(PairsError, match=r"broken \(too short\), gone \(never seen\)") as caught:
        match_pairs(pairs, ["a", "b"], why={"broken": "too short"})
    assert "--skip-missing" in caught.value.advice
    matched = match_pairs(pairs, ["a", "b"], skip_missing=True)
    assert matched.pairs == [Pair("a", "b")]
    assert matched.pairs_left_out == 2
    with pytest.raises(PairsError, match="no pair is left"):
        match_pairs([Pair("x", "y")], ["a"], skip_missing=True)


def test_ids_match_with_or_without_ending():
    assert match_pairs([Pair("a.mp4", "b")], ["a", "b.mkv"]).pairs == [Pair("a", "b.mkv")]
    with pytest.raises(UnknownPerformance, match=r"'a' fits both 'a.avi' and 'a.mp4'"):
        match_pairs([Pair("a", "b")], ["a.mp4", "a.avi", "b"])


def test_contradictions_and_cycles_are_named():
    found = check_consistency([Pair("a", "b"), Pair("b", "a"), Pair("c", "d"), Pair("d", "e"), Pair("e", "c")])
    assert found.contradictions == [("a", "b")]
    assert found.cycles == [["c", "d", "e"]]
    assert "such as a and b" in str(found)
    assert str(check_consistency([Pair("a", "b"), Pair("a", "b")])) == "no contradiction"
