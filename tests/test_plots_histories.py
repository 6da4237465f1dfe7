"""Several trainings in one picture: whose curve is whose, bands, the gap, and curves that run away."""

import math

import numpy as np
import pytest

from hillwalker.errors import InputError, InputTypeError
from hillwalker.plots import plot_histories
from hillwalker.training.history import History

EPOCHS = [0, 1, 2, 3]
GOOD = History(EPOCHS, {"loss": [1.0, 0.8, 0.6, 0.5], "val_loss": [1.1, 0.9, 0.8, 0.7]}, {"loss": "mean_squared_error"})
SLOW = History(EPOCHS, {"loss": [1.0, 0.99, 0.98, 0.97], "val_loss": [1.1, 1.1, 1.1, 1.0]})
WILD = History(EPOCHS, {"loss": [1.0, 1e9, math.inf], "val_loss": [2.0, 1e9, math.nan]}, {})
WILD = History(EPOCHS[:3], WILD.history)


def curves(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def names(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_overlaid_each_label_once_validation_dashed_in_its_colour():
    (axes,) = plot_histories({"good": GOOD, "slow": SLOW}, title="Rates").axes
    lines = curves(axes)
    assert names(axes) == ["good", "good, validation", "slow", "slow, validation"]
    np.testing.assert_array_equal(lines["slow"].get_ydata(), SLOW.history["loss"])
    np.testing.assert_array_equal(lines["slow"].get_xdata(), [1, 2, 3, 4])
    assert lines["slow"].get_color() == lines["slow, validation"].get_color() != lines["good"].get_color()
    assert lines["slow, validation"].get_linestyle() == "--"
    assert axes.get_ylabel() == "loss\n(mean squared error)"


def test_without_validation_lines_differ_in_style_too():
    (axes,) = plot_histories([GOOD, SLOW], validation=False).axes
    assert names(axes) == ["training 1", "training 2"]
    assert len({line.get_linestyle() for line in curves(axes).values()}) == 2


def test_panels_share_their_scale_and_shade_the_gap():
    figure = plot_histories({"underfit": SLOW, "good": GOOD}, panels=True)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["underfit", "good"]
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    assert names(figure.axes[1]) == ["training", "validation", "the gap"]


@pytest.mark.parametrize(("band", "edges"), [("quartiles", (1.5, 2.5)), ("range", (1.0, 3.0))])
def test_seeds_are_a_median_and_a_band(band, edges):
    seeds = [History([0, 1], {"loss": [value, value]}) for value in (3.0, 1.0, 2.0)]
    (axes,) = plot_histories({"adam": seeds}, band=band).axes
    np.testing.assert_array_equal(curves(axes)["adam (3 runs)"].get_ydata(), [2.0, 2.0])
    heights = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == edges


def test_seeds_of_different_lengths_keep_their_epochs():
    seeds = [History([0, 1, 2], {"loss": [3.0, 2.0, 1.0]}), History([0], {"loss": [5.0]})]
    (axes,) = plot_histories({"adam": seeds}).axes
    np.testing.assert_array_equal(curves(axes)["adam (2 runs)"].get_ydata(), [4.0, 2.0, 1.0])


def test_a_curve_that_runs_away_is_cut_off_and_marked():
    (axes,) = plot_histories({"good": GOOD, "wild": WILD}, validation=False).axes
    assert "wild,\nnot finite from epoch 3" in names(axes)
    low, high = axes.get_ylim()
    assert low < 0.5
    assert high < 10
    cross = next(line for line in axes.get_lines() if line.get_marker() == "x")
    assert cross.get_ydata()[0] == high
    assert not cross.get_clip_on()


def test_alone_a_curve_that_breaks_off_ends_in_a_cross():
    for history, at in ((History([0, 1], {"loss": [1.0, math.nan]}), 1.0), (History([0], {"loss": [math.inf]}), None)):
        (axes,) = plot_histories([history]).axes
        cross = [line for line in axes.get_lines() if line.get_marker() == "x"]
        assert len(cross) == (at is not None)
        assert "not finite" in names(axes)[0]
        assert at is None or cross[0].get_ydata()[0] == at


def test_powers_of_ten_where_a_loss_falls_by_decades():
    fast = History(EPOCHS, {"loss": [10.0, 1.0, 0.1, 0.001]})
    assert plot_histories([fast]).axes[0].get_yscale() == "log"
    assert plot_histories([GOOD]).axes[0].get_yscale() == "linear"


@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (lambda: plot_histories({}), InputError, "at least one"),
        (lambda: plot_histories("loss"), InputTypeError, "label: History"),
        (lambda: plot_histories({"a": 1}), InputTypeError, "a History"),
        (lambda: plot_histories({"a": []}), InputError, "empty list"),
        (lambda: plot_histories({"a": History()}), InputError, "without epochs"),
        (lambda: plot_histories([GOOD], metric="los"), InputError, "'loss'"),
        (lambda: plot_histories([GOOD], band="range_"), InputError, "'range'"),
    ],
)
def test_bad_input_is_refused(call, error, told):
    with pytest.raises(error, match=told):
        call()
