"""What the commands on tables do, for Python too: a table in, a record out; a saved model and rows for it.

Nothing is printed, drawn or written here (`reports.py` does that), but for the progress bar of `fit`.
"""

from __future__ import annotations

import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import config, layers, optimizers
from hillwalker.errors import FileError, InputError, StateError, explain, unknown_name
from hillwalker.models import Sequential, load_model
from hillwalker.scores import chance, classification_scores, log_losses, regression_scores
from hillwalker.tables import TableEncoder, as_frame, read_table
from hillwalker.training.callbacks import EarlyStopping
from hillwalker.training.history import History

Rows = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]  # training, validation, test


@dataclass(frozen=True)
class Options:
    """How to train on a table.

    `task`: "auto", "regression" or "classification"; `impute`: fill missing values; `drop`: columns to leave out;
    `time_column`: sort by this column and leave it out; `time_ordered`: rows lie in time, so validation and test come
    last, instead of being drawn at random; `patience`: epochs without a better validation loss before training stops.
    """

    task: str = "auto"
    impute: bool = False
    drop: tuple[str, ...] = ()
    time_column: str | None = None
    time_ordered: bool = False
    validation_split: float = 0.2
    test_split: float = 0.2
    hidden: tuple[int, ...] = (64, 32)
    epochs: int = 1000
    patience: int = 30
    batch_size: int = 32
    learning_rate: float = 0.001
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be meant, before any file is read."""
        for name in ("epochs", "patience", "batch_size", *(["hidden"] if not self.hidden else [])):
            _require_positive(name, getattr(self, name))
        for units in self.hidden:
            _require_positive("hidden", units)
        if not isinstance(self.seed, int) or not 0 <= self.seed < 2**32:
            raise InputError(explain(f"seed {self.seed!r}.", "a whole number from 0 to 4294967295.", "--seed 0"))
        if not 0 < self.learning_rate < float("inf"):
            raise InputError(
                explain(f"learning_rate {self.learning_rate}.", "a number above 0.", "--learning-rate 0.001")
            )
        for name in ("validation_split", "test_split"):
            value = getattr(self, name)
            if not 0 < value < 1:
                raise InputError(
                    explain(f"{name} {value}.", "a share between 0 and 1.", f"--{name.replace('_', '-')} 0.2")
                )
        if self.validation_split + self.test_split >= 1:
            total = f"validation_split {self.validation_split} + test_split {self.test_split}"
            raise InputError(
                explain(f"{total}.", "less than 1 together: the rest is for training.", "--test-split 0.2")
            )

    @property
    def in_time(self) -> bool:
        """Whether the rows lie in time."""
        return self.time_ordered or self.time_column is not None


def _require_positive(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        fix = f"--{name.replace('_', '-')} {'64,32' if name == 'hidden' else 32}"
        raise InputError(explain(f"{name} {value!r}.", "whole numbers of 1 or more.", fix))


@dataclass(frozen=True)
class Training:
    """A finished training: the model, what it learned from, and how it did on rows it never saw.

    `rows`: training, validation and test row numbers of the (sorted) table; `actual`, `predicted` (test rows,): in the
    target's units, or class numbers; `probabilities` (test rows, classes) for classes, else None; `scores` and
    `constant_scores`: of the network and of always predicting the training mean (or class shares) on the test rows;
    `chance`: how likely so large a difference of their losses is by chance alone; `seconds`: in `fit`.
    """

    model: Sequential
    encoder: TableEncoder
    options: Options
    history: History
    rows: tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]
    actual: NDArray[Any]
    predicted: NDArray[Any]
    probabilities: NDArray[np.float64] | None
    scores: dict[str, float]
    constant_scores: dict[str, float]
    chance: float
    seconds: float


def split_rows(rows: int, validation: float, test: float, shuffle: bool, seed: int) -> Rows:
    """Return the numbers of the training, validation and test rows; in time, the later parts are validation and test.

    Raises InputError where a part would be empty.

    >>> [part.tolist() for part in split_rows(5, 0.2, 0.2, shuffle=False, seed=0)]
    [[0, 1, 2], [3], [4]]
    """
    order = np.random.default_rng(seed).permutation(rows) if shuffle else np.arange(rows)
    first_test = rows - round(rows * test)
    first_validation = first_test - round(rows * validation)
    parts = order[:first_validation], order[first_validation:first_test], order[first_test:]
    if len(parts[0]) < 2 or min(map(len, parts)) == 0:
        sizes = ", ".join(str(len(part)) for part in parts)
        raise InputError(
            explain(f"{rows} rows, to be split into {sizes} for training, validation and test.", "rows for each part.")
        )
    return parts


def train(table: object, target: str, options: Options | None = None, verbose: str | int = 0) -> Training:
    """Return the training of a dense network that predicts one column of a table (a file's path or a frame).

    All of `options` and the table are checked before anything is trained. Validation rows stop the training early (the
    best weights are kept); the test rows are used once, at the end.

    >>> import numpy, polars
    >>> x = numpy.linspace(-1, 1, 200)
    >>> training = train(polars.DataFrame({"x": x, "y": x**2}), "y", Options(epochs=150))
    >>> training.scores["R²"] > 0.9
    True
    """
    options = options or Options()
    encoder, rows, X, y = _encoded(table, target, options)
    config.set_random_seed(options.seed)
    model = build(encoder, options)
    # A loss that still falls by less than this only makes a network surer of what it knows: targets are standardised,
    # and a log loss this near 0 is no news.
    stop = EarlyStopping("val_loss", min_delta=1e-3, patience=options.patience, restore_best_weights=True)
    started = time.perf_counter()
    history = model.fit(
        X[rows[0]],
        y[rows[0]],
        batch_size=options.batch_size,
        epochs=options.epochs,
        verbose=verbose,
        callbacks=[stop],
        validation_data=(X[rows[1]], y[rows[1]]),
    )
    seconds = time.perf_counter() - started
    if not history.epoch:  # Ctrl-C within the first epoch: nothing was learned that could be judged
        raise KeyboardInterrupt
    return _judge(model, encoder, options, history, rows, X[rows[2]], y, seconds)


def _encoded(
    table: object, target: str, options: Options, folds: int | None = None
) -> tuple[TableEncoder, Rows, NDArray[Any], NDArray[Any]]:
    """Return the encoder fitted on a table's training rows, the split, and all rows' inputs and targets.

    With `folds` in time, it is fitted on the first stretch only: no other comes before all that is validated on.
    """
    frame = as_frame(read_table(table) if isinstance(table, (str, Path)) else table)
    drop = list(options.drop)
    if options.time_column is not None:
        frame = _sorted_by(frame, options.time_column)
        drop.append(options.time_column)
    rows = split_rows(
        len(frame), options.validation_split, options.test_split, shuffle=not options.in_time, seed=options.seed
    )
    learned = rows[0]
    if folds is not None and options.in_time:
        learned = learned[: max(2, (len(rows[0]) + len(rows[1])) // (folds + 1))]
    encoder = TableEncoder.fit(frame, target, task=options.task, impute=options.impute, drop=drop, rows=learned)
    X, y = encoder.transform(frame), encoder.target.encode(frame)
    _require_all_classes(encoder, y[learned])
    return encoder, rows, X, y


@dataclass(frozen=True)
class Prepared:
    """A table and a network to try things with: what `train` would learn from and validate on, its test rows left out.

    `X`, `y`: the training rows and after them the validation rows, of which there are `validation_rows`.
    """

    model: Sequential
    encoder: TableEncoder
    options: Options
    X: NDArray[Any]
    y: NDArray[Any]
    validation_rows: int

    @property
    def training(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """The rows to learn from."""
        return self.X[: -self.validation_rows], self.y[: -self.validation_rows]

    @property
    def validation(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """The rows to validate on."""
        return self.X[-self.validation_rows :], self.y[-self.validation_rows :]


def prepare(table: object, target: str, options: Options | None = None, folds: int | None = None) -> Prepared:
    """Return a table, encoded, and the network that `train` would make for it, to compare variants of.

    The rows that `train` tests on with the same options are in none of it: what is chosen here can be judged there.
    With `folds` in time, inputs and target are scaled by the first stretch of rows.

    >>> import numpy, polars
    >>> x = numpy.linspace(-1, 1, 100)
    >>> prepared = prepare(polars.DataFrame({"x": x, "y": x**2}), "y")
    >>> len(prepared.training[0]), len(prepared.validation[0])
    (60, 20)
    """
    options = options or Options()
    encoder, (training, validation, _), X, y = _encoded(table, target, options, folds)
    kept = np.concatenate([training, validation])
    with config.seeded(options.seed):
        model = build(encoder, options)
    return Prepared(model, encoder, options, X[kept], y[kept], len(validation))


def _sorted_by(frame: Any, column: str) -> Any:
    if column not in frame.columns:
        raise unknown_name("time column", column, frame.columns, "--time-column {}")
    if frame[column].is_null().any():
        raise InputError(explain(f"time column {column!r} with missing values.", "a time in every row."))
    return frame.sort(column)


def _require_all_classes(encoder: TableEncoder, labels: NDArray[Any]) -> None:
    if encoder.target.kind == "classification":
        absent = sorted(set(range(len(encoder.target.classes))) - set(labels.astype(int).tolist()))
        if absent:
            value = encoder.target.classes[absent[0]]
            raise InputError(
                explain(
                    f"target {encoder.target.name!r}, whose class {value!r} is in none of the training rows.",
                    "rows of every class to learn from.",
                    "leave out rows of classes so rare, or split with another --seed",
                )
            )


def build(encoder: TableEncoder, options: Options) -> Sequential:
    """Return a compiled network for an encoded table: relu layers, and the output and loss that the target asks for."""
    classes = len(encoder.target.classes)
    units, activation, loss = (
        (1, "linear", "mean_squared_error")
        if encoder.target.kind == "regression"
        else (1, "sigmoid", "binary_crossentropy")
        if classes == 2
        else (classes, "softmax", "sparse_categorical_crossentropy")
    )
    hidden = [layers.Dense(count, activation="relu") for count in options.hidden]
    model = Sequential(
        [layers.Input((len(encoder.feature_names),)), *hidden, layers.Dense(units, activation=activation)]
    )
    metrics = ["accuracy"] if encoder.target.kind == "classification" else []
    model.compile(optimizer=optimizers.Adam(learning_rate=options.learning_rate), loss=loss, metrics=metrics)
    model.preprocessing = encoder.to_config()
    return model


def _judge(
    model: Sequential,
    encoder: TableEncoder,
    options: Options,
    history: History,
    rows: tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]],
    X_test: NDArray[np.float32],
    y: NDArray[Any],
    seconds: float,
) -> Training:
    """Score the network and the constant prediction on the test rows."""
    outputs = model.predict(X_test, verbose=0)
    learned, unseen = y[rows[0]], y[rows[2]]
    probabilities = None
    if encoder.target.kind == "regression":
        actual, predicted = encoder.target.decode(unseen.reshape(-1, 1)), encoder.target.decode(outputs)
        constant = np.full_like(actual, encoder.target.mean)
        scores, constant_scores = regression_scores(actual, predicted), regression_scores(actual, constant)
        losses, constant_losses = np.square(actual - predicted), np.square(actual - constant)
    else:
        actual = unseen.astype(np.int64)
        probabilities = encoder.target.probabilities(outputs)
        predicted = probabilities.argmax(axis=1)
        shares = np.bincount(learned.astype(np.int64), minlength=len(encoder.target.classes)) / len(learned)
        constant = np.tile(shares, (len(actual), 1))
        scores = classification_scores(actual, probabilities)
        constant_scores = classification_scores(actual, constant)
        losses, constant_losses = log_losses(actual, probabilities), log_losses(actual, constant)
    p = chance(losses, constant_losses, in_time=options.in_time)
    return Training(
        model, encoder, options, history, rows, actual, predicted, probabilities, scores, constant_scores, p, seconds
    )


@dataclass(frozen=True)
class Prediction:
    """What a saved model says about a table.

    `values` (rows,): in the target's units or its classes; `probabilities` (rows, classes) or None; `classes` in the
    order of the probabilities; `actual` and `scores` where the table holds the target, else None; `remarks`: what was
    odd about the table.
    """

    target: str
    values: NDArray[Any]
    probabilities: NDArray[np.float64] | None
    classes: Sequence[Any]
    actual: list[Any] | None
    scores: dict[str, float] | None
    remarks: tuple[str, ...]


def predict(model: str | Path | Sequential, table: object) -> Prediction:
    """Return a model's predictions for a table (a file's path or a frame), scaled as it was in training.

    Columns may lie in any order; extra ones are ignored, with a remark; the target's may be absent. Raises
    InputError for an absent column, or missing values where the model was trained without filling them.
    """
    network = load_model(model) if isinstance(model, (str, Path)) else model
    encoder = TableEncoder.from_config(network.preprocessing)
    frame = as_frame(read_table(table) if isinstance(table, (str, Path)) else table)
    X = encoder.transform(frame)
    remarks = encoder.remarks(frame)
    outputs = network.predict(X, verbose=0)
    target = encoder.target
    probabilities = target.probabilities(outputs) if target.kind == "classification" else None
    actual, scores = None, None
    if target.name in frame.columns:
        try:
            y = target.encode(frame)
        except (InputError, TypeError) as error:
            remarks.append(f"not scored: {str(error).splitlines()[0].removeprefix('Passed: ')}")
        else:
            actual = frame[target.name].to_list()
            scores = (
                regression_scores(target.decode(y.reshape(-1, 1)), target.decode(outputs))
                if probabilities is None
                else classification_scores(y.astype(np.int64), probabilities)
            )
    return Prediction(
        target.name, target.decode(outputs), probabilities, target.classes, actual, scores, tuple(remarks)
    )


# --- a saved model and the rows that it is to be shown on -------------------------------------------------------------


@dataclass(frozen=True)
class Examples:
    """A model and rows with their targets, encoded as the model takes them.

    `X` (rows, inputs) is a polars frame where the inputs have names, else an array; `remarks`: what was odd about the
    file.
    """

    model: Sequential
    X: Any
    y: NDArray[Any]
    remarks: tuple[str, ...] = ()


def read_examples(model: str | Path | Sequential, file: str | Path, target: str | None = None) -> Examples:
    """Return a saved model, and a file's rows and targets in the form in which the model learned.

    A table (.csv, .tsv, .parquet) is encoded as in the training where `hillwalker train` made the model; for another
    model all its columns are numbers, the inputs in their order, and `target` is the column to learn, by default the
    last. An .npz file holds the arrays X and y. Raises FileError or InputError for a file that does not fit.
    """
    network = load_model(model) if isinstance(model, (str, Path)) else model
    if network.loss is None:
        raise StateError(explain("a model that was saved without a loss.", "a compiled model.", "model.compile(...)"))
    path = Path(file)
    if path.suffix.lower() == ".npz":
        return Examples(network, *_arrays(path))
    frame = as_frame(read_table(path))
    if network.preprocessing is None:
        return Examples(network, *_plain_columns(frame, target))
    import polars as pl

    encoder = TableEncoder.from_config(network.preprocessing)
    if target is not None and target != encoder.target.name:
        passed = f"--target {target} with a model that was trained to predict {encoder.target.name!r}."
        raise InputError(explain(passed, "the target of its training.", f"--target {encoder.target.name}"))
    if encoder.target.name not in frame.columns:
        passed = f"{path.name} without the column {encoder.target.name!r}, which the model predicts."
        raise InputError(explain(passed, "rows with their targets: there is no error to trace without them."))
    X = pl.DataFrame(encoder.transform(frame), schema=list(encoder.feature_names))
    return Examples(network, X, encoder.target.encode(frame), tuple(encoder.remarks(frame)))


def _arrays(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    if not path.is_file():
        raise FileError(explain(f"the file {path}, which does not exist.", "an .npz file with the arrays X and y."))
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return arrays["X"], arrays["y"]
    except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
        passed = f"the file {path.name}, which does not hold them ({error})."
        raise FileError(explain(passed, "the arrays X and y.", "np.savez('rows.npz', X=X, y=y)")) from error


def _plain_columns(frame: Any, target: str | None) -> tuple[Any, NDArray[np.float64]]:
    target = frame.columns[-1] if target is None else target
    if target not in frame.columns:
        raise unknown_name("target", target, frame.columns, "--target {}")
    names = [name for name in frame.columns if name != target]
    if not names:
        raise InputError(explain(f"a table whose only column is {target!r}.", "inputs, and the target."))
    for name in (*names, target):
        if not frame[name].dtype.is_numeric():
            passed = f"column {name!r}, which is not of numbers."
            fix = "hillwalker train, whose models know how to encode text"
            raise InputError(explain(passed, "numbers, for a model that was not made from a table.", fix))
        if frame[name].is_null().any():
            raise InputError(explain(f"column {name!r} with missing values.", "a number in every row."))
    return frame[names].to_native(), np.asarray(frame[target].to_numpy(), dtype=np.float64)
