"""The picture of a training: what is drawn, and that nothing global changes."""

import math
import subprocess
import sys

import numpy as np
import pytest

from hillwalker import plots
from hillwalker.errors import InputError, MissingDependencyError
from hillwalker.plots.history import plot_history
from hillwalker.training.history import History

EPOCHS = list(range(40))
LOSS = [math.exp(-epoch / 5) for epoch in EPOCHS]
VALIDATION = [math.exp(-epoch / 5) + 0.001 * epoch + 0.05 for epoch in EPOCHS]
RECORD = History(EPOCHS, {"loss": LOSS, "val_loss": VALIDATION, "accuracy": LOSS}, {"loss": "mean_squared_error"})


def curves(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def test_training_validation_and_the_best_epoch():
    figure = RECORD.plot(["loss"], title="A title")
    (axes,) = figure.axes
    lines = curves(axes)
    np.testing.assert_array_equal(lines["training"].get_xdata(), np.arange(1, 41))
    np.testing.assert_array_equal(lines["validation"].get_ydata(), VALIDATION)
    best = RECORD.best_epoch()
    mark = lines[f"best validation: {VALIDATION[best]:.4g} at epoch {best + 1}"]
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (best + 1, VALIDATION[best])
    assert lines["training"].get_linestyle() != lines["validation"].get_linestyle()
    assert axes.get_ylabel() == "loss\n(mean squared error)"
    assert axes.get_xlabel() == "epoch"
    assert figure.get_suptitle() == "A title"


def test_a_panel_for_each_metric_the_loss_first():
    record = History(
        [0, 1], {"learning_rate": [0.1, 0.1], "mae": [1.0, 2.0], "loss": [1.0, 2.0], "val_mae": [1.0, 2.0]}
    )
    assert [axes.get_ylabel() for axes in record.plot().axes] == ["loss", "mae", "learning rate"]
    assert [axes.get_ylabel() for axes in record.plot(["val_mae"]).axes] == ["mae"]


def test_powers_of_ten_only_where_a_loss_spans_two_decades():
    assert RECORD.plot(["loss"]).axes[0].get_yscale() == "log"
    assert RECORD.plot(["accuracy"]).axes[0].get_yscale() == "linear"
    assert History([0, 1], {"loss": [1.0, 0.1]}).plot().axes[0].get_yscale() == "linear"
    assert History([0, 1], {"loss": [1000.0, 0.0]}).plot().axes[0].get_yscale() == "linear"


def test_validation_every_other_epoch_stands_where_it_was_measured():
    record = History([0, 1, 2, 3], {"loss": [4.0, 3.0, 2.0, 1.0], "val_loss": [3.0, 2.0]}, {"validation_freq": 2})
    np.testing.assert_array_equal(curves(record.plot().axes[0])["validation"].get_xdata(), [2, 4])


def test_nan_leaves_a_gap():
    figure = History([0, 1], {"loss": [math.nan, 1.0], "val_loss": [math.nan, math.nan]}).plot()
    assert "validation" in curves(figure.axes[0])


def test_into_axes_of_ones_own():
    figure = plots.new_figure()
    axes = figure.add_subplot()
    assert plot_history(RECORD, ["loss"], axes=axes) is figure
    assert len(axes.get_lines()) == 3
    with pytest.raises(InputError, match="1 axes for 2 metrics"):
        plot_history(RECORD, axes=axes)


def test_unknown_metrics_and_empty_histories():
    with pytest.raises(InputError, match="'accuracy'"):
        RECORD.plot(["acuracy"])
    with pytest.raises(InputError, match="without epochs"):
        History([], {"loss": []}).plot()


def test_save_writes_the_kind_that_the_ending_says(tmp_path):
    figure = RECORD.plot()
    assert plots.save(figure, tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in plots.save(figure, str(tmp_path / "curves.svg")).read_bytes()
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_without_matplotlib_the_install_line_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    plots._figure_class.cache_clear()
    with pytest.raises(MissingDependencyError, match=r"pip install 'hillwalker\[plot\]'"):
        plots.new_figure()


def test_nothing_global_changes():
    code = """
import matplotlib, sys
before = dict(matplotlib.rcParams)
from hillwalker.training.history import History
History([0, 1], {"loss": [2.0, 1.0]}).plot()
print("matplotlib.pyplot" in sys.modules, dict(matplotlib.rcParams) == before)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["False", "True"]
