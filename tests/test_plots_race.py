"""The race's picture: what lies where, what is cut off, and what is said where nothing helps."""

from __future__ import annotations

import numpy as np
import pytest

from hillwalker.choosing import race
from hillwalker.choosing.learning_rate import Sweep
from hillwalker.plots import plot_race

RATES = 10.0 ** np.arange(-3, 1)
NOISE = np.array([-0.02, -0.01, 0.0, 0.01, 0.02])
SWEPT = np.geomspace(1e-6, 1.0, 30)
SWEEP = Sweep(
    SWEPT, np.linspace(2, 1, 30), np.linspace(2, 1, 30), None, {"valley": 0.01, "slide": 0.1}, "mse", 16, 0.98
)


def judged(scores, constant=1.0, sweep=None):
    scores = np.asarray(scores, float)
    failed = np.isinf(scores).sum(axis=1)
    return race.judged(RATES, scores, failed, constant + NOISE, 0.25, np.arange(4), sweep, 0.0)


FOUND = judged([0.9 + NOISE, 0.3 + NOISE, 0.302 - NOISE, [np.inf, 7.0, 0.6, 0.7, np.nan]])


def lines(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def names(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_the_curve_is_what_decided_and_the_dots_are_the_runs():
    (axes,) = FOUND.plot().axes
    top = axes.collections[0].get_offsets()
    assert len(top) == 5
    np.testing.assert_allclose(np.sort(top[:, 1]), 0.9 + NOISE)
    np.testing.assert_allclose(np.log10(top[:, 0]), -3, atol=0.07)
    curve = lines(axes)["mean, smoothed: what decides"]
    np.testing.assert_array_equal(curve.get_xdata(), RATES)
    np.testing.assert_allclose(curve.get_ydata()[:3], FOUND.smoothed[:3])
    assert axes.get_xscale() == "log"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("learning rate", "validation loss")
    assert lines(axes)["constant prediction"].get_ydata()[0] == pytest.approx(1.0)


def test_what_is_far_above_or_not_finite_is_a_cross_at_the_upper_edge():
    (axes,) = FOUND.plot().axes
    low, high = axes.get_ylim()
    *_, last, _, _ = axes.collections  # the two after it are the legend's
    crosses = [last.get_offsets()]
    assert len(crosses[0]) == 2  # the infinite loss and the 7; the run that was not done is nowhere
    assert (crosses[0][:, 1] < high).all()
    assert (crosses[0][:, 1] > low + 0.9 * (high - low)).all()
    for drawn in axes.collections:
        points = drawn.get_offsets()
        assert ((points[:, 1] >= low) & (points[:, 1] <= high)).all()


def test_the_choice_and_its_interval_are_marked():
    (axes,) = FOUND.plot().axes
    chosen = lines(axes)[f"chosen: {FOUND.learning_rate:.3g}"]
    assert chosen.get_xdata()[0] == FOUND.learning_rate
    assert {"not told from the best", "constant prediction", "the same, by split"} <= set(names(axes))
    span = next(patch for patch in axes.patches if patch.get_label() == "not told from the best")
    left, right = span.get_x(), span.get_x() + span.get_width()
    assert left < FOUND.interval[0]
    assert FOUND.interval[1] < right < 1.0
    assert axes.get_title(loc="left") == f"The race: {FOUND.runs} trainings"


def test_the_range_test_shares_its_axis():
    above, below = judged(FOUND.scores, sweep=SWEEP).plot().axes
    assert above.get_xlim() == below.get_xlim()
    assert above.get_xlim()[0] <= 1e-6
    assert "valley: 0.01" in names(below)
    assert below.get_title(loc="left") == "The range test, for comparison"


@pytest.mark.parametrize(
    "scores",
    [
        [1.2 + NOISE, 1.1 + NOISE, 1.3 + NOISE, 9.0 + NOISE],
        np.full((4, 5), np.inf),
        [1e3 + NOISE, 1e4 + NOISE, 1e5 + NOISE, 1e6 + NOISE],
    ],
    ids=["worse", "all diverged", "far worse"],
)
@pytest.mark.parametrize("constant", [1.0, 0.0])
def test_where_nothing_helps_it_says_so_and_shows_what_there_is(scores, constant):
    found = judged(scores, constant)
    assert found.learning_rate is None
    (axes,) = plot_race(found).axes
    assert axes.get_title(loc="left") == "No rate helps"
    low, high = axes.get_ylim()
    assert low < constant < high
    assert not any(name.startswith("chosen") for name in names(axes))
    best = np.nanmin(np.where(np.isfinite(found.scores), found.scores, np.nan), initial=np.inf)
    assert best < high or np.isinf(best)


def test_words_are_legible():
    for axes in judged(FOUND.scores, sweep=SWEEP).plot().axes:
        texts = [axes.xaxis.label, axes.yaxis.label, *axes.get_xticklabels(), *axes.get_legend().get_texts()]
        assert min(text.get_fontsize() for text in texts) >= 10
