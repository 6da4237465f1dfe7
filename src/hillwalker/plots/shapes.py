"""Activations with their derivatives, losses with their slopes, and the price of confidence: a panel each."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from hillwalker.plots import BLUE, COLOURS, GREY, LINE_STYLES, SMALL, TEXT, VERMILION, new_figure, style
from hillwalker.seeing.shapes import ConfidenceShape, Curve, Shapes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 3  # panels side by side at most


def plot_activations(shapes: Shapes, title: str | None = None) -> Figure:
    """Return a figure with a panel for each activation: f(z), and f'(z) dashed; a dot where f' is the library's choice.

    >>> from hillwalker.seeing.shapes import activation_shapes
    >>> [axes.get_title(loc="left") for axes in plot_activations(activation_shapes(["relu", "tanh"])).axes]
    ['relu', 'tanh']
    """
    count = len(shapes.curves)
    columns = 2 if count == 4 else min(count, COLUMNS)
    rows = math.ceil(count / columns)
    figure = new_figure(max(5.0, 3.5 * columns), 2.7 * rows + 0.5)
    for place, curve in enumerate(shapes.curves):
        axes = figure.add_subplot(rows, columns, place + 1)
        axes.axhline(0, color=GREY, linewidth=0.8)
        axes.plot(curve.x, curve.value, color=BLUE, linewidth=2.0, label="f(z)")
        axes.plot(curve.x, curve.derivative, color=VERMILION, linestyle="--", linewidth=2.0, label="f′(z)")
        _dots(axes, curve)
        name = curve.name.replace("_", " ")
        style(axes, "z" if place + columns >= count else "", "", name)
        if curve.note:
            axes.set_title(f"{name}\n{curve.note}", fontsize=SMALL, loc="left")
        _keep_in_sight(axes, curve)
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2, fontsize=TEXT, frameon=False)
    return _titled(figure, title)


def _keep_in_sight(axes: Axes, curve: Curve) -> None:
    """Cut off an exponential, so that the rest can be read."""
    top = float(np.nanmax(curve.value))
    if top > 20 * float(np.nanmedian(np.abs(curve.value))) and top > 20:
        axes.set_ylim(-0.5, 8.0)


def _dots(axes: Axes, curve: Curve) -> None:
    for kink in curve.kinks:
        axes.plot([kink.x], [kink.derivative], "o", markersize=5, color=VERMILION, zorder=4)


def plot_loss_shapes(shapes: Shapes, title: str | None = None) -> Figure:
    """Return a figure of losses (above) and their slopes (below) against the error; lopsided ones apart.

    >>> from hillwalker.seeing.shapes import loss_shapes
    >>> [axes.get_title(loc="left") for axes in plot_loss_shapes(loss_shapes()).axes if axes.get_title(loc="left")]
    ['even: too high costs as too low', 'lopsided: one side costs more']
    """
    groups = {
        "even: too high costs as too low": [curve for curve in shapes.curves if curve.symmetric],
        "lopsided: one side costs more": [curve for curve in shapes.curves if not curve.symmetric],
    }
    groups = {name: curves for name, curves in groups.items() if curves}
    figure = new_figure(5.0 * len(groups) + 0.4, 6.6)
    panels = figure.subplots(2, len(groups), squeeze=False, sharex=True)
    for column, (name, curves) in enumerate(groups.items()):
        above, below = panels[0][column], panels[1][column]
        for number, curve in enumerate(curves):
            colour, line = COLOURS[number % len(COLOURS)], LINE_STYLES[number % len(LINE_STYLES)]
            above.plot(curve.x, curve.value, color=colour, linestyle=line, linewidth=2.0, label=curve.name)
            below.plot(curve.x, curve.derivative, color=colour, linestyle=line, linewidth=2.0)
        for axes in (above, below):
            axes.axvline(0, color=GREY, linewidth=0.8)
        below.axhline(0, color=GREY, linewidth=0.8)
        _limits(above, [curve.value for curve in curves])
        _limits(below, [curve.derivative for curve in curves])
        style(above, "", "loss" if column == 0 else "", name)
        style(below, shapes.x_label, "slope: dL / dy_pred" if column == 0 else "")
        names = above.get_legend_handles_labels()
        below.legend(*names, fontsize=SMALL, loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=2, frameon=False)
    return _titled(figure, title)


def _limits(axes: Axes, curves: list[np.ndarray]) -> None:
    """Show what lies between the curves' 2nd and 98th percentile where a pole would flatten everything else."""
    everything = np.concatenate([curve[np.isfinite(curve)] for curve in curves])
    low, high = np.percentile(everything, [2, 98])
    if everything.max() - everything.min() > 6 * (high - low):
        axes.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))


