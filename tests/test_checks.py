"""Every row of the table of bad input, and every kind of good input."""

import datetime
import re
import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pytest

from hillwalker import checks
from hillwalker.errors import InputError, InputTypeError

TABLE = np.array([[1, 2, 3], [4, 5, 6]])


# ---- good input


@pytest.mark.parametrize("dtype", ["?", "i1", "u1", "i4", "u8", "f2", "f4", "f8", "g", ">f4", ">i8", "<f8"])
@pytest.mark.parametrize("order", ["C", "F", "reversed", "every other"])
def test_any_numeric_dtype_and_memory_order_becomes_c_contiguous_float32(dtype, order):
    value = (np.arange(24).reshape(6, 4) % 5).astype(dtype)
    wanted = value.astype("f4")
    if order == "F":
        value = np.asfortranarray(value)
    elif order == "reversed":
        value, wanted = value[::-1, ::-1], wanted[::-1, ::-1]
    elif order == "every other":
        value, wanted = value[::2, ::2], wanted[::2, ::2]
    array = checks.inputs(value).array
    assert array.dtype == np.dtype("float32")
    assert array.flags.c_contiguous
    assert array.flags.aligned
    np.testing.assert_array_equal(array, wanted)


def test_an_array_that_is_already_right_is_not_copied_even_if_it_is_read_only():
    value = np.ones((3, 2), "float32")
    value.flags.writeable = False
    assert checks.inputs(value).array is value


def test_an_unaligned_array_is_aligned():
    value = np.frombuffer(b"\0" + np.arange(6, dtype="f4").tobytes(), dtype="f4", offset=1).reshape(2, 3)
    assert not value.flags.aligned
    assert checks.inputs(value).array.flags.aligned


def test_float64_stays_float64_where_that_is_asked_for():
    value = np.array([[0.1, 1e300]])
    assert checks.inputs(value, dtype="float64").array is value


@pytest.mark.parametrize("value", [TABLE.tolist(), tuple(map(tuple, TABLE.tolist())), [np.array(row) for row in TABLE]])
def test_lists_and_tuples(value):
    checked = checks.inputs(value)
    np.testing.assert_array_equal(checked.array, TABLE)
    assert checked.columns is None


@pytest.mark.parametrize("library", [pd, pl])
def test_frames_of_mixed_numbers_keep_their_column_names(library):
    frame = library.DataFrame({"age": [1, 2], "income": [0.5, 1.5], "owner": [True, False]})
    checked = checks.inputs(frame)
    assert checked.columns == ("age", "income", "owner")
    np.testing.assert_array_equal(checked.array, [[1, 0.5, 1], [2, 1.5, 0]])


def test_pandas_own_number_types():
    frame = pd.DataFrame({"a": pd.array([1, 2], "Int64"), "b": pd.array([0.5, 1.5], "Float32")})
    np.testing.assert_array_equal(checks.inputs(frame).array, [[1, 0.5], [2, 1.5]])


@pytest.mark.parametrize("series", [pd.Series([1, 2, 3], name="y"), pl.Series("y", [1, 2, 3])])
def test_series_become_one_column(series):
    checked = checks.targets(series)
    np.testing.assert_array_equal(checked.array, [[1], [2], [3]])
    assert checked.columns == ("y",)
    assert checked.was_one_dimensional


def test_a_frame_with_duplicate_column_names_keeps_both_columns():
    frame = pd.DataFrame([[1, True], [2, False]], columns=["a", "a"])
    np.testing.assert_array_equal(checks.inputs(frame).array, [[1, 1], [2, 0]])


def test_anything_with_array_interface():
    class Tensor:
        def __array__(self, dtype=None, copy=None):
            return TABLE.astype(dtype or float)

    np.testing.assert_array_equal(checks.inputs(Tensor()).array, TABLE)


def test_rows_of_more_dimensions_only_where_they_are_expected():
    images = np.zeros((5, 8, 8), "float32")
    assert checks.inputs(images, row_shape=(8, 8)).array is images
    assert checks.inputs(images, row_shape=None).array is images
    with pytest.raises(InputError, match=re.escape("X of shape (5, 8, 8).")) as error:
        checks.inputs(images)
    assert "X.reshape(len(X), -1)" in str(error.value)
    with pytest.raises(InputError, match=re.escape("shape (rows, 8, 9)")):
        checks.inputs(images, row_shape=(8, 9))


