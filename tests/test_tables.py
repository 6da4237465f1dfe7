"""Tables: what is found, what is refused by name, and that nothing is learned from rows outside the training part."""

from __future__ import annotations

import datetime
import gzip
import json

import numpy as np
import pandas as pd
import polars as pl
import pytest

from hillwalker.errors import FileError, InputError, InputTypeError
from hillwalker.tables import TableEncoder, as_frame, choose_target, read_table


def houses(rows: int = 40) -> pl.DataFrame:
    number = np.arange(rows)
    return pl.DataFrame(
        {
            "area": 50.0 + number,
            "town": np.array(["Bern", "Chur", "Aarau"])[number % 3].tolist(),
            "garden": (number % 2 == 0).tolist(),
            "price": 1.5 * number + 0.25,
        }
    )


# --- files


def test_a_csv_with_semicolons_spaces_decimal_commas_and_na_is_read(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("\ufeffa; b;c\n 1,5; x ;NA\n2,25;?;3\n-0,5;y;4\n", encoding="utf-8")
    frame = read_table(path)
    assert frame.to_dict(as_series=False) == {"a": [1.5, 2.25, -0.5], "b": ["x", None, "y"], "c": [None, 3, 4]}


def test_numbers_with_spaces_after_commas_are_numbers(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("age, job\n39, State-gov\n50, Private\n")
    assert read_table(path).rows() == [(39, "State-gov"), (50, "Private")]


def test_a_long_column_of_whole_numbers_that_ends_in_a_fraction_is_read(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a\n" + "1\n" * 5000 + "0.5\n")
    assert read_table(path)["a"].sum() == 5000.5


def test_tsv_gzip_and_parquet_hold_the_same_table(tmp_path):
    frame = houses(5)
    frame.write_csv(tmp_path / "t.tsv", separator="\t")
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(frame.write_csv().encode()))
    frame.write_parquet(tmp_path / "t.parquet")
    for name in ("t.tsv", "t.csv.gz", "t.parquet"):
        assert read_table(tmp_path / name).equals(frame)


@pytest.mark.parametrize(
    ("name", "content", "error", "words"),
    [
        ("absent.csv", None, FileError, "does not exist"),
        ("empty.csv", b"", FileError, "empty"),
        ("header.csv", b"a,b\n", FileError, "no rows"),
        ("t.xlsx", b"PK", InputError, ".parquet"),
        ("t", b"a\n1\n", InputError, ".parquet"),
        ("twice.csv", b"a,b,a\n1,2,3\n", InputError, "more than one column 'a'"),
        ("latin.csv", "a,b\nZürich,1\n".encode("latin-1"), FileError, "UTF-8"),
        ("ragged.csv", b"a,b\n1,2\n1,2,3\n", FileError, "cannot be read"),
        ("cut.parquet", b"PAR1 and no more", FileError, "cannot be read"),
        ("cut.csv.gz", gzip.compress(b"a,b\n1,2\n" * 1000)[:40], FileError, "cannot be read"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, name, content, error, words):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error, match=words):
        read_table(path)


def test_what_is_not_a_frame_is_refused():
    with pytest.raises(InputTypeError, match="list"):
        as_frame([[1, 2]])


# --- inputs


def test_inputs_are_standardised_one_hot_and_named():
    encoder = TableEncoder.fit(houses(), "price")
    assert encoder.feature_names == ("area", "town=Aarau", "town=Bern", "town=Chur", "garden")
    X = encoder.transform(houses())
    assert X.dtype == np.float32
    np.testing.assert_allclose(X[:, 0].mean(), 0, atol=1e-6)
    np.testing.assert_allclose(X[:, 0].std(), 1, atol=1e-6)
    assert X[:3, 1:].tolist() == [[0, 1, 0, 1], [0, 0, 1, 0], [1, 0, 0, 1]]


def test_scaling_and_levels_come_from_the_training_rows_alone():
    rows = np.arange(20)
    other = houses().with_columns(
        area=pl.when(pl.int_range(pl.len()) < 20).then("area").otherwise(1e6),
        town=pl.when(pl.int_range(pl.len()) < 20).then("town").otherwise(pl.lit("Genf")),
    )
    fitted = [TableEncoder.fit(frame, "price", rows=rows) for frame in (houses(), other)]
    assert fitted[0].columns == fitted[1].columns
    assert fitted[0].columns[0].mean == pytest.approx(59.5)
    assert fitted[0].target.mean == pytest.approx(1.5 * 9.5 + 0.25)


def test_pandas_gives_the_same_inputs_as_polars():
    frame = houses()
    as_pandas = pd.DataFrame(frame.to_dict(as_series=False))
    as_pandas["town"] = as_pandas["town"].astype("category")
    encoder, other = TableEncoder.fit(frame, "price"), TableEncoder.fit(as_pandas, "price")
    assert encoder == other
    np.testing.assert_array_equal(encoder.transform(as_pandas), encoder.transform(frame))


def test_missing_values_are_refused_by_name_count_and_first_row():
    frame = houses().with_columns(area=pl.when(pl.col("area") > 85).then("area"), town=pl.lit(None, dtype=pl.String))
    with pytest.raises(InputError, match=r"'area' \(36, first in row 1\), 'town' \(40, first in row 1\)"):
        TableEncoder.fit(frame, "price")


def test_nan_counts_as_missing():
    frame = houses().with_columns(area=pl.when(pl.col("area") == 57).then(float("nan")).otherwise("area"))
    with pytest.raises(InputError, match=r"'area' \(1, first in row 8\)"):
        TableEncoder.fit(frame, "price")


def test_imputing_fills_the_training_median_and_gives_missing_text_a_level():
    frame = pl.DataFrame({"a": [1.0, None, 3.0, 8.0, None], "b": ["x", None, "y", "x", "y"], "y": [0.5, 1.5, 2, 3, 4]})
    encoder = TableEncoder.fit(frame, "y", impute=True, rows=np.arange(4))
    assert encoder.columns[0].median == 3.0
    assert encoder.feature_names == ("a", "b=x", "b=y", "b=(missing)")
    X = encoder.transform(frame)
    assert X[4, 0] == X[2, 0]
    assert X[1, 1:].tolist() == [0, 0, 1]
    assert "1 missing training values filled with their median, 3" in encoder.notes[0]


def test_missing_booleans_become_a_level_of_their_own():
    frame = pl.DataFrame({"a": [True, None, False, True], "y": [0.5, 1.5, 2, 3]})
    encoder = TableEncoder.fit(frame, "y", impute=True)
    assert encoder.feature_names == ("a=false", "a=true", "a=(missing)")
    assert encoder.transform(frame).tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]]


def test_infinity_is_refused_even_when_imputing():
    frame = houses().with_columns(area=pl.when(pl.col("area") == 52).then(float("inf")).otherwise("area"))
    with pytest.raises(InputError, match="'area' with 1 infinite values, the first in row 3"):
        TableEncoder.fit(frame, "price", impute=True)


def test_constant_columns_identifiers_and_row_numbers_are_dropped_with_a_note():
    frame = houses().with_columns(
        same=pl.lit(7), key=pl.format("customer {}", pl.int_range(pl.len())), id=pl.int_range(pl.len()), one=pl.lit("x")
    )
    encoder = TableEncoder.fit(frame, "price")
    assert [column.name for column in encoder.columns] == ["area", "town", "garden"]
    notes = "\n".join(encoder.notes)
    for words in (
        "'same' dropped: it is always 7",
        "'key' dropped: 40 levels in 40 rows",
        "'id' dropped",
        "'one' dropped",
    ):
        assert words in notes


def test_dates_are_refused_with_two_ways_out():
    frame = houses().with_columns(day=pl.lit(datetime.date(2024, 1, 2)))
    with pytest.raises(InputError, match=r"--time-column day .*--drop day"):
        TableEncoder.fit(frame, "price")
    assert TableEncoder.fit(frame, "price", drop=["day"]).feature_names[0] == "area"


def test_columns_may_come_in_any_order_with_others_between():
    encoder = TableEncoder.fit(houses(), "price")
    moved = houses().select("garden", pl.lit(1).alias("extra"), "town", "area")
    np.testing.assert_array_equal(encoder.transform(moved), encoder.transform(houses()))
    assert encoder.remarks(moved) == ["columns not used: extra"]


def test_an_absent_column_is_named():
    with pytest.raises(InputError, match="without the column 'garden'"):
        TableEncoder.fit(houses(), "price").transform(houses().drop("garden"))
    with pytest.raises(InputError, match="Try: 'price'"):
        TableEncoder.fit(houses(), "pricee")


def test_text_where_training_had_numbers_is_refused():
    with pytest.raises(InputTypeError, match="'area' with values such as 'large'"):
        TableEncoder.fit(houses(), "price").transform(houses().with_columns(area=pl.lit("large")))


def test_unknown_categories_are_all_zero_and_counted():
    encoder = TableEncoder.fit(houses(), "price")
    frame = houses(3).with_columns(town=pl.Series(["Genf", "Bern", "Genf"]))
    assert encoder.transform(frame)[:, 1:4].tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert encoder.remarks(frame) == [
        "column 'town': 2 values that training never saw, encoded as all zeros: 'Genf' (2)"
    ]


def test_missing_values_at_prediction_are_refused_unless_trained_with_impute():
    frame = houses().with_columns(area=pl.when(pl.col("area") > 50).then("area"))
    with pytest.raises(InputError, match=r"'area' \(1, first in row 1\)"):
        TableEncoder.fit(houses(), "price").transform(frame)
    X = TableEncoder.fit(houses(), "price", impute=True).transform(frame)
    assert X[0, 0] == 0.0  # the median of evenly spaced numbers is their mean


# --- the target


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0.5, 1.5, 2.5], "regression"),
        (list(range(21)), "regression"),
        (list(range(20)), "classification"),
        ([1.0, 2.0, 1.0], "classification"),
        (["a", "b"], "classification"),
        ([True, False], "classification"),
    ],
)
def test_the_task_is_found_from_the_target(values, kind):
    assert choose_target(as_frame(pl.DataFrame({"y": values})), "y").kind == kind


