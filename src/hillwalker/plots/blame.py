"""Blame as a picture: the worst rows, how few rows carry how much, inputs, neurons; and over a training, as heat maps.

Shares come from the record; nothing is added up here but the totals by which the rows of a heat map are chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hillwalker.plots import BLACK, BLUE, GREY, ORANGE, SMALL, TEXT, VERMILION, new_figure, style
from hillwalker.seeing.blame import Blame

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROWS, INPUTS, LAYERS = 10, 12, 8  # that fit
PAST_ROWS = 14
CURVE = 500  # points of the curve of concentration


def plot_blame(blame: Blame, title: str | None = None) -> Figure:
    """Return a figure of who carries the error: rows, concentration, inputs and neurons; with a recording, over epochs.

    >>> import numpy as np, hillwalker as hw
    >>> model = hw.Sequential([hw.Input((2,)), hw.layers.Dense(4, activation="tanh"), hw.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> figure = plot_blame(hw.blame(model, np.eye(2), np.ones(2)))
    >>> len(figure.axes)
    4
    """
    rows = 2 + bool(blame.past)
    figure = new_figure(11.0, 3.7 * rows)
    grid: Any = figure.add_gridspec(rows, 2)
    panels = [figure.add_subplot(grid[place // 2, place % 2]) for place in range(2 * rows)]
    _draw_rows(panels[0], blame)
    _draw_concentration(panels[1], blame)
    _draw_inputs(panels[2], blame)
    _draw_neurons(panels[3], blame)
    if blame.past:
        share = np.array([one.loss_share for one in blame.past])
        worst = np.sort(np.argsort(-share.sum(axis=0), kind="stable")[:PAST_ROWS])
        _heat(panels[4], blame, share[:, worst], [str(row) for row in worst], "row", "rows by epoch: share of the loss")
        inputs = np.array([one.input_share for one in blame.past])
        most = np.sort(np.argsort(-inputs.sum(axis=0), kind="stable")[:INPUTS])
        names = [_short(blame.input_names[place]) for place in most]
        _heat(panels[5], blame, inputs[:, most], names, "", "inputs by epoch: share of the blame")
    if title is not None:
        figure.suptitle(title, fontsize=TEXT + 2, fontweight="bold", x=0.01, ha="left")
    return figure


def _draw_rows(axes: Axes, blame: Blame) -> None:
    worst = blame.rows(ROWS)
    places = np.arange(len(worst))
    axes.barh(places - 0.2, [100 * one.loss_share for one in worst], 0.38, color=BLUE, label="loss")
    axes.barh(
        places + 0.2, [100 * one.gradient_share for one in worst], 0.38, color=ORANGE, hatch="///",
        edgecolor="white", linewidth=0, label="gradient norm",
    )  # fmt: skip
    axes.set_yticks(places, [f"{one.row}" for one in worst])
    _room_below(axes, len(worst))
    style(axes, "share, %", "row", f"the {len(worst)} worst of {len(blame)} rows" if len(worst) > 1 else "the row")
    axes.legend(fontsize=SMALL, framealpha=0.85, edgecolor="none", loc="lower right", ncols=2)


def _room_below(axes: Axes, count: int) -> None:
    """Leave room for the legend below the last bar."""
    axes.set_ylim(count - 0.4 + max(1.0, 0.16 * count), -0.6)


def _draw_concentration(axes: Axes, blame: Blame) -> None:
    count = len(blame)
    chosen = np.unique(np.round(np.geomspace(1, count, CURVE)).astype(int)) - 1
    x = np.concatenate([[0.0], 100 * (chosen + 1) / count])
    for by, name, colour, line in (("loss", "loss", BLUE, "-"), ("gradient", "gradient norms", VERMILION, "--")):
        together = 100 * blame.concentration(by)
        y = np.concatenate([[0.0], together[chosen]])
        few = blame.rows_for(0.5, by)
        half = 100 * few / count
        axes.plot(x, y, color=colour, linestyle=line, linewidth=1.8, label=f"{name}: half by {half:.3g} %")
        axes.plot(
            [half], [together[few - 1]], marker="o", color=colour, markersize=7, markeredgecolor="white", zorder=5
        )
    axes.plot([0, 100], [0, 100], color=GREY, linestyle=":", linewidth=1.4, label="all rows alike")
    axes.axhline(50, color=BLACK, linewidth=0.7)
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 101)
    style(axes, "worst rows, %", "carry together, %", "how few rows carry the error")
    axes.legend(fontsize=SMALL, framealpha=0.85, edgecolor="none", loc="lower right")


def _draw_inputs(axes: Axes, blame: Blame) -> None:
    worst = blame.inputs(INPUTS)
    places = np.arange(len(worst))
    axes.barh(places, [100 * one.share for one in worst], 0.65, color=BLUE)
    even = 100 / len(blame.input_share)
    axes.axvline(even, color=BLACK, linestyle="--", linewidth=1.4, label=f"even share {even:.3g} %")
    axes.set_yticks(places, [_short(one.name) for one in worst])
    _room_below(axes, len(worst))
    left_out = f" (the most blamed {len(worst)} of {len(blame.input_share)})"
    style(axes, "share of |x · dL/dx|, %", "", f"inputs{left_out if len(worst) < len(blame.input_share) else ''}")
    axes.legend(fontsize=SMALL, framealpha=0.85, edgecolor="none", loc="lower right")


def _draw_neurons(axes: Axes, blame: Blame) -> None:
    """Draw a strip a layer, its units side by side in their order; darkest is a layer's most blamed unit."""
    layers = [(name, shares) for name, shares in blame.neuron_share.items() if len(shares) > 1]
    layers = layers or list(blame.neuron_share.items())  # a layer of one unit says nothing beside others
    left_out = len(layers) > LAYERS
    if left_out:
        layers = [*layers[: LAYERS // 2], *layers[-LAYERS // 2 :]]
    for place, (_, shares) in enumerate(layers):
        edges = np.linspace(0, 1, len(shares) + 1)
        dark = shares / max(float(np.max(shares)), 1e-300)
        axes.pcolormesh(
            edges, [place - 0.4, place + 0.4], dark[np.newaxis], cmap="Blues", vmin=0, vmax=1,
            edgecolors="#BBBBBB" if len(shares) <= 64 else "face", linewidth=0.4,
        )  # fmt: skip
    axes.set_yticks(range(len(layers)), [f"{_short(name)} ({len(shares)})" for name, shares in layers])
    axes.set_ylim(len(layers) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.set_xticks([])
    text = "first and last layers: " if left_out else ""
    style(axes, "units in their order; dark: most blamed of its layer", "", f"{text}neurons, by share of |dz|")
    axes.grid(visible=False)


def _heat(axes: Axes, blame: Blame, shares: Any, names: list[str], label: str, title: str) -> None:
    """Draw shares (epochs, names), one line a name."""
    epochs = np.array([one.epoch for one in blame.past], dtype=float)
    middles = (epochs[1:] + epochs[:-1]) / 2
    first = 2 * epochs[0] - middles[0] if len(middles) else epochs[0] - 0.5
    last = 2 * epochs[-1] - middles[-1] if len(middles) else epochs[-1] + 0.5
    borders = np.concatenate([[first], middles, [last]])
    mesh = axes.pcolormesh(
        borders, np.arange(len(names) + 1) - 0.5, 100 * shares.T, cmap="Blues", vmin=0.0, rasterized=True
    )
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    style(axes, "epoch", label, title)
    axes.grid(visible=False)
    axes.xaxis.set_major_locator(_whole_numbers())
    bar = axes.figure.colorbar(mesh, ax=axes, pad=0.02)
    bar.set_label("share, %", fontsize=SMALL)
    bar.ax.tick_params(labelsize=SMALL)


def _whole_numbers() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=6, integer=True)


def _short(name: str) -> str:
    return name if len(name) <= 18 else "…" + name[-17:]
