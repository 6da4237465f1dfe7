"""The record of a training: its best epochs, its frame, its words."""

import math
import subprocess
import sys

import pytest

from hillwalker.errors import InputError, MissingDependencyError
from hillwalker.training.history import History, direction

CURVES = {"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 2.0, 2.5], "val_accuracy": [0.5, 0.9, 0.7]}


@pytest.mark.parametrize(
    ("metric", "wanted"),
    [
        *(
            (name, "min")
            for name in ("loss", "val_mse", "mean_squared_error", "binary_crossentropy_1", "kl_divergence")
        ),
        *((name, "max") for name in ("acc", "val_auc_2", "sparse_categorical_accuracy", "r2_score", "f1_score")),
        *((name, None) for name in ("learning_rate", "my_metric")),
    ],
)
def test_direction_by_name(metric, wanted):
    assert direction(metric) == wanted


def test_best_epoch_looks_at_validation_first_and_knows_which_way_is_better():
    record = History([0, 1, 2], CURVES)
    assert record.best_epoch() == 1
    assert record.best_epoch("loss") == 2
    assert record.best_epoch("val_accuracy") == 1
    assert History([5, 6], {"loss": [math.nan, 1.0]}).best_epoch() == 6


def test_best_epoch_of_an_unknown_metric_or_of_nothing():
    with pytest.raises(InputError, match="'val_loss'"):
        History([0], CURVES).best_epoch("val_los")
    with pytest.raises(InputError, match="at least one epoch"):
        History([], {"loss": []}).best_epoch()


@pytest.mark.parametrize(("frequency", "epochs"), [(2, [1, 3, 5]), ([1, 4, 6], [0, 3, 5])])
def test_validation_freq_puts_values_at_the_epochs_validated(frequency, epochs):
    history = {"loss": [6.0, 5.0, 4.0, 3.0, 2.0, 1.0], "val_loss": [3.0, 1.0, 2.0]}
    record = History(list(range(6)), history, {"validation_freq": frequency})
    assert record.epochs_of("val_loss") == epochs
    assert record.best_epoch() == epochs[1]
    frame = record.to_frame()
    assert frame["val_loss"].dropna().to_dict() == dict(zip(epochs, [3.0, 1.0, 2.0], strict=True))


def test_to_frame_has_one_row_an_epoch():
    frame = History([3, 4, 5], CURVES).to_frame()
    assert list(frame.index) == [3, 4, 5]
    assert frame.index.name == "epoch"
    assert frame["val_loss"].tolist() == CURVES["val_loss"]


def test_to_frame_without_pandas_is_polars_and_without_both_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    frame = History([0, 1, 2], CURVES).to_frame()
    assert frame.columns == ["epoch", *CURVES]
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'hillwalker\[frames\]'"):
        History([0, 1, 2], CURVES).to_frame()


def test_to_dict_is_a_copy_of_everything():
    record = History([0, 1, 2], CURVES, {"epochs": 3}, interrupted=True, stop_reason="Ctrl-C")
    copy = record.to_dict()
    assert copy == {
        "epoch": [0, 1, 2], "history": CURVES, "params": {"epochs": 3}, "interrupted": True, "stop_reason": "Ctrl-C",
    }  # fmt: skip
    copy["history"]["loss"].append(0.0)
    assert len(record.history["loss"]) == 3


def test_the_words_escape_what_is_foreign():
    record = History([0], {"<b>": [1.0], "loss": [2.0]}, stop_reason="early <stopping>")
    assert repr(record).startswith("History: 1 epoch (early <stopping>); <b> 1; loss 2, best 2 at epoch 1")
    page = record._repr_html_()
    assert "<td>&lt;b&gt;</td>" in page
    assert "early &lt;stopping&gt;" in page


def test_the_record_imports_no_picture_or_frame_library():
    code = (
        "import sys, hillwalker.training.history; print(sorted({'matplotlib', 'pandas', 'polars'} & set(sys.modules)))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
