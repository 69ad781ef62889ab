import pytest

from toprock.errors import StorageError
from toprock.files import write_together


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
