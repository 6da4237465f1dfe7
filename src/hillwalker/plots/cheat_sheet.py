"""The cheat sheet of last layers, losses and targets, as a table that one can put on a slide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hillwalker.plots import BLACK, BLUE, GREY, SMALL, TEXT, new_figure
from hillwalker.seeing.shapes import CheatSheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROW = 0.5  # inches
WIDTHS = (2.4, 1.3, 2.85, 2.25, 4.6)  # inches of the columns
HEADS = ("task", "activation", "loss", "targets", "in Python")


def plot_cheat_sheet(sheet: CheatSheet, title: str | None = "Which output and which loss for which task") -> Figure:
    """Return the sheet as a figure: a row a task, what one writes in Python beside it.

    >>> from hillwalker.seeing.shapes import cheat_sheet
    >>> figure = plot_cheat_sheet(cheat_sheet(further=False))
    >>> any(text.get_text() == "yes or no" for text in figure.axes[0].texts)
    True
    """
    count = len(sheet.rows)
    figure = new_figure(sum(WIDTHS) + 0.3, ROW * (count + 1) + 0.3 + (0.5 if title else 0.0))
    axes = figure.add_subplot()
    axes.set_xlim(0, sum(WIDTHS))
    axes.set_ylim(count + 0.5, -0.5)  # row 0 is the heading
    axes.axis("off")
    starts = [sum(WIDTHS[:number]) + 0.08 for number in range(len(WIDTHS))]
    for start, head in zip(starts, HEADS, strict=True):
        axes.text(start, 0, head, fontsize=TEXT, fontweight="bold", color=BLUE, va="center")
    axes.axhline(0.5, color=BLACK, linewidth=1.2)
    for number, row in enumerate(sheet.rows, start=1):
        if number % 2 == 0:
            axes.axhspan(number - 0.5, number + 0.5, color="#F1F4F7", zorder=0)
        cells = (row.task, row.activation, row.loss_name, row.targets)
        for start, cell in zip(starts, cells, strict=False):
            weight = "bold" if start == starts[0] else "normal"
            axes.text(start, number, cell, fontsize=TEXT, va="center", fontweight=weight)
        code = f"{row.layer}\nloss={row.loss}"
        axes.text(starts[-1], number, code, fontsize=SMALL, family="monospace", va="center", linespacing=1.25)
    axes.axhline(count + 0.5, color=GREY, linewidth=0.8)
    if title is not None:
        figure.suptitle(title, fontsize=TEXT + 3, fontweight="bold", x=0.01, ha="left")
    return figure