# ---- memory-mapped files


def test_a_memory_mapped_file_stays_a_file(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.ones((100, 3)))  # float64: not converted either
    mapped = np.load(path, mmap_mode="r")
    for view in (mapped, mapped[10:50], np.asarray(mapped)[::2]):
        checked = checks.inputs(view)
        assert np.shares_memory(checked.array, mapped)
        assert checked.array.dtype == np.float64


def test_a_memory_mapped_file_is_checked_in_little_memory(tmp_path):
    path = tmp_path / "x.dat"
    mapped = np.memmap(path, dtype="float64", mode="w+", shape=(1_000_000, 20))  # 160 MB, a sparse file
    mapped[777_777, 13] = np.nan
    tracemalloc.start()
    with pytest.raises(InputError, match=r"column 13: 1 \(first NaN in row 777777\)"):
        checks.inputs(mapped)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6


# ---- NaN, infinity, overflow


def test_nan_names_the_column_how_many_and_the_first_row():
    frame = pd.DataFrame({"age": [1.0, np.nan, np.nan], "income": [1.0, 2.0, np.inf]})
    with pytest.raises(InputError) as error:
        checks.inputs(frame)
    assert "column 'age': 2 (first NaN in row 1)" in str(error.value)
    assert "column 'income': 1 (first infinity in row 2)" in str(error.value)


def test_missing_values_of_polars_and_pandas_are_found_too():
    for frame in (pl.DataFrame({"a": [1, None]}), pd.DataFrame({"a": pd.array([1, None], "Int64")})):
        with pytest.raises(InputError, match=r"column 'a': 1 \(first NaN in row 1\)"):
            checks.inputs(frame)


def test_many_bad_columns_are_summed_up():
    with pytest.raises(InputError, match="and 3 more columns"):
        checks.inputs(np.full((2, 8), np.nan))


def test_numbers_too_large_for_float32():
    value = np.array([[1.0, 2.0], [1e300, 3.0]])
    with pytest.raises(InputError, match=r"column 0: 1 \(first 1e\+300, too large for float32, in row 1\)") as error:
        checks.inputs(value)
    assert 'set_floatx("float64")' in str(error.value)


def test_large_finite_numbers_whose_sum_overflows_pass():
    value = np.full((10, 2), 3e38, "float32")
    assert checks.inputs(value).array is value


def test_nan_is_found_in_every_block(monkeypatch):
    monkeypatch.setattr(checks, "BLOCK", 4)
    value = np.zeros((9, 2))
    value[[3, 8], 1] = np.nan
    with pytest.raises(InputError, match=r"column 1: 2 \(first NaN in row 3\)"):
        checks.inputs(value)


def test_nan_in_rows_of_more_dimensions_and_in_y():
    images = np.zeros((4, 2, 2))
    images[2, 1, 0] = np.nan
    with pytest.raises(InputError, match=r"column 2: 1 \(first NaN in row 2"):
        checks.inputs(images, row_shape=None)
    with pytest.raises(InputError, match=r"y with values that are not finite. the only column: 1 \(first NaN in row 1"):
        checks.targets([1.0, np.nan])


# ---- things that are no numbers


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([["a", 1], ["b", 2]], "'a' (str) in column 0, first in row 0"),
        ([[1, 2], [3, "x"]], "'x' (str) in column 1, first in row 1"),
        (np.array([["1.5"], ["2.5"]]), 'np.asarray(X, dtype="float32")'),
        (np.array([[1, 2], [3, None]], dtype=object), "None (NoneType) in column 1, first in row 1"),
        (np.array([[1, 2], [3, 4]], dtype=object), 'np.asarray(X, dtype="float32")'),
        (np.array([[1 + 2j]]), "complex"),
        (np.array([["2020-01-01"]], "datetime64[D]"), "dates or times"),
        (np.zeros(3, [("a", "f4"), ("b", "f4")]), "X: an object of type numpy.ndarray"),
        (None, "NoneType"),
        ("prices.csv", "type str"),
        ({"a": [1, 2]}, "type dict"),
        ((row for row in [[1], [2]]), "type generator"),
        (pl.LazyFrame({"a": [1]}), "X.collect()"),
    ],
)
def test_things_that_are_no_numbers(value, told):
    with pytest.raises((InputTypeError, InputError)) as error:
        checks.inputs(value)
    assert told in str(error.value)


