"""Whatever lies in a file that should hold features, it is read or refused with one error that names it."""

import io
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toprock.errors import FeaturesError
from toprock.features.arrays import LARGEST, read_array, read_shape

GOOD = np.linspace(-3, 3, 40, dtype=np.float32).reshape(8, 5)


def saved(path, array=GOOD, **keys):
    if path.suffix == ".npz":
        np.savez_compressed(path, **(keys or {"arr_0": array}))
    else:
        np.save(path, array)
    return path


@pytest.mark.parametrize("name", ["a.npz", "a.npy"])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, ">f4", np.int16])
def test_arrays_of_any_number_come_as_float16(tmp_path, name, kind):
    array = np.asfortranarray(GOOD.astype(kind))
    path = saved(tmp_path / name, array)
    assert read_shape(path) == (8, 5)
    found = read_array(path)
    assert found.dtype == np.float16
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, array.astype(np.float16))


@given(st.floats(2.0**-14, LARGEST, width=32), st.sampled_from([-1, 1]))
def test_what_rounding_loses_is_what_the_docstring_says(tmp_path_factory, value, sign):
    path = saved(tmp_path_factory.getbasetemp() / "rounded.npy", np.full((1, 2), sign * value))
    assert abs(read_array(path)[0, 0] - sign * value) <= value * 0.0005


def test_a_named_array(tmp_path):
    path = saved(tmp_path / "a.npz", feats=GOOD, other=GOOD[:2])
    assert read_array(path, key="feats").shape == (8, 5)
    with pytest.raises(FeaturesError, match=r"no array 'arr_0'; it holds feats, other\. Name one with --key"):
        read_array(path)


class Marker:
    """A pickle that would leave a mark."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("name", ["a.npz", "a.npy"])
def test_objects_are_never_unpickled(tmp_path, name):
    array = np.array([[Marker(tmp_path / "mark")]], dtype=object)
    path = saved(tmp_path / name, array)
    with pytest.raises(FeaturesError, match="Python objects, which are never loaded"):
        read_array(path)
    (tmp_path / "b.npy").write_bytes(pickle.dumps(Marker(tmp_path / "mark")))
    with pytest.raises(FeaturesError, match="cannot be read as an array"):
        read_array(tmp_path / "b.npy")
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("name", ["a.npz", "a.npy"])
@pytest.mark.parametrize(
    ("array", "what"),
    [
        (np.where(np.arange(40).reshape(8, 5) == 7, np.nan, GOOD), "1 of its 40 values are not finite"),
        (np.where(GOOD > 2, np.inf, GOOD), "values are not finite"),
        (GOOD * 1e5, "holds 300000, beyond what a feature store keeps"),
        (GOOD[0], r"has the shape \(5,\)"),
        (GOOD[None], r"has the shape \(1, 8, 5\)"),
        (GOOD[:0], r"is empty \(shape \(0, 5\)\)"),
        (np.array(["abc"]), "holds values of the kind <U3"),
        (GOOD.astype(complex), "complex128"),
    ],
)
def test_arrays_that_are_no_features(tmp_path, name, array, what):
    path = saved(tmp_path / name, array)
    with pytest.raises(FeaturesError, match=what) as caught:
        read_array(path)
    assert str(path) in str(caught.value)
    assert caught.value.advice


@pytest.mark.parametrize("name", ["a.npz", "a.npy"])
def test_files_that_were_cut_off(tmp_path, name):
    path = saved(tmp_path / name)
    whole = path.read_bytes()
    for length in (0, 5, 60, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(FeaturesError, match=r"cannot be read as an array|is cut off"):
            read_array(path)
    with pytest.raises(FeaturesError, match="No such file"):
        read_array(tmp_path / "gone.npz")


def test_a_header_that_declares_too_much_takes_no_memory(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (10**9, 1024)})
    (tmp_path / "a.npy").write_bytes(header.getvalue())
    with pytest.raises(FeaturesError, match="declares 3815 GiB"):
        read_array(tmp_path / "a.npy")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("arr_0.npy", header.getvalue())
    with pytest.raises(FeaturesError, match="declares 3815 GiB"):
        read_array(tmp_path / "a.npz")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return {name: saved(folder / name).read_bytes() for name in ("a.npz", "a.npy")}


@pytest.mark.parametrize("name", ["a.npz", "a.npy"])
@settings(max_examples=150)
@given(st.lists(st.tuples(st.integers(0, 1200), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_bytes_are_read_or_refused(tmp_path_factory, whole, name, changes):
    path = tmp_path_factory.getbasetemp() / name
    data = bytearray(whole[name])
    for place, value in changes:
        data[place % len(data)] = value
    path.write_bytes(data)
    try:
        found = read_array(path)
    except FeaturesError as problem:
        assert str(path) in str(problem)
        assert problem.advice
    else:
        assert found.ndim == 2
        assert np.isfinite(found).all()
