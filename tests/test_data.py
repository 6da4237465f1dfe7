"""Data of every kind, through `fit`: the same numbers train the same network; files are not copied whole."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import hillwalker as hw
from hillwalker.layers import Dense, Dropout, Input
from hillwalker.models import Sequential
from hillwalker.training import batches

WHOLE = np.random.default_rng(0).integers(0, 100, (70, 3))  # numbers that every numeric dtype can hold
TARGET = WHOLE[:, 0] % 7


def trained(X, y, weights=None, shuffle=True, batch_size=16, **options):
    """Train a new network of seed 0; return its weights' bytes, its curves and its predictions."""
    hw.utils.set_random_seed(0)
    model = Sequential([Input((3,)), Dense(4, activation="tanh"), Dropout(0.1), Dense(1)])
    model.compile("adam", "mse", metrics=["mae"], weighted_metrics=["mse"])
    options = {"validation_split": 0.2, "epochs": 2, **options}
    history = model.fit(
        X, y, sample_weight=weights, shuffle=shuffle, batch_size=batch_size, verbose=0, **options
    ).history
    return model.state.parameters.tobytes(), history, model.predict(X, verbose=0).tolist()


@pytest.fixture
def expected(engine):
    return trained(WHOLE.astype(np.float32), TARGET.astype(np.float32))


# ---- arrays


DTYPES = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"]


@pytest.mark.parametrize("dtype", [*DTYPES, "longdouble", ">f8", "<i4", ">i2"])
def test_every_numeric_dtype(dtype, expected):
    assert trained(WHOLE.astype(dtype), TARGET.astype(dtype)) == expected


def test_booleans(engine):
    X, y = WHOLE > 50, TARGET > 3
    assert trained(X, y) == trained(X.astype(np.float32), y.astype(np.float32))


ORDERS = {
    "Fortran": lambda array: np.asfortranarray(array),
    "every second row": lambda array: np.repeat(array, 2, axis=0)[::2],
    "backwards": lambda array: array[::-1].copy()[::-1],
    "a part of columns": lambda array: np.concatenate([array, array], axis=1)[:, : array.shape[1]],
    "transposed": lambda array: np.ascontiguousarray(array.T).T,
    "unaligned": lambda array: (
        np.frombuffer(b"x" + array.tobytes(), np.uint8)[1:].view(array.dtype).reshape(array.shape)
    ),
    "read-only": lambda array: np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape),
    "a subclass": lambda array: np.ma.array(array),
    "broadcast": lambda array: np.broadcast_to(array[None], (1, *array.shape))[0],
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_memory_order(order, dtype, expected):
    X, y = WHOLE.astype(dtype), TARGET.astype(dtype)
    assert trained(ORDERS[order](X), ORDERS[order](y[:, None])) == expected


def test_data_are_never_written_to(engine):
    X, y, weights = WHOLE.astype(np.float32), TARGET.astype(np.float32), np.ones(70, np.float32)
    before = X.tobytes(), y.tobytes(), weights.tobytes()
    for array in (X, y, weights):
        array.flags.writeable = False
    trained(X, y, weights, class_weight={0: 2.0})
    assert (X.tobytes(), y.tobytes(), weights.tobytes()) == before


@pytest.mark.parametrize(
    "shape", ["flat", "column", "list", "list of lists", "tuple", "list of arrays", "list of scalars"]
)
def test_lists_and_columns(shape, expected):
    X, y = WHOLE.tolist(), TARGET.tolist()
    X, y = {
        "flat": (WHOLE, TARGET),
        "column": (WHOLE, TARGET[:, None]),
        "list": (X, y),
        "list of lists": (X, [[value] for value in y]),
        "tuple": (tuple(map(tuple, X)), tuple(y)),
        "list of arrays": (list(WHOLE), list(TARGET[:, None])),
        "list of scalars": ([list(row) for row in WHOLE], list(TARGET)),
    }[shape]
    assert trained(X, y) == expected


def test_anything_with_the_array_interface(expected):
    class Holder:
        def __init__(self, array):
            self.array = array

        def __array__(self, dtype=None, copy=None):
            return self.array if dtype is None else self.array.astype(dtype)

    assert trained(Holder(WHOLE), Holder(TARGET)) == expected


