"""One pass through a network as pictures: the network with its numbers, the way forward, the way of blame back.

All numbers are the trace's, means over its rows going forward, sums going backward; large layers are cut to the first
units, the last, and those with the most blame.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hillwalker.errors import unknown_name
from hillwalker.plots import BLACK, BLUE, GREY, SMALL, TEXT, VERMILION, new_figure, style
from hillwalker.seeing.arithmetic import number
from hillwalker.seeing.report import chosen
from hillwalker.seeing.trace import Array, LayerTrace, Trace, rows_mean, rows_sum

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NODES = 6  # circles in a column
LABELLED = 6  # edges between two columns that still have room for their weights
TABLE = (9, 5)  # rows and columns of a table of weights in which each number is still written
WIDEST = 6.0  # points, the thickest edge
EDGES = ("blame", "forward")


@dataclass(frozen=True)
class _Column:
    """A column of circles: the network's input, or a Dense layer with what follows it up to the next."""

    title: str
    values: Array
    shares: Array
    places: list[int]
    dense: LayerTrace | None

    @property
    def rows(self) -> list[float]:
        """How far down each circle sits; a gap where units are left out."""
        down, found = 0.0, []
        for number_, place in enumerate(self.places):
            if number_ and place - self.places[number_ - 1] > 1:
                down += 0.75
            found.append(down)
            down += 1.0
        return [row - (down - 1.0) / 2.0 for row in found]


def _columns(trace: Trace) -> list[_Column]:
    columns = [_column("input", trace.inputs, trace.blame.shares, None)]
    for group in _groups(trace):
        dense, last = group[0], group[-1]
        names = [dense.name if dense.activation in (None, "linear") else f"{dense.name}, {dense.activation}"]
        names += [layer.activation or layer.kind for layer in group[1:]]
        columns.append(_column("\n".join(names), last.a, dense.blame.shares, dense if dense.W is not None else None))
    return columns


def _column(title: str, values: Array, shares: Array, dense: LayerTrace | None) -> _Column:
    return _Column(title, rows_mean(values), shares, chosen(shares, NODES), dense)


def _groups(trace: Trace) -> list[list[LayerTrace]]:
    """Return the layers in groups, each of a Dense layer and those after it that have no kernel."""
    groups: list[list[LayerTrace]] = []
    for layer in trace.layers:
        if layer.W is not None or not groups:
            groups.append([])
        groups[-1].append(layer)
    return groups


def plot_network(trace: Trace, edges: str = "blame", title: str | None = None) -> Figure:
    """Return the network as circles and lines, with the numbers of one pass.

    In each circle is what the unit gives on, below it its share of the blame. A line's width is the size of what passes
    along it: with edges="blame" the blame passed back, dL/dz W, with "forward" what is added going forward, x W. Blue
    solid lines are positive, red dashed ones negative. Raises InputError for other `edges`.
    """
    if edges not in EDGES:
        raise unknown_name("edges", edges, EDGES, "plot_network(trace, edges={})")
    columns = _columns(trace)
    tallest = max(column.rows[-1] - column.rows[0] for column in columns)
    above = 1.0 + 0.3 * max(column.title.count("\n") for column in columns)
    figure = new_figure(max(7.0, 2.3 * len(columns) + 0.6), 0.95 * (tallest + above + 0.75) + 0.7)
    axes = figure.add_subplot()
    for place, column in enumerate(columns[1:], start=1):
        _edges(axes, columns, place, column, edges)
    for place, column in enumerate(columns):
        _nodes(axes, place, column, tallest, is_last=place == len(columns) - 1)
    axes.set_xlim(-0.35, len(columns) - 0.65)
    axes.set_ylim(-tallest / 2.0 - 0.75, tallest / 2.0 + above)
    axes.set_axis_off()
    what = "blame passed back, ∂L/∂z·W" if edges == "blame" else "what is added, x·W"
    axes.set_title(title or f"{_heading(trace)}; line width: {what}", fontsize=TEXT + 1, loc="left")
    _legend(axes, any(_is_labelled(columns, place) for place in range(1, len(columns))))
    return figure


def _is_labelled(columns: Sequence[_Column], place: int) -> bool:
    return len(columns[place - 1].places) * len(columns[place].places) <= LABELLED


def _heading(trace: Trace, rows: str = "Mean of {} rows") -> str:
    which = rows.format(trace.rows) if trace.rows > 1 else "One row"
    which = f"Row {trace.row_numbers[0]} of {trace.batch}" if trace.is_part else which
    return f"{which}, {'its part of the ' if trace.is_part else ''}loss {number(trace.loss)}"