def test_the_task_can_be_told():
    frame = as_frame(pl.DataFrame({"y": [1, 2, 3, 1]}))
    assert choose_target(frame, "y", "regression").kind == "regression"
    assert choose_target(frame, "y", "classification").classes == (1, 2, 3)


@pytest.mark.parametrize(
    ("values", "task", "words"),
    [
        ([1.5, 1.5], "auto", "always 1.5"),
        (["a", "a"], "auto", "always 'a'"),
        ([1.0, None, 2.0], "auto", r"'y' \(1, first in row 2\)"),
        (["a", None], "auto", r"'y' \(1, first in row 2\)"),
        (["a", "b"], "regression", "holding 'a'"),
        ([f"name {number}" for number in range(60)], "auto", "60 classes in 60 rows"),
        ([0.5, 1.5], "guess", "auto, regression or classification"),
    ],
)
def test_a_target_that_cannot_be_learned_is_refused(values, task, words):
    with pytest.raises(InputError, match=words):
        choose_target(as_frame(pl.DataFrame({"y": values})), "y", task)


def test_regression_targets_are_standardised_and_inverted():
    encoder = TableEncoder.fit(houses(), "price")
    y = encoder.target.encode(as_frame(houses()))
    assert abs(float(y.mean())) < 1e-6
    np.testing.assert_allclose(encoder.target.decode(y.reshape(-1, 1)), houses()["price"].to_numpy(), rtol=1e-6)