def plot_confidence(shape: ConfidenceShape, title: str | None = None) -> Figure:
    """Return a figure of binary cross-entropy against the predicted probability, and of its slope.

    The marked probabilities bear their numbers: "confident and wrong" is where the curves rise.

    >>> from hillwalker.seeing.shapes import confidence_shape
    >>> [axes.get_ylabel() for axes in plot_confidence(confidence_shape()).axes]
    ['loss', 'size of the slope: |dL/dp|']
    """
    figure = new_figure(10.4, 4.6)
    left, right = figure.subplots(1, 2)
    p = shape.probability
    for values, slopes, name, colour, line in (
        (shape.loss_if_1, shape.slope_if_1, "if y = 1: −ln p", BLUE, "-"),
        (shape.loss_if_0, shape.slope_if_0, "if y = 0: −ln(1 − p)", VERMILION, "--"),
    ):
        left.plot(p, values, color=colour, linestyle=line, linewidth=2.0, label=name)
        right.plot(p, np.abs(slopes), color=colour, linestyle=line, linewidth=2.0, label=name.split(":")[0])
    for mark in shape.marks:
        for loss, slope, colour in (
            (mark.loss_if_1, mark.slope_if_1, BLUE),
            (mark.loss_if_0, mark.slope_if_0, VERMILION),
        ):
            left.plot([mark.probability], [loss], "o", color=colour, markersize=6)
            right.plot([mark.probability], [abs(slope)], "o", color=colour, markersize=6)
    for mark in shape.marks:  # the dearer side bears the number, on the side where there is room
        cost = max(mark.loss_if_1, mark.loss_if_0)
        towards = 1 if mark.probability < 0.5 else -1
        text = f"p = {mark.probability:g}: {cost:.3g}"
        if mark.probability == 0.5:
            left.annotate(text, (0.5, cost), (0, -19), textcoords="offset points", ha="center", fontsize=SMALL)
            continue
        place = {"xytext": (9 * towards, 0), "textcoords": "offset points", "va": "center"}
        left.annotate(text, (mark.probability, cost), ha="left" if towards > 0 else "right", fontsize=SMALL, **place)
    left.set_ylim(-0.2, 7.2)
    left.text(0.28, 6.6, "confident and wrong", fontsize=SMALL, color=BLUE, ha="center")
    left.text(0.72, 6.6, "confident and wrong", fontsize=SMALL, color=VERMILION, ha="center")
    right.set_yscale("log")
    style(left, "predicted probability p of label 1", "loss", "What a prediction costs")
    style(right, "predicted probability p of label 1", "size of the slope: |dL/dp|", "How hard it pulls")
    for axes in (left, right):
        axes.set_xlim(-0.02, 1.02)
        axes.legend(fontsize=SMALL, loc="upper center", bbox_to_anchor=(0.5, 0.88), framealpha=0.85, edgecolor="none")
    return _titled(figure, title)


def _titled(figure: Figure, title: str | None) -> Figure:
    if title is not None:
        figure.suptitle(title, fontsize=TEXT + 2, fontweight="bold", x=0.01, ha="left")
    return figure