def _brief(value: float) -> str:
    """Return a number in at most seven characters, for a circle."""
    text = number(value, 3)
    if len(text.strip("−")) > 5:
        text = number(value, 2)
    return text if len(text.strip("−")) <= 5 else f"{value:.0e}".replace("-0", "−").replace("+0", "").replace("-", "−")


def _legend(axes: Axes, is_labelled: bool) -> None:
    from matplotlib.lines import Line2D

    lines = [
        Line2D([], [], color=BLUE, linewidth=2.5, label="positive"),
        Line2D([], [], color=VERMILION, linewidth=2.5, linestyle=(0, (3, 1.5)), label="negative"),
        Line2D([], [], linestyle="none", label="%: share of the blame"),
    ]
    if is_labelled:
        lines.append(Line2D([], [], linestyle="none", label="on the lines: weights"))
    axes.legend(
        handles=lines, loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=4, fontsize=SMALL, frameon=False,
        handlelength=1.6, columnspacing=1.2,
    )  # fmt: skip


def _edges(axes: Axes, columns: Sequence[_Column], place: int, column: _Column, edges: str) -> None:
    dense = column.dense
    amounts = None if dense is None else dense.passed_on if edges == "blame" else dense.contributions
    before = columns[place - 1]
    if dense is None or amounts is None or dense.W is None:
        return
    shown = np.abs(amounts[np.ix_(before.places, column.places)])
    largest = float(np.nanmax(shown, initial=0.0)) or 1.0
    labelled = _is_labelled(columns, place)
    for i, y in zip(before.places, before.rows, strict=True):
        for k, end in zip(column.places, column.rows, strict=True):
            amount = float(amounts[i, k])
            colour, line = (BLUE, "-") if amount >= 0 else (VERMILION, (0, (3, 1.5)))
            width = 0.4 + (WIDEST - 0.4) * abs(amount) / largest
            axes.plot(
                [place - 1, place], [-y, -end], color=colour, linestyle=line, linewidth=width, alpha=0.75, zorder=1
            )
            if labelled:
                share = 0.3 if len(column.places) > 1 else 0.5
                axes.text(
                    place - 1 + share, -(y + share * (end - y)), number(float(dense.W[i, k]), 3), fontsize=SMALL - 1,
                    ha="center", va="center", zorder=2,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.9},
                )  # fmt: skip


def _nodes(axes: Axes, place: int, column: _Column, tallest: float, is_last: bool) -> None:
    axes.text(place, tallest / 2.0 + 0.62, column.title, ha="center", va="bottom", fontsize=TEXT, fontweight="bold")
    for number_, (unit, row) in enumerate(zip(column.places, column.rows, strict=True)):
        axes.scatter([place], [-row], s=2000, color="white", edgecolors=BLACK, linewidths=1.3, zorder=3)
        axes.text(place, -row, _brief(float(column.values[unit])), ha="center", va="center", fontsize=SMALL, zorder=4)
        note = f"{'x' if place == 0 else 'unit '}{unit}".replace("x", "x ")
        if not is_last or len(column.places) > 1:
            note += f" · {column.shares[unit]:.0%}"
        axes.text(place, -row - 0.43, note, ha="center", va="center", fontsize=SMALL - 1, color=BLACK, zorder=4,
                  bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85})  # fmt: skip
        if number_ and unit - column.places[number_ - 1] > 1:
            middle = -(row + column.rows[number_ - 1]) / 2.0 - 0.07
            more = unit - column.places[number_ - 1] - 1
            axes.text(
                place, middle, f"⋮ {more} more", ha="center", va="center", fontsize=SMALL - 1, color=GREY, zorder=4,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.9},
            )  # fmt: skip


# The way forward


def plot_forward(trace: Trace, title: str | None = None) -> Figure:
    """Return the forward pass from left to right: x, each layer's z and a, the loss, with the numbers.

    Below, the arithmetic of each column's first unit that is shown (of a batch: of its first row).
    """
    columns = _stages(trace)
    lines = _arithmetic(trace)
    tallest = max(len(places) for _, _, _, places in columns)
    width, height = max(7.0, 1.45 * len(columns)), 1.5 + 0.42 * tallest + 0.25 * len(lines)
    figure = new_figure(width, height)
    axes, text = figure.subplots(2, 1, height_ratios=[1.3 + 0.42 * tallest, 0.25 * len(lines) + 0.15])
    for place, (name, formula, values, places) in enumerate(columns):
        axes.text(place, tallest + 0.75, name, ha="center", va="bottom", fontsize=TEXT, fontweight="bold")
        axes.text(place, tallest + 0.62, formula, ha="center", va="top", fontsize=SMALL)
        _cells(axes, place, (tallest - len(places)) / 2.0, values, places)
        if place:
            axes.annotate("", (place - 0.4, tallest / 2.0), (place - 0.6, tallest / 2.0),
                          arrowprops={"arrowstyle": "-|>", "color": BLACK, "lw": 1.4})  # fmt: skip
    axes.set_xlim(-0.55, len(columns) - 0.45)
    axes.set_ylim(-0.15, tallest + 1.6)
    axes.set_axis_off()
    axes.set_title(
        title or f"Forward pass: {_heading(trace)[0].lower()}{_heading(trace)[1:]}", fontsize=TEXT + 1, loc="left"
    )
    text.set_axis_off()
    for place, line in enumerate(lines):
        text.text(0.0, 1.0 - (place + 0.5) / len(lines), line, fontsize=SMALL, va="center", transform=text.transAxes)
    return figure