@pytest.mark.parametrize("library", [pd, pl])
def test_text_columns_are_named_with_their_first_row(library):
    frame = library.DataFrame({"age": [1, 2], "city": ["Paris", "Rome"]})
    with pytest.raises(InputTypeError, match=r"X with 'Paris' \(str\) in column 'city', first in row 0"):
        checks.inputs(frame)


@pytest.mark.parametrize(
    ("frame", "fix"),
    [
        (pd.DataFrame({"size": pd.Categorical(["S", "M"])}), "pd.get_dummies(X, columns=['size'])"),
        (pd.DataFrame({"size": pd.Categorical([1, 2])}), "pd.get_dummies(X, columns=['size'])"),
        (pl.DataFrame({"size": ["S", "M"]}, schema={"size": pl.Categorical}), "X.to_dummies('size')"),
        (pl.DataFrame({"size": ["S", "M"]}, schema={"size": pl.Enum(["S", "M"])}), "X.to_dummies('size')"),
    ],
)
def test_categorical_columns_are_named_with_the_line_that_makes_them_one_hot(frame, fix):
    with pytest.raises(InputTypeError, match="categorical column, 'size'") as error:
        checks.inputs(frame)
    assert fix in str(error.value)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": [1, 2], "when": pd.to_datetime(["2020-01-01", "2020-01-02"])}),
        pd.DataFrame({"a": [1, 2], "when": pd.to_datetime(["2020-01-01", "2020-01-02"], utc=True)}),
        pd.DataFrame({"a": [1, 2], "when": pd.to_timedelta(["1D", "2D"])}),
        pl.DataFrame({"a": [1, 2], "when": [datetime.date(2020, 1, 1), datetime.date(2020, 1, 2)]}),
        pl.DataFrame({"a": [1, 2], "when": [datetime.datetime(2020, 1, 1), datetime.datetime(2020, 1, 2)]}),
    ],
)
def test_date_columns_are_named(frame):
    with pytest.raises(InputTypeError, match="dates or times in column 'when'"):
        checks.inputs(frame)


def test_text_labels_come_with_the_line_that_counts_them():
    for labels in (["cat", "dog"], pd.Series(["cat", "dog"], name="y"), pd.Series(["a", "b"], dtype="category")):
        with pytest.raises(InputTypeError) as error:
            checks.targets(labels)
        assert "classes, y = np.unique(y, return_inverse=True)" in str(error.value)


def test_ragged_lists_name_the_row():
    with pytest.raises(InputError, match="3 numbers in row 0 and 2 in row 1"):
        checks.inputs([[1, 2, 3], [4, 5]])


def test_masked_arrays_with_masked_values():
    with pytest.raises(InputError, match="masked"):
        checks.inputs(np.ma.array([[1.0, 2.0]], mask=[[False, True]]))


@pytest.mark.parametrize("value", [3.0, np.float32(3), np.array(3)])
def test_scalars(value):
    with pytest.raises(InputError, match="a single number"):
        checks.inputs(value)


@pytest.mark.parametrize("value", [[], np.zeros((0, 4)), np.zeros((4, 0)), pd.DataFrame(), pl.DataFrame(), [[], []]])
def test_empty_data(value):
    with pytest.raises(InputError, match="empty"):
        checks.inputs(value)


def test_one_row_given_flat_comes_with_the_line_that_makes_it_a_row():
    with pytest.raises(InputError, match=re.escape("X of shape (20,).")) as error:
        checks.inputs(np.zeros(20), row_shape=(20,))
    assert "X.reshape(1, -1)" in str(error.value)


# ---- arguments


def test_lengths_that_differ_show_both_shapes():
    with pytest.raises(InputError, match=re.escape("X of shape (5, 2) and y of shape (4, 1).")):
        checks.same_length(("X", np.zeros((5, 2))), ("y", np.zeros((4, 1))))


def test_width_names_the_layer_and_both_shapes():
    checks.width(np.zeros((5, 3)), 3, "dense")
    with pytest.raises(InputError, match=r"\(5, 2\) to the layer 'dense'.\nExpected: shape \(rows, 3\)"):
        checks.width(np.zeros((5, 2)), 3, "dense")


def test_sample_weight():
    assert checks.sample_weight(None, 3) is None
    np.testing.assert_array_equal(checks.sample_weight(np.array([[1], [0]]), 2), [1, 0])
    for bad in ([1, 2, 3], [1, -1], [1, np.nan], ["a", "b"], 1.0, {0: 1.0}, np.ones((2, 2))):
        with pytest.raises((InputError, InputTypeError), match="sample_weight"):
            checks.sample_weight(bad, 2)


