"""Curves from anything: a record, a dict, a frame, an estimator or a file becomes `Curves`, or an error that teaches.

Columns are named in `log_names.py` and put by epoch in `log_columns.py`, where it also says when a loss is no number;
files are read in `log_files.py` and `tensorboard.py`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hillwalker.diagnosis.curves import Curves
from hillwalker.diagnosis.log_columns import Log, curves_of, is_nan
from hillwalker.diagnosis.log_files import log_of, log_of_history, read_log
from hillwalker.errors import InputError, InputTypeError, explain
from hillwalker.training.history import History

INNER = ("best_estimator_", "regressor_", "_final_estimator")
"""Where scikit-learn keeps the estimator that was trained: in a search, a transformed target, a pipeline."""


def read_curves(source: object) -> Curves:
    r"""Return the curves in a history, a dict, a frame, a scikit-learn estimator, a list of losses, or a file's path.

    Files: hillwalker's and Keras's CSVLogger, Lightning's metrics.csv, any CSV with one row an epoch, a saved history,
    Hugging Face's trainer_state.json, JSON lines, TensorBoard's event files and folders. One value an epoch: the last
    that the log has there. A blank is NaN, a loss that was no number infinite. Raises InputError where it is unclear
    which column is which, InputTypeError for what cannot hold curves, FileError for a file that cannot be read.

    >>> read_curves({"loss": [1.0, 0.5, 0.4], "val_loss": [1.1, 0.7, 0.8]})
    Curves from a dict: 3 epochs of loss, val_loss
    >>> read_curves([0.9, 3.2, float("nan")]).loss.tolist()
    [0.9, 3.2, inf]
    """
    if isinstance(source, Curves):
        return source
    return curves_of(_log(source))


def _log(source: Any) -> Log:
    if isinstance(source, str | os.PathLike):
        return read_log(Path(source))
    if isinstance(source, History):
        return log_of_history(source)
    if isinstance(source, Mapping):
        return log_of(source, "a dict")
    history = getattr(source, "history", None)  # of Keras's History a dict, of its models a History
    if isinstance(history, Mapping):
        ended = {"params": getattr(source, "params", None), "stop_reason": getattr(source, "stop_reason", None)}
        return log_of({"history": history, "epoch": getattr(source, "epoch", None), **ended}, "a history")
    if isinstance(getattr(history, "history", None), Mapping):
        return _log(history)
    if hasattr(source, "get_params") and hasattr(source, "fit"):
        return _estimator(source)
    if hasattr(source, "columns") and hasattr(source, "__getitem__"):
        return _frame(source)
    if isinstance(source, list | tuple | np.ndarray) or hasattr(source, "__array__"):
        return _numbers(source)
    expected = "a history, a dict of lists, a frame, a fitted MLPRegressor or MLPClassifier, or the path of a log."
    fix = "hw.diagnose(model.fit(X, y, ...))" if hasattr(source, "fit") else 'hw.diagnose("training.csv")'
    raise InputTypeError(explain(f"a {type(source).__name__}.", expected, fix))


def _estimator(source: Any) -> Log:
    """Return the loss of scikit-learn's MLPs, and with early_stopping=True accuracy or R² on the rows held out."""
    name = type(source).__name__
    for inner in INNER * 2:  # a pipeline may lie within a search, and the other way round
        source = getattr(source, inner, source)
    if (losses := getattr(source, "loss_curve_", None)) is None:
        passed = f"a {name} without loss_curve_."
        expected = "a fitted MLPRegressor or MLPClassifier, trained by epochs: solver='adam' or 'sgd'."
        raise InputError(explain(passed, expected, "MLPRegressor(solver='adam', early_stopping=True).fit(X, y)"))
    columns = {"loss": list(losses)}
    if (scores := getattr(source, "validation_scores_", None)) is not None:
        columns["val_accuracy" if hasattr(source, "classes_") else "val_r2_score"] = list(scores)
    early = getattr(source, "early_stopping", False) and len(losses) < source.max_iter
    return Log(name, columns, stop_reason="n_iter_no_change epochs without an improvement" if early else None)


def _frame(frame: Any) -> Log:
    """Return the columns of a pandas, polars or other frame, and its index if that has a name."""
    names = [str(name) for name in frame.columns]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(explain(f"a frame with two columns {twice!r}.", "a name of its own for each column."))
    columns = {str(name): _cells(frame[name]) for name in frame.columns}
    index = getattr(frame, "index", None)
    if index is not None and index.name is not None and str(index.name) not in columns:
        columns = {str(index.name): _cells(index), **columns}
    if index is None:  # polars and its like tell a blank from NaN
        return Log("a frame", columns)
    some = {name: [] if all(map(is_nan, cells)) else cells for name, cells in columns.items()}
    return Log("a frame", some, nan_is_blank=True)


def _cells(column: Any) -> list[Any]:
    cells = column.to_list() if hasattr(column, "to_list") else column
    return [None if type(cell).__name__ in ("NAType", "NaTType") else cell for cell in cells]  # pandas's blanks


def _numbers(source: Any) -> Log:
    """Return the columns of a list or array: losses, rows of (train, validation), or dicts."""
    if isinstance(source, list | tuple) and any(isinstance(cell, Mapping) for cell in source):
        return log_of(list(source), "a list")
    try:
        values = np.asarray(source, np.float64)
    except (TypeError, ValueError, OverflowError):
        return log_of(list(source), "a list")
    name = "a list" if isinstance(source, list | tuple) else "an array"
    if values.ndim == 2 and values.shape[1] == 2:
        return Log(name, {"train": values[:, 0].tolist(), "validation": values[:, 1].tolist()})
    if values.ndim != 1:
        passed = f"{name} of shape {values.shape}."
        expected = "one loss an epoch, shape (epochs,), or training and validation loss, shape (epochs, 2)."
        raise InputError(explain(passed, expected, 'hw.diagnose({"loss": ..., "val_loss": ...})'))
    return Log(name, {"loss": list(source)})