Stage = tuple[str, str, Array, list[int]]


def _stages(trace: Trace) -> list[Stage]:
    """Return the columns: a name, a formula, values, and which of them are shown."""
    stages: list[Stage] = [("input", "x", rows_mean(trace.inputs), chosen(trace.blame.shares, NODES))]
    for layer in trace.layers:
        places = chosen(layer.blame.shares, NODES)
        if layer.W is not None and layer.z is not None:
            stages.append((layer.name, "z = x·W + b" if layer.b is not None else "z = x·W", rows_mean(layer.z), places))
        is_linear = layer.W is not None and layer.activation == "linear"
        if not is_linear:
            name = layer.name if layer.W is None else ""
            formula = f"a = {layer.activation}(z)" if layer.activation else f"a = {layer.kind}(x)"
            stages.append((name, formula.replace("BatchNormalization", "BatchNorm"), rows_mean(layer.a), places))
    loss = "\n".join(textwrap.wrap(trace.loss_function.name.replace("_", " "), 13))
    stages.append(("loss", loss, np.array([trace.loss]), [0]))
    return stages


def _cells(axes: Axes, place: float, bottom: float, values: Array, places: list[int]) -> None:
    from matplotlib.patches import Rectangle

    for row, unit in enumerate(places):
        y = bottom + len(places) - 1 - row
        axes.add_patch(
            Rectangle((place - 0.36, y + 0.1), 0.72, 0.8, facecolor="#EEF4F9", edgecolor=BLUE, linewidth=1.0)
        )
        gap = row > 0 and unit - places[row - 1] > 1
        axes.text(place, y + 0.5, number(float(values[unit])), ha="center", va="center", fontsize=SMALL)
        if gap:
            axes.text(place, y + 1.0, "⋯", ha="center", va="center", fontsize=SMALL, color=BLACK,
                      bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.2})  # fmt: skip


def _arithmetic(trace: Trace) -> list[str]:
    """Return the first statement of each layer's first unit, of the first row."""
    row, lines = (trace if trace.rows == 1 else trace.row(0)), []
    for layer in row.layers:
        lines += [f"{layer.name}:  {line}" for line in row.explain(f"{layer.name}.a[0,0]").lines]
    lines.append("loss:  " + row.explain("loss[0]").lines[0])
    lines = [_shortened(line) for line in lines]
    return ["First units" + ("" if trace.rows == 1 else ", first row") + ":", *lines]


def _shortened(line: str, most: int = 100) -> str:
    """Return a statement that fits: without its symbols where it is long, without its numbers where it is too long."""
    parts = line.split(" = ")
    for kept in (parts, [parts[0], *parts[-2:]], [*parts[:2], parts[-1]]):
        if len(" = ".join(kept)) <= most:
            return " = ".join(kept)
    return f"{parts[0]} = {parts[-1]}"


# The way back


def plot_backward(trace: Trace, title: str | None = None) -> Figure:
    """Return the backward pass step by step: a row of panels a layer, from the last layer to the first.

    On the left the blame that reaches each unit, in the middle the gradient of each weight, on the right what the
    optimizer's next step would add (left out where there is no optimizer). Above each its formula.
    """
    layers = [layer for layer in reversed(trace.layers) if layer.W is not None]
    with_step = all(layer.updates is not None for layer in layers)
    tall = [1.9 + 0.28 * min(len(layer.W) + 1 if layer.W is not None else 1, 8) for layer in layers]
    figure = new_figure(11.0 if with_step else 8.0, sum(tall) + 0.6)
    figure.set_layout_engine("constrained", hspace=0.08, wspace=0.04)
    panels = figure.subplots(len(layers), 3 if with_step else 2, squeeze=False, height_ratios=tall)
    for step, (layer, row) in enumerate(zip(layers, panels, strict=True)):
        _blame_bars(row[0], trace, layer, step)
        _weight_table(row[1], layer.gradients, _formula_of_gradient(trace), layer)
        if with_step and layer.updates is not None:
            rule = type(trace.optimizer).__name__
            _weight_table(
                row[2], layer.updates, f"step of {rule},\nlearning rate {number(trace.learning_rate or 0.0)}", layer
            )
    heading = _heading(trace, "batch of {} rows")
    figure.suptitle(title or f"Backward pass: {heading[0].lower()}{heading[1:]}", fontsize=TEXT + 2, x=0.01, ha="left")
    return figure