def test_sample_weight_of_every_kind(engine):
    weights = np.arange(70) % 5
    expected = trained(WHOLE, TARGET, weights.astype(np.float32))
    for given in (weights, weights.tolist(), weights[:, None], weights.astype(float)[::-1].copy()[::-1]):
        assert trained(WHOLE, TARGET, given) == expected


# ---- frames


def test_pandas_frames_series_and_nullable_dtypes(expected):
    pd = pytest.importorskip("pandas")
    frame, series = pd.DataFrame(WHOLE, columns=list("abc")), pd.Series(TARGET, name="y")
    shuffled_index = np.random.default_rng(0).permutation(70)
    for X, y in (
        (frame, series),
        (frame.astype("Int64"), series.astype("Float32")),
        (frame.astype({"a": "float32", "b": "int8", "c": "Float64"}), series.to_frame()),
        (frame.set_index(shuffled_index), series.set_axis(range(70, 0, -1))),
        (frame, TARGET),
        (WHOLE, series),
    ):
        assert trained(X, y) == expected


def test_polars_frames_and_series(expected):
    pl = pytest.importorskip("polars")
    frame, series = pl.DataFrame(WHOLE, schema=list("abc")), pl.Series("y", TARGET)
    for X, y in (
        (frame, series),
        (frame.cast({"a": pl.Float32, "b": pl.UInt8}), series.cast(pl.Int16)),
        (frame, series.to_frame()),
    ):
        assert trained(X, y) == expected


def test_frames_in_every_other_place(engine):
    pd = pytest.importorskip("pandas")
    frame, series = pd.DataFrame(WHOLE), pd.Series(TARGET)
    model = Sequential([Dense(1, input_dim=3)])
    model.compile("sgd", "mse")
    loss = model.evaluate(WHOLE, TARGET, verbose=0)
    assert model.evaluate(frame, series, sample_weight=pd.Series(np.ones(70)), verbose=0) == loss
    assert model.test_on_batch(frame, series) == pytest.approx(loss)
    np.testing.assert_array_equal(model.predict(frame, verbose=0), model.predict(WHOLE, verbose=0))
    history = model.fit(frame, series, validation_data=(frame, series, series), verbose=0).history
    assert np.isfinite(history["val_loss"]).all()


# ---- memory-mapped files


def mapped(folder, name, array, order="C"):
    file = np.lib.format.open_memmap(folder / f"{name}.npy", "w+", array.dtype, array.shape, order == "F")
    file[...] = array
    file.flush()
    return np.load(folder / f"{name}.npy", mmap_mode="r")


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_memory_mapped_file_trains_as_the_array_does(shuffle, dtype, order, engine, tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "PART_BYTES", 16 * 3 * 4 * 2)  # a few batches a part, so that parts are put together
    X, y = mapped(tmp_path, "X", WHOLE.astype(dtype), order), mapped(tmp_path, "y", TARGET.astype(dtype))
    expected = trained(WHOLE.astype(np.float32), TARGET.astype(np.float32), shuffle=shuffle)
    weights, history, predicted = trained(X, y, shuffle=shuffle)
    assert weights == expected[0]
    for name, values in expected[1].items():
        np.testing.assert_allclose(history[name], values, rtol=1e-6)
    np.testing.assert_allclose(predicted, expected[2], rtol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 7, 56, 1000])
def test_batches_of_every_size_from_a_file(batch_size, engine, tmp_path):
    X, y = mapped(tmp_path, "X", WHOLE.astype(np.float64)), mapped(tmp_path, "y", TARGET)
    assert trained(X, y, batch_size=batch_size)[0] == trained(WHOLE, TARGET, batch_size=batch_size)[0]


def test_a_slice_of_a_file_and_a_file_of_weights(engine, tmp_path):
    X = mapped(tmp_path, "X", np.concatenate([WHOLE, WHOLE]).astype(np.float32))[70:]
    weights = mapped(tmp_path, "weights", np.linspace(0.5, 1.5, 70))
    assert trained(X, TARGET, weights)[0] == trained(WHOLE, TARGET, np.linspace(0.5, 1.5, 70))[0]


def test_nan_in_a_file_is_found_and_named(tmp_path):
    spoilt = WHOLE.astype(np.float32)
    spoilt[68, 2] = np.nan
    with pytest.raises(hw.errors.InputError, match=r"column 2: 1 \(first NaN in row 68\)"):
        trained(mapped(tmp_path, "X", spoilt), TARGET)


