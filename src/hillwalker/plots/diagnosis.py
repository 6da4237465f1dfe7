"""A diagnosis in one picture: curves with the epochs of the evidence, how likely each finding is, what was tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hillwalker.diagnosis.report import percent, sentence
from hillwalker.plots import BLUE, GREEN, GREY, PURPLE, SMALL, TEXT, VERMILION, legend_below, new_figure, style
from hillwalker.plots.changes import draw_changes, height_of
from hillwalker.plots.history import nice_ticks, spans_decades

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hillwalker.diagnosis import Diagnosis, Finding

Array = NDArray[np.float64]

WIDTH, HEIGHT = 11.0, 4.9  # inches
CURVES, LABEL = 7.5, 0.21  # inches: the curves alone, and a label of evidence above them
MOST = 7  # bars
PALE = "#C9C9C9"
WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # the ground of a label that lies on lines


def plot_diagnosis(diagnosis: Diagnosis, curves_only: bool = False) -> Figure:
    """Return a figure of the loss curves with the evidence marked, the confidences as bars, and the experiment's gains.

    A dotted line is the loss of a constant prediction; the loss has a scale of powers of ten where it spans more than
    two; from where it is not finite, the ground is shaded.

    Args:
        diagnosis: from `hw.diagnose`.
        curves_only: whether to leave out confidences and gains, where a table beside the picture has them.

    >>> from hillwalker.diagnosis import Curves, Diagnosis
    >>> curves = Curves(np.arange(3), np.array([3.0, 2.0, 1.0]), np.array([3.0, 2.5, 2.6]))
    >>> [axes.get_xlabel() for axes in plot_diagnosis(Diagnosis([], curves, 0.9)).axes]
    ['epoch', 'how likely, %']
    """
    tried = None if curves_only else diagnosis.experiment
    upper = HEIGHT + LABEL * sum(one.epoch is not None for one in diagnosis.shown)
    if curves_only:
        figure = new_figure(CURVES, upper)
        axes = figure.subplots()
        _draw_curves(axes, diagnosis)
        legend_below(figure, axes, columns=2)
        return figure
    heights = [upper] if tried is None else [upper, height_of(tried)]
    figure = new_figure(WIDTH, sum(heights))
    # Each part shares out its own width: the names of changes are longer than the numbers beside a loss.
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    axes, bars = parts[0].subplots(1, 2, width_ratios=(2.1, 1.0))
    _draw_curves(axes, diagnosis)
    legend_below(parts[0], axes, columns=3)
    _draw_confidences(bars, diagnosis)
    if tried is not None:
        gains = parts[1].subplots()
        draw_changes(gains, tried, "What each change brings")
        legend_below(parts[1], gains, columns=3)
    title = sentence(diagnosis)
    figure.suptitle(_in_two_lines(title), fontsize=TEXT + 1, fontweight="bold", x=0.01, ha="left")
    return figure


def _in_two_lines(title: str) -> str:
    if len(title) <= 105:
        return title
    verdict, _, meaning = title.partition(": ")
    return f"{verdict}:\n{meaning}"


# --- the curves -------------------------------------------------------------------------------------------------------


def _draw_curves(axes: Axes, diagnosis: Diagnosis) -> None:
    curves = diagnosis.curves
    epochs = np.asarray(curves.epochs, dtype=np.float64)
    style(axes, "epoch", "loss")
    drawn: list[float] = []
    for values, label, colour, line in (
        (curves.loss, "training", BLUE, "-"),
        (curves.val_loss, "validation", VERMILION, "--"),
    ):
        if values is not None:
            drawn += _draw_curve(axes, epochs, values, label, colour, line)
    if not drawn:
        axes.text(0.5, 0.5, "no finite loss to draw", transform=axes.transAxes, ha="center", color=GREY, fontsize=TEXT)
    if spans_decades(drawn, "loss"):
        axes.set_yscale("log")
    elif len(set(drawn)) > 1:
        axes.yaxis.set_major_locator(nice_ticks())
    axes.xaxis.set_major_locator(nice_ticks(integer=True))
    _mark_best(axes, epochs, curves.loss if curves.val_loss is None else curves.val_loss, curves.val_loss is None)
    _draw_constants(axes, diagnosis)
    _mark_end(axes, epochs, curves.loss, curves.val_loss)
    _mark_evidence(axes, diagnosis.shown)


def _draw_curve(axes: Axes, epochs: Array, values: Array, label: str, colour: str, line: str) -> list[float]:
    """Draw what is finite, joined over epochs that the log leaves out; return what was drawn."""
    known = np.isfinite(values)
    marker = "o" if known.sum() == 1 else ""
    width = 1.8 if len(values) <= 1000 else 0.9
    if known.any():
        axes.plot(epochs[known], values[known], color=colour, linestyle=line, linewidth=width, marker=marker,
                  label=label)  # fmt: skip
    finite: list[float] = values[known].tolist()
    return finite


def _mark_best(axes: Axes, epochs: Array, values: Array | None, of_training: bool) -> None:
    if values is None or not np.isfinite(values).any():
        return
    place = int(np.argmin(np.where(np.isfinite(values), values, np.inf)))
    label = f"best {'training' if of_training else 'validation'}: {values[place]:.4g} at epoch {epochs[place]:g}"
    axes.plot(
        [epochs[place]], [values[place]], marker="o", markersize=9, markerfacecolor="none", markeredgecolor=GREEN,
        markeredgewidth=2.2, linestyle="none", label=label, zorder=5,
    )  # fmt: skip


def _draw_constants(axes: Axes, diagnosis: Diagnosis) -> None:
    """Draw the loss of always predicting the same: one line where training and validation have nearly the same."""
    training, validation = diagnosis.constant_loss or (None, None)
    if validation is None and hasattr(diagnosis.experiment, "constant_losses"):
        validation = float(np.mean(diagnosis.experiment.constant_losses))
    known = {"training": training, "validation": validation}
    colours = {"training": BLUE, "validation": VERMILION}
    if training is not None and validation is not None and abs(training - validation) <= 0.02 * abs(validation):
        known, colours = {"": validation}, {"": GREY}
    for name, loss in known.items():
        if loss is not None and np.isfinite(loss) and (loss > 0 or axes.get_yscale() == "linear"):
            label = f"constant prediction{f', {name}' if name else ''}: {loss:.4g}"
            axes.axhline(loss, color=colours[name], linestyle=":", linewidth=1.3, label=label)


def _mark_end(axes: Axes, epochs: Array, loss: Array | None, val_loss: Array | None) -> None:
    """Shade the epochs from which on a loss is not finite to its end; an epoch without validation is no such thing."""
    places = []
    for values, ended in ((loss, lambda v: ~np.isfinite(v)), (val_loss, np.isinf)):
        if values is not None and len(values) and ended(values)[-1]:
            finite = np.flatnonzero(~ended(values))
            places.append(int(finite[-1]) + 1 if len(finite) else 0)
    if not places:
        return
    first, last = epochs[min(places)], epochs[-1]
    before = epochs[min(places) - 1] if min(places) else first - 0.5
    label = f"not finite from epoch {first:g} on"
    axes.axvspan((before + first) / 2, last + 0.5, color=VERMILION, alpha=0.14, linewidth=0, label=label)


def _mark_evidence(axes: Axes, findings: list[Finding]) -> None:
    """Draw a line at each epoch of evidence; its label stands above the axes, each in a row of its own."""
    placed = [(float(one.epoch), one) for one in findings if one.epoch is not None]
    low, high = axes.get_xlim()
    # Labels run to the right, so with the latest epoch in the lowest row no line crosses a label, but for those at the
    # right edge, which run to the left.
    for row, (epoch, one) in enumerate(sorted(placed, key=lambda pair: -pair[0])):
        colour = PURPLE if one.asserted else GREY
        side = "left" if epoch - low <= 0.6 * (high - low) else "right"
        axes.axvline(epoch, color=colour, linestyle="--", linewidth=1.4, zorder=1 + one.asserted)
        above: dict[str, Any] = {
            "xycoords": ("data", "axes fraction"),
            "textcoords": "offset points",
            "annotation_clip": False,
        }
        line = {"arrowstyle": "-", "color": colour, "linewidth": 1.4}
        axes.annotate("", (epoch, 1.0), xytext=(0, 17 + 15 * row), arrowprops=line, zorder=2 + one.asserted, **above)
        axes.annotate(
            f"{one.symptom}, epoch {one.epoch}", (epoch, 1.0), xytext=(4 if side == "left" else -4, 4 + 15 * row),
            ha=side, va="bottom", fontsize=SMALL, color=colour, fontweight="bold" if one.asserted else "normal",
            bbox=WHITE, zorder=6, **above,
        )  # fmt: skip


# --- the confidences --------------------------------------------------------------------------------------------------


def _draw_confidences(axes: Axes, diagnosis: Diagnosis) -> None:
    bars: list[tuple[str, float, Any]] = [(one.symptom, one.confidence, one) for one in diagnosis.findings[:MOST]]
    bars.append(("healthy", diagnosis.healthy, None))
    style(axes, "how likely, %", "")
    axes.grid(visible=False, axis="y")
    for row, (_, confidence, one) in enumerate(bars):
        colour = GREEN if one is None else PURPLE if one.asserted else PALE
        axes.barh(row, 100 * confidence, height=0.6, color=colour, alpha=0.55 if one is None else 1.0)
        tested = {True: ", confirmed", False: ", refuted", None: ""}[one.verified] if one is not None else ""
        axes.text(100 * confidence + 2, row, percent(confidence) + tested, va="center", fontsize=SMALL, bbox=WHITE)
    axes.axvline(50, color=GREY, linestyle="--", linewidth=1.0, zorder=0)
    axes.set_xlim(0, 100)
    axes.set_xticks([0, 50, 100])
    axes.set_ylim(max(len(bars), 4) - 0.4, -0.6)  # the first on top, and no bar as thick as a page
    axes.set_yticks(range(len(bars)), [name for name, *_ in bars])
    for text, (_, _, one) in zip(axes.get_yticklabels(), bars, strict=True):
        text.set_fontweight("bold" if one is not None and one.asserted else "normal")