def _formula_of_gradient(trace: Trace) -> str:
    summed = ", summed over rows" if trace.rows > 1 else ""
    return "gradients\n" + r"$\partial L/\partial W = x^{T}\,\partial L/\partial z$" + summed


def _formula_of_blame(trace: Trace, layer: LayerTrace, step: int) -> str:
    """Return the lines above a layer's blame: how dz comes from da, and where da comes from."""
    after = trace.layers[[each.name for each in trace.layers].index(layer.name) + 1 :]
    between = [
        each.name for each in after[: next((n for n, each in enumerate(after) if each.W is not None), len(after))]
    ]
    slope = "" if layer.activation in (None, "linear") else r"\cdot f'(z)"
    came = rf"$\partial L/\partial z = \partial L/\partial a{slope}$"
    if layer.function is not None and layer.function.kind in ("softmax", "log_softmax"):
        came = r"$\partial L/\partial z_k = \Sigma_j\, \partial L/\partial a_j \cdot \partial a_j/\partial z_k$"
    source = "from the loss" if step == 0 else r"$\partial L/\partial a = W_{next}\,\partial L/\partial z_{next}$"
    if between:
        source += f"\nby {', '.join(between)}"
    return f"{step + 1}. {layer.name}:  {came}\n{source}"


def _blame_bars(axes: Axes, trace: Trace, layer: LayerTrace, step: int) -> None:
    assert layer.dz is not None
    values = rows_sum(layer.dz)
    values = np.where(np.isfinite(values), values, 0.0)  # what is not finite leaves a gap
    units = np.arange(len(values))
    for sign, colour, hatch in ((1, BLUE, None), (-1, VERMILION, "////")):
        chosen_ = values >= 0 if sign > 0 else values < 0
        if chosen_.any():
            axes.bar(
                units[chosen_], values[chosen_], color=colour, hatch=hatch, edgecolor="white", linewidth=0.6, width=0.7
            )
    axes.axhline(0.0, color=BLACK, linewidth=1.0)
    style(axes, "unit", r"$\partial L/\partial z$", _formula_of_blame(trace, layer, step))
    axes.margins(y=0.22)
    axes.xaxis.set_major_locator(_whole_numbers())
    if len(values) <= 6:
        for unit, value in enumerate(values):
            axes.annotate(number(float(value), 3), (unit, value), (0, 3 if value >= 0 else -3), ha="center",
                          va="bottom" if value >= 0 else "top", textcoords="offset points", fontsize=SMALL)  # fmt: skip
        axes.set_xlim(-0.7, max(len(values) - 0.3, 0.7))


def _whole_numbers() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=8, integer=True, min_n_ticks=1)


def _weight_table(axes: Axes, named: Any, title: str, layer: LayerTrace) -> None:
    rows = [named["kernel"], *([named["bias"][np.newaxis]] if "bias" in named else [])]
    table = np.vstack(rows)
    table = np.where(np.isfinite(table), table, np.nan)  # what is not finite leaves a gap
    bound = float(np.nanmax(np.abs(table), initial=0.0)) or 1.0
    image = axes.imshow(table, cmap="cividis", vmin=-bound, vmax=bound, aspect="auto", interpolation="nearest")
    style(axes, "unit", "input", title)
    axes.grid(visible=False)
    if len(table) <= TABLE[0] and table.shape[1] <= TABLE[1]:
        axes.set_xticks(range(table.shape[1]))
        names = [str(i) for i in range(len(named["kernel"]))] + ["b"] * ("bias" in named)
        axes.set_yticks(range(len(table)), names)
        for (i, k), value in np.ndenumerate(table):
            colour = "white" if value < 0.1 * bound else BLACK
            axes.text(k, i, number(float(value), 3), ha="center", va="center", color=colour, fontsize=SMALL)
        return
    axes.set_ylabel("input (last: bias)" if "bias" in named else "input", fontsize=TEXT)
    axes.xaxis.set_major_locator(_whole_numbers())
    axes.yaxis.set_major_locator(_whole_numbers())
    bar = axes.figure.colorbar(image, ax=axes, pad=0.02)
    bar.ax.tick_params(labelsize=SMALL)
