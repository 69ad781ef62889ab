from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toprock.errors import StorageError, UsageError
from toprock.files import name_of, spare_inputs, whole_file, write_together


def test_files_that_belong_together_are_all_replaced(tmp_path):
    for text in (b"old", b"new"):
        write_together([(tmp_path / "weights", text), (tmp_path / "config", text)])
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"weights": b"new", "config": b"new"}


def test_where_one_cannot_be_written_the_old_ones_stay(tmp_path):
    write_together([(tmp_path / "weights", b"old"), (tmp_path / "config", b"old")])
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="a file stands where a folder is needed"):
        write_together(
            [(tmp_path / "weights", b"new"), (tmp_path / "file" / "card", b"new"), (tmp_path / "config", b"new")]
        )
    found = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert found == {"weights": b"old", "config": b"old", "file": b""}


def test_a_file_that_others_write_is_whole_or_absent(tmp_path):
    with whole_file(tmp_path / "deep" / "file") as part:
        part.write_bytes(b"new")
        assert not (tmp_path / "deep" / "file").exists()
    assert (tmp_path / "deep" / "file").read_bytes() == b"new"
    with pytest.raises(KeyboardInterrupt), whole_file(tmp_path / "deep" / "file") as part:
        part.write_bytes(b"half")
        raise KeyboardInterrupt
    assert [(p.name, p.read_bytes()) for p in (tmp_path / "deep").iterdir()] == [("file", b"new")]
    below = tmp_path / "deep" / "file" / "x"
    with pytest.raises(StorageError, match="a file stands where a folder is needed"), whole_file(below):
        pass


@given(ident=st.text(min_size=1, max_size=300))
def test_ids_make_names_that_are_safe_and_give_them_back(ident):
    name = name_of(ident)
    assert len(name.encode()) <= 180
    assert not set(name) & set('/\\:*?"<>|\0\n')
    assert not name.startswith(".")
    assert "+" in name or unquote(name) == ident


def test_long_ids_that_begin_alike_have_different_names():
    assert name_of("x" * 5000) != name_of("x" * 5001)


def test_what_is_read_is_not_written_over_by_any_name(tmp_path):
    (tmp_path / "video").write_bytes(b"video")
    (tmp_path / "link").symlink_to("video")
    spare_inputs(tmp_path / "new", [tmp_path / "video", tmp_path / "absent", "\0"])
    for name in ("video", "link", "../" + tmp_path.name + "/video"):
        with pytest.raises(UsageError, match="would be written over"):
            spare_inputs(tmp_path / name, [tmp_path / "absent", tmp_path / "video"])
