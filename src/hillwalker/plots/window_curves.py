"""How the networks of a walk-forward study learned: window by window, with the seeds as bands.

Nothing is computed here but means and ranges over the seeds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from hillwalker.errors import InputError, explain
from hillwalker.finance.prices import Array
from hillwalker.plots import BLACK, BLUE, GREEN, SMALL, TEXT, VERMILION, new_figure, style
from hillwalker.plots.history import nice_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hillwalker.finance.network import Curves
    from hillwalker.finance.volatility import VolatilityStudy
    from hillwalker.finance.walk_forward import WalkForward

MOST, COLUMNS = 8, 4  # windows drawn, and side by side
WIDTH, HEIGHT = 10.0, 2.4  # inches; of a row
FAR = 1.6  # the highest loss, in the lowest
POWERS = tuple(10.0**exponent for exponent in range(-6, 7))
FEWEST_EPOCHS = 5  # of which `volatility` has a window's curves read

Panel = tuple[str, "Curves"]  # a title and the curves under it


def plot_window_curves(study: VolatilityStudy) -> Figure:
    """Return a figure of training and validation loss, a panel a window: the seeds' mean, and from least to most.

    The dashed level is the validation loss before the first epoch: that of the line alone. A ring marks after how many
    epochs the mean of the seeds is least; those are trained. A title says when the window's forecasts begin and what
    `diagnose` reads off its curves. At most 8 windows are drawn, evenly chosen, the first and the last among them;
    below, the network without its line, where the study tried it.

    Raises InputError for a study without curves.

    >>> from hillwalker.finance import load_sp500, volatility
    >>> study = volatility(load_sp500(), models=["HAR-X", "network"], seeds=2, first=4700, verbose=0)
    >>> [axes.get_title(loc="left").splitlines()[0] for axes in plot_window_curves(study).axes]
    ['2017-10-06', '2018-10-08']
    """
    kinds = [("The network on its line", panels(study.walk, study.readings), "the line alone")]
    if study.alone is not None:
        kinds.append(("The network alone", panels(study.alone, study.alone_readings), "the best constant"))
    kinds = [kind for kind in kinds if kind[1]]
    if not kinds:
        passed = "a study without curves: no network was fitted."
        raise InputError(explain(passed, "one with the network.", 'volatility(prices, models=["network"])'))
    shown = [evenly(found) for _, found, _ in kinds]
    columns = max(2, min(COLUMNS, max(map(len, shown))))
    rows = [-(-len(few) // columns) for few in shown]
    heights = [HEIGHT * count + 0.75 for count in rows]
    figure = new_figure(WIDTH, sum(heights))
    parts: list[Any] = np.ravel(figure.subfigures(len(kinds), 1, height_ratios=heights, squeeze=False)).tolist()
    for part, (name, found, start), few, count in zip(parts, kinds, shown, rows, strict=True):
        every = "every window" if len(few) == len(found) else f"{len(few)} of {len(found)} windows"
        part.suptitle(f"{name}, {every}", fontsize=TEXT + 1, fontweight="bold", x=0.01, ha="left")
        for place, (title, curves) in enumerate(few):
            axes = part.add_subplot(count, columns, place + 1)
            _draw(axes, curves, start)
            style(axes, "epoch", "loss" if place % columns == 0 else "")
            axes.set_title(title, fontsize=SMALL, loc="left")
        handles, labels = part.axes[0].get_legend_handles_labels()
        part.legend(handles, labels, loc="outside lower left", ncols=4, fontsize=SMALL, frameon=False)
    return figure


def panels(walk: WalkForward, readings: Iterable[tuple[np.datetime64, Any]]) -> list[Panel]:
    """Return the windows whose networks were fitted afresh: from when they forecast and what was read, and the curves.

    Readings stand in the windows' order; windows of few epochs, or whose loss is not finite, have none.
    """
    told = iter(readings)
    if walk.panel or len(walk.series) < 2:
        names = [""] * len(walk.windows)
    else:  # each series had windows of its own, one series after another
        names = [f"{one.name}, " for one in walk.series for _ in range(int(one.window.max()) + 1)]
    found = []
    for name, window in zip(names, walk.windows, strict=False):
        if window.curves is None:
            continue
        if not np.isfinite(window.curves.validation).all():
            verdict = "diverged"
        elif window.curves.validation.shape[1] >= FEWEST_EPOCHS:
            verdict = next(told)[1].verdict
        else:
            verdict = "too few epochs to read"
        found.append((f"{name}{window.start}\n{verdict}", window.curves))
    return found


def evenly(found: list[Panel]) -> list[Panel]:
    """Return at most 8 of them, evenly chosen, the first and the last included.

    >>> [title for title, _ in evenly([(str(number), None) for number in range(15)])]
    ['0', '2', '4', '6', '8', '10', '12', '14']
    """
    places = np.linspace(0, len(found) - 1, min(len(found), MOST)).round().astype(int)
    return [found[place] for place in places.tolist()]


def _draw(axes: Axes, curves: Curves, start: str) -> None:
    seeds, epochs = curves.validation.shape
    x = np.arange(epochs + 1)
    before = np.full((seeds, 1), curves.start)
    _draw_seeds(axes, x[1:], curves.loss, "training", BLUE, "-")
    # Validation is known before the first epoch: there it is the dashed level.
    _draw_seeds(axes, x, np.hstack([before, curves.validation]), "validation", VERMILION, "--")
    axes.axhline(curves.start, color=BLACK, linestyle=":", linewidth=1.3, label=f"start: {start}")
    means = np.concatenate([[curves.start], curves.validation.mean(axis=0)])
    if np.isfinite(means[curves.chosen]):
        axes.plot(
            [curves.chosen], [means[curves.chosen]], marker="o", markersize=9, markerfacecolor="none",
            markeredgecolor=GREEN, markeredgewidth=2.2, linestyle="none", label="epochs chosen", zorder=5,
            clip_on=False,
        )  # fmt: skip
    axes.xaxis.set_major_locator(nice_ticks(integer=True))
    _scale(axes, np.concatenate([curves.loss, curves.validation, before], axis=1))
    axes.set_xlim(0, epochs)


def _scale(axes: Axes, values: Array) -> None:
    """Scale by powers where the start lies far above: a turn upward, later on and smaller, stays to be seen."""
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator, StrMethodFormatter

    known = values[np.isfinite(values)]
    if known.min() <= 0 or known.max() / known.min() < FAR:
        axes.yaxis.set_major_locator(nice_ticks())
        return
    axes.set_yscale("log")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_formatter(NullFormatter())
    if known.max() / known.min() < 100:
        axes.yaxis.set_major_locator(
            FixedLocator([place * power for power in POWERS for place in (1, 1.5, 2, 3, 5, 7)])
        )
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))


def _draw_seeds(axes: Axes, x: Any, curves: Array, name: str, colour: str, line: str) -> None:
    """Draw the mean of the seeds and the band from the least to the most, where all of them are finite."""
    finite = np.where(np.isfinite(curves).all(axis=0), curves, np.nan)
    label = f"{name}, {len(curves)} seeds" if len(curves) > 1 else name
    marker = "o" if np.isfinite(finite[0]).sum() == 1 else ""
    if len(curves) > 1:
        axes.fill_between(x, finite.min(axis=0), finite.max(axis=0), facecolor=(colour, 0.22), linewidth=0)
    axes.plot(x, finite.mean(axis=0), color=colour, linestyle=line, linewidth=1.7, marker=marker, label=label)