def test_class_weight_by_class_number_and_one_hot():
    y = np.array([[0.0], [2.0], [1.0]])
    np.testing.assert_array_equal(checks.class_weight({0: 2, 2: 0.5}, y), [2, 0.5, 1])
    np.testing.assert_array_equal(checks.class_weight({0: 2, 2: 0.5}, np.eye(3)[[0, 2, 1]]), [2, 0.5, 1])


def test_class_weight_of_a_class_that_cannot_occur():
    y = np.array([[0.0], [1.0]])
    with pytest.raises(InputError, match="class_weight with 7, which y does not hold"):
        checks.class_weight({0: 1.0, 7: 2.0}, y)
    np.testing.assert_array_equal(checks.class_weight({0: 3.0, 7: 2.0}, y, classes=8), [3, 1])
    np.testing.assert_array_equal(checks.class_weight({2: 2.0}, np.eye(3)[:2]), [1, 1])


@pytest.mark.parametrize(
    "bad", ["balanced", [1.0, 5.0], {"cat": 1.0}, {0: -1.0}, {0: float("nan")}, {0: "a"}, {0.5: 1.0}, {True: 1.0}]
)
def test_class_weight_of_other_kinds(bad):
    with pytest.raises((InputError, InputTypeError), match="class_weight"):
        checks.class_weight(bad, np.array([[0.0], [1.0]]))


def test_class_weight_for_targets_that_are_no_classes():
    with pytest.raises(InputError, match=r"target 0.5 in row 1"):
        checks.class_weight({0: 1.0}, np.array([[0.0], [0.5]]))


def test_validation_split_takes_keras_share():
    assert [checks.validation_split(value, 10) for value in (0, 0.0, 0.2, 0.25)] == [10, 10, 8, 7]


@pytest.mark.parametrize(("value", "rows"), [(1.0, 10), (-0.1, 10), (0.5, 1), (0.99, 10), ("0.2", 10), (True, 10)])
def test_validation_split_that_leaves_nothing(value, rows):
    with pytest.raises(InputError, match="validation_split"):
        checks.validation_split(value, rows)


def test_whole_numbers_and_probabilities():
    assert checks.positive_integer("units", np.int64(3), "Dense(3)") == 3
    assert checks.probability("rate", 0, "Dropout(0.5)") == 0.0
    for bad in (0, -1, 2.0, "3", None, True, np.nan):
        with pytest.raises(InputError, match=r"Try: Dense\(3\)"):
            checks.positive_integer("units", bad, "Dense(3)")
    for bad in (-0.1, 1.1, "a", None, float("nan"), True):
        with pytest.raises(InputError, match="rate="):
            checks.probability("rate", bad, "Dropout(0.5)")


def test_a_quick_look_passes_what_is_plainly_right_as_the_long_one_returns_it():
    rows = np.arange(6.0).reshape(3, 2)
    for value in (rows, rows.astype(np.float32), np.asfortranarray(rows), rows.astype(np.int8), rows[::2]):
        quick, checked = checks.quick(value, "float32", 2), checks.inputs(value).array
        assert quick.dtype == np.float32
        assert quick.flags.c_contiguous
        np.testing.assert_array_equal(quick, checked)
    np.testing.assert_array_equal(checks.quick(rows[:, 0], "float64", 1), rows[:, :1])


@pytest.mark.parametrize(
    "value",
    [
        [[1.0, 2.0]],
        np.array([1.0, 2.0]),
        np.array([[1.0, 2.0, 3.0]]),
        np.array([[1.0, np.nan]]),
        np.array([[-np.inf, 1.0]]),
        np.array([[1e39, 1.0]]),
        np.array([[1j, 1.0]]),
        np.array([["1", "2"]]),
        np.array([[None, 1.0]], dtype=object),
        np.ma.masked_array([[1.0, 2.0]], [[True, False]]),
        np.empty((0, 2)),
        pd.DataFrame({"a": [1.0], "b": [2.0]}),
        np.ones((checks.QUICK, 2)),
    ],
    ids=repr,
)
def test_a_quick_look_leaves_all_else_to_the_long_one(value):
    assert checks.quick(value, "float32", 2) is None