def test_two_classes_are_zero_and_one_and_more_are_numbered():
    two = TableEncoder.fit(houses().with_columns(price=pl.Series(["no", "yes"] * 20)), "price").target
    y = two.encode(as_frame(pl.DataFrame({"price": ["yes", "no"]})))
    assert (y.tolist(), y.dtype) == ([1, 0], np.float32)
    assert two.decode(np.array([[0.2], [0.9]])).tolist() == ["no", "yes"]
    many = TableEncoder.fit(houses(), "town").target
    assert many.encode(as_frame(houses())).tolist()[:3] == [1, 2, 0]
    assert many.decode(np.array([[0.1, 0.2, 0.7]])).tolist() == ["Chur"]


def test_an_unknown_class_is_refused():
    target = TableEncoder.fit(houses(), "town").target
    with pytest.raises(InputError, match="unknown class 'Genf'"):
        target.encode(as_frame(pl.DataFrame({"town": ["Genf"]})))


# --- saving


@pytest.mark.parametrize("target", ["price", "town", "garden"])
def test_an_encoder_survives_json(target):
    encoder = TableEncoder.fit(houses(), target, impute=True)
    assert TableEncoder.from_config(json.loads(json.dumps(encoder.to_config()))) == encoder


@pytest.mark.parametrize("config", [None, {}, {"kind": "table"}, {"kind": "table", "columns": [{"kind": "evil"}]}, 3])
def test_what_is_not_an_encoder_is_refused(config):
    with pytest.raises(FileError, match="saved by `hillwalker train`"):
        TableEncoder.from_config(config)
