"""What changes bring: a dot and its standard error for each, at the end and where training had better stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hillwalker.plots import BLUE, GREEN, GREY, SMALL, VERMILION, new_figure, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hillwalker.diagnosis import Changes

LOWEST = -100.0  # percent; what is worse is drawn at the edge


def plot_changes(tried: Changes) -> Figure:
    """Return a figure of each change's gain in percent of what can be gained, the surest on top, and the verdict.

    Dots are the gain after the last epoch, squares where each had better stopped, lines a standard error each way; what
    loses more than all that can be gained is drawn as a triangle at the left edge. Changes that help are named in
    green.
    """
    figure = new_figure(8.0, height_of(tried))
    draw_changes(figure.subplots(), tried, f"{tried.verdict}: what each change brings")
    return figure


def height_of(tried: Changes) -> float:
    """Return how high the picture has to be, in inches."""
    return 1.6 + 0.36 * len(tried.gains)


def draw_changes(axes: Axes, tried: Changes, title: str) -> None:
    """Draw the gains into axes."""
    from hillwalker.diagnosis.changes import MATTERS

    gains = tried.gains[::-1]
    style(axes, "gain, % of what can be gained over a constant prediction", "change", title)
    kinds = (("at_end", BLUE, "o", 0.13, "at the last epoch"), ("stopped", VERMILION, "s", -0.13, "where best stopped"))
    for name, color, marker, lift, label in kinds:
        means, errors = 100 * np.array([getattr(one, name) for one in gains]).T
        rows = np.arange(len(gains)) + lift
        inside = means > LOWEST
        errors = np.minimum(errors, means - LOWEST)
        axes.errorbar(
            means[inside], rows[inside], xerr=errors[inside], fmt=marker, color=color, markersize=5, label=label
        )
        axes.plot(np.full((~inside).sum(), LOWEST), rows[~inside], "<", color=color, markersize=6, clip_on=False)
    axes.axvspan(-100 * MATTERS, 100 * MATTERS, color=GREY, alpha=0.18, linewidth=0, label="too little to matter")
    axes.axvline(0.0, color=GREY, linewidth=1.2)
    axes.set_yticks(range(len(gains)), [one.change for one in gains])
    for text, one in zip(axes.get_yticklabels(), gains, strict=True):
        text.set_color(GREEN if one.helps else "black")
    axes.set_xlim(LOWEST - 2, max(20.0, *(100 * max(sum(one.at_end), sum(one.stopped)) + 5 for one in gains)))
    axes.set_ylim(-0.6, len(gains) - 0.4)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize=SMALL, frameon=False)
