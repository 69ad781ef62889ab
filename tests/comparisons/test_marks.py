import pytest

from toprock.comparisons import read_marks
from toprock.errors import ManifestError


def write(tmp_path, text):
    path = tmp_path / "marks.csv"
    path.write_text(text)
    return path


def test_marks_are_matched_with_or_without_ending_and_others_left_out(tmp_path):
    path = write(tmp_path, "video,mark,judge\na.mp4,7.5,x\nb,8,y\nghost,1,z\n")
    assert read_marks(path, ["a", "b", "c"]) == {"a": 7.5, "b": 8.0}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("id\na\n", "has no column mark"),
        ("id,mark\na,good\n", "line 2: 'good' is no mark"),
        ("id,mark\na,nan\n", "line 2: 'nan' is no mark"),
        ("id,mark\na,1\na.mp4,2\n", "line 3: 'a.mp4' has another mark above"),
        ("id,mark\nghost,1\n", "marks none of the performances"),
        ("other,mark\nx,1\n", "line 2: names no performance"),
    ],
)
def test_bad_marks_are_named(tmp_path, text, problem):
    with pytest.raises(ManifestError, match=problem):
        read_marks(write(tmp_path, text), ["a"])
