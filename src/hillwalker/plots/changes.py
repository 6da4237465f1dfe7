"""What changes bring: a dot and its standard error for each, at the end and where training had better stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hillwalker.diagnosis.changes import MATTERS
from hillwalker.diagnosis.gains import are_weapons, gains_little, ranked
from hillwalker.plots import BLUE, GREEN, GREY, VERMILION, legend_below, new_figure, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hillwalker.diagnosis import Changes

LOWEST, HIGHEST = -100.0, 200.0  # percent; what is worse, or better, is drawn at the edge
SPAN = 10.0  # percent each way that are always shown, or noise would look large


def plot_changes(tried: Changes) -> Figure:
    """Return a figure of each change's gain in percent of what can be gained, what helps on top, and the verdict.

    Dots are the gain after the last epoch, squares where each had better stopped, lines a standard error each way; what
    loses more than all that can be gained is drawn as a triangle at the left edge, what brings twice as much at the
    right. Changes that help are named in green, the best of them in bold.
    """
    figure = new_figure(8.0, height_of(tried))
    verdict = "Against overfitting" if are_weapons(tried) else tried.verdict
    axes = figure.subplots()
    draw_changes(axes, tried, f"{verdict}: what each change brings")
    legend_below(figure, axes, columns=3)
    return figure


def height_of(tried: Changes) -> float:
    """Return how high the picture has to be, in inches."""
    return 2.0 + 0.36 * len(tried.gains)


def draw_changes(axes: Axes, tried: Changes, title: str) -> None:
    """Draw the gains into axes, without the legend."""
    gains = ranked(tried.gains)[::-1]
    whole = (
        "2 % of a constant prediction's loss"
        if gains_little(tried)
        else "what can be gained over a constant prediction"
    )
    style(axes, f"gain ± one standard error,\n% of {whole}", "", title)
    kinds = (("at_end", BLUE, "o", 0.13, "at the last epoch"), ("stopped", VERMILION, "s", -0.13, "where best stopped"))
    lowest, highest = -SPAN, SPAN
    for name, color, marker, lift, label in kinds:
        means, errors = 100 * np.array([getattr(one, name) for one in gains]).T
        rows = np.arange(len(gains)) + lift
        inside = (means > LOWEST) & (means < HIGHEST)
        errors = np.minimum(errors, means - LOWEST)
        axes.errorbar(
            means[inside], rows[inside], xerr=errors[inside], fmt=marker, color=color, markersize=5, label=label
        )
        for place, edge, outside in ((LOWEST, "<", means <= LOWEST), (HIGHEST, ">", means >= HIGHEST)):
            if outside.any():  # an empty line that is not clipped would take room at the figure's corner
                axes.plot(np.full(outside.sum(), place), rows[outside], edge, color=color, markersize=6, clip_on=False)
        reach = np.clip(np.concatenate([means - errors, means + errors]), LOWEST, HIGHEST)
        lowest, highest = min(lowest, float(reach.min())), max(highest, float(reach.max()))
    axes.axvspan(-100 * MATTERS, 100 * MATTERS, color=GREY, alpha=0.18, linewidth=0, label="too little to matter")
    axes.axvline(0.0, color=GREY, linewidth=1.2)
    axes.set_yticks(range(len(gains)), [one.change.replace(", ", ",\n") for one in gains])
    for number, (text, one) in enumerate(zip(axes.get_yticklabels(), gains, strict=True), start=1):
        text.set_color(GREEN if one.helps else "black")
        text.set_fontweight("bold" if one.helps and number == len(gains) else "normal")
    room = 0.03 * (highest - lowest)
    axes.set_xlim(lowest - room, highest + room)
    axes.set_ylim(-0.6, len(gains) - 0.4)
