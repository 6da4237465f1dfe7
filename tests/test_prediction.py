"""Pictures of predictions: what is drawn is what was given."""

from __future__ import annotations

import numpy as np

from hillwalker.plots.prediction import plot_classes, plot_predicted_vs_actual

ACTUAL, PREDICTED = np.array([1.0, 2.0, 4.0, 8.0]), np.array([1.5, 2.5, 3.0, 6.0])


def test_rows_without_time_show_errors_and_the_diagonal():
    left, right = plot_predicted_vs_actual(ACTUAL, PREDICTED, name="price", note="R² = 0.9").axes
    np.testing.assert_allclose(left.collections[0].get_offsets(), np.column_stack([PREDICTED, ACTUAL - PREDICTED]))
    np.testing.assert_allclose(right.collections[0].get_offsets(), np.column_stack([PREDICTED, ACTUAL]))
    diagonal = right.lines[0]
    np.testing.assert_array_equal(diagonal.get_xdata(), diagonal.get_ydata())
    assert (right.get_xlabel(), right.get_ylabel()) == ("predicted price", "actual price")
    assert right.get_title(loc="left") == "R² = 0.9"


def test_days_are_drawn_over_dates_and_logarithms_on_request():
    dates = np.array(["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"], dtype="datetime64[D]")
    figure = plot_predicted_vs_actual(ACTUAL, PREDICTED, name="volatility", dates=dates, logarithmic=True)
    left, right = figure.axes
    assert [line.get_label() for line in left.lines] == ["actual", "predicted"]
    np.testing.assert_array_equal(left.lines[1].get_ydata(), PREDICTED)
    assert (left.get_yscale(), right.get_xscale(), right.get_yscale()) == ("log", "log", "log")


def test_rows_in_time_are_drawn_in_order():
    left = plot_predicted_vs_actual(ACTUAL, PREDICTED, name="y", in_time=True).axes[0]
    np.testing.assert_array_equal(left.lines[0].get_xdata(), np.arange(4))
    assert left.get_xlabel() == "test row"


def test_counts_and_calibration_of_two_classes():
    labels = np.array([0, 0, 0, 1, 1])
    p = np.array([0.12, 0.18, 0.95, 0.95, 0.15])  # bins .1-.2: one of three came true; .9-1: one of two
    left, right = plot_classes(labels, np.column_stack([1 - p, p]), ["no", "yes"], name="bought").axes
    assert [text.get_text() for text in left.texts] == ["2", "1", "1", "1"]
    np.testing.assert_allclose(right.collections[0].get_offsets(), [[0.15, 1 / 3], [0.95, 0.5]])
    assert right.get_xlabel() == "predicted probability of yes"


def test_calibration_of_many_classes_is_of_the_class_chosen():
    probabilities = np.array([[0.6, 0.2, 0.2], [0.2, 0.65, 0.15], [0.1, 0.2, 0.7]])
    right = plot_classes(np.array([0, 2, 2]), probabilities, [1, 2, 3], name="grade").axes[1]
    np.testing.assert_allclose(right.collections[0].get_offsets(), [[0.625, 0.5], [0.7, 1.0]])
