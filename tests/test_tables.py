"""Whatever stands in a manifest, a pairs file or a moments file, it is read or refused with one error that names it."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toprock.comparisons import read_pairs, write_pairs
from toprock.errors import ToprockError
from toprock.evaluate import read_moments
from toprock.performance import read_manifest, write_manifest

HEADS = {
    read_manifest: "id,video,intervals,performer",
    read_pairs: "better,worse,outcome,weight",
    read_moments: "id,start_s,end_s,label",
}
pieces = st.sampled_from(
    [
        ",",
        ";",
        "-",
        "\n",
        "\r\n",
        '"',
        " ",
        "\t",
        "\0",
        "\ufeff",
        "a",
        "b.mp4",
        "tie",
        "win",
        "good",
        "bad",
        "nan",
        "inf",
    ]
    + ["1", "0", "-1", "1e999", "1-2", "3-2", "9" * 400, "é", "\u2028", "\x1b", "=cmd()"]
)
texts = st.lists(pieces, max_size=40).map("".join)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("tables") / "table.csv"


def assert_read_or_refused(read, file):
    try:
        rows = read(file)
    except ToprockError as error:
        assert str(file) in str(error)
        assert error.advice
    else:
        assert rows


@pytest.mark.parametrize("read", HEADS)
@settings(max_examples=150)
@given(texts, st.booleans())
def test_a_text_is_read_or_refused(file, read, text, headed):
    file.write_bytes(((HEADS[read] + "\n" if headed else "") + text).encode())
    assert_read_or_refused(read, file)


@pytest.mark.parametrize("read", HEADS)
@settings(max_examples=50)
@given(st.binary(max_size=200))
def test_bytes_are_read_or_refused(file, read, data):
    file.write_bytes(data)
    assert_read_or_refused(read, file)


@pytest.mark.parametrize(("read", "write"), [(read_manifest, write_manifest), (read_pairs, write_pairs)])
@settings(max_examples=150)
@given(texts)
def test_what_can_be_read_survives_being_written(file, read, write, text):
    file.write_bytes(f"{HEADS[read]},note\na,b,,,c\n{text}".encode())
    with contextlib.suppress(ToprockError):
        rows = read(file)
        write(rows, file)
        assert read(file) == rows