MEMORY = """
import json, re, sys
import numpy as np
import hillwalker as hw

class Watch(hw.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        peaks.append(anonymous())
        if batch == 3:
            self.model.stop_training = True

def anonymous():  # bytes that are no page cache
    return int(re.search(r"RssAnon:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024

X, y = np.load(sys.argv[1], mmap_mode="r"), np.load(sys.argv[2], mmap_mode="r")
model = hw.Sequential([hw.Input((X.shape[1],)), hw.layers.Dense(8, activation="relu"), hw.layers.Dense(1)])
model.compile("sgd", "mse", metrics=["mae"])
peaks = [anonymous()]
model.fit(X, y, batch_size=2000, epochs=1, shuffle=sys.argv[3] == "shuffle", callbacks=[Watch()], verbose=0)
print(json.dumps({"steps": model.optimizer.iterations, "grown": max(peaks) - peaks[0]}))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc/self/status is Linux's")
@pytest.mark.parametrize("order", ["shuffle", "as it lies"])
@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_a_large_file_is_not_copied_whole(dtype, order, tmp_path):
    """A sparse file of 1 GB: it takes no room on the disk, and its rows are zeros."""
    rows = 2**30 // (1000 * np.dtype(dtype).itemsize)
    np.lib.format.open_memmap(tmp_path / "X.npy", "w+", dtype, (rows, 1000))
    np.lib.format.open_memmap(tmp_path / "y.npy", "w+", "float32", (rows,))
    command = [sys.executable, "-c", textwrap.dedent(MEMORY), tmp_path / "X.npy", tmp_path / "y.npy", order]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["steps"] == 4
    assert told["grown"] < 250e6, "the file has 1074 MB"


# ---- the order of rows


def rows_of(count, batch_size, seed=3, iteration=5):
    parts = list(batches.windows(count, batch_size, True, seed, iteration))
    return parts, np.concatenate(parts)


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 100, 511, 512, 513, 1000, 5000, 5001])
@pytest.mark.parametrize("batch_size", [1, 7, 32, 100, 6000])
def test_windows_hold_every_row_once_and_whole_batches(count, batch_size, monkeypatch):
    monkeypatch.setattr(batches, "WINDOW", 512)
    monkeypatch.setattr(batches, "BLOCK", 16)
    parts, rows = rows_of(count, batch_size)
    assert rows.dtype == np.uint32
    assert np.array_equal(np.sort(rows), np.arange(count))
    assert all(len(part) % batch_size == 0 for part in parts[:-1])
    assert np.array_equal(rows, rows_of(count, batch_size)[1]), "the order follows from seed and iteration"
    if count > 60:
        assert not np.array_equal(rows, np.arange(count))
        assert not np.array_equal(rows, rows_of(count, batch_size, iteration=6)[1])
        assert not np.array_equal(rows, rows_of(count, batch_size, seed=4)[1])


def test_windows_mix_blocks_from_everywhere(monkeypatch):
    monkeypatch.setattr(batches, "WINDOW", 512)
    monkeypatch.setattr(batches, "BLOCK", 16)
    parts, _ = rows_of(20_000, 32)
    assert len(parts) == 40
    for part in parts[:-1]:
        assert part.max() - part.min() > 10_000, "a window is drawn from the whole file"
        neighbours = np.abs(np.diff(part.astype(np.int64))) == 1
        assert neighbours.mean() < 0.05, "and its blocks are taken apart"


def test_more_rows_than_a_window_as_they_are():
    count = 2**22 + 5000
    rows = rows_of(count, 32)[1]
    assert np.array_equal(np.bincount(rows, minlength=count), np.ones(count))


@pytest.mark.filterwarnings("ignore::hillwalker.errors.MistakeWarning")
def test_training_over_several_windows_sees_every_row(monkeypatch, engine):
    """With targets of 1 at one row and a rate that moves the bias by 1 in its step, each row's step is visible."""
    monkeypatch.setattr(batches, "WINDOW", 64)
    monkeypatch.setattr(batches, "BLOCK", 8)
    model = Sequential([Dense(1, input_dim=1, kernel_initializer="zeros")])
    model.compile(hw.optimizers.SGD(0.5), "mse")
    seen = []
    watch = hw.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(model.get_weights()[1][0]))
    y = np.arange(203.0)
    model.fit(np.zeros((203, 1)), y, batch_size=1, callbacks=[watch], verbose=0)
    assert sorted(seen) == y.tolist()
