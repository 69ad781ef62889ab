"""Comments: said, worded anew, as a table."""

import csv
import io

import pytest

from toprock.errors import NotThere, Refused
from toprock.library import comments, intake


@pytest.fixture
def key(library, make_video, tmp_path):
    return intake.add_video(library, make_video(tmp_path / "a.mp4"), filename="a.mp4", owned=False)


def test_a_comment_is_worded_anew_and_moved_and_keeps_author_and_date(library, key):
    said = comments.add(library, key, author="Kim", time_s=1.0, text="lste")
    comments.change(library, said.id, text=" late ")
    comments.change(library, said.id, time_s=0.5)
    (kept,) = comments.of(library, key)
    assert (kept.text, kept.time_s, kept.author, kept.created) == ("late", 0.5, "Kim", said.created)
    for wrong in ({"text": "  "}, {"text": "x" * 4001}, {"time_s": -1.0}, {"time_s": float("nan")}):
        with pytest.raises(Refused):
            comments.change(library, said.id, **wrong)
    assert comments.of(library, key)[0].text == "late"
    with pytest.raises(NotThere):
        comments.change(library, said.id + 1, text="x")


def test_the_table_has_a_line_a_comment_and_runs_nothing(library, key):
    first = comments.add(library, key, author="=cmd()", time_s=1.0, text='two\nlines, "quoted"')
    comments.add(library, key, author="Zoë", time_s=0.25, text="@SUM(A1)")
    text = comments.table(library, key)
    assert text.startswith("\ufefftime_s,author,text,date\r\n")
    rows = list(csv.reader(io.StringIO(text[1:], newline="")))[1:]
    assert [row[:3] for row in rows] == [
        ["0.25", "Zoë", "'@SUM(A1)"],
        ["1.00", "'=cmd()", 'two\nlines, "quoted"'],
    ]
    assert rows[1][3] == first.created.isoformat(timespec="seconds") + "Z"
