"""A recording as pictures: histograms over epochs as heat maps, update ratios, gradient norms, idle units.

Histograms are drawn as densities, each epoch by itself; nothing is smoothed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hillwalker.errors import InputError, explain
from hillwalker.plots import COLOURS, GREEN, GREY, LINE_STYLES, SMALL, TEXT, new_figure, style
from hillwalker.training.recording import HEALTHY_RATIOS, Recording

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 6  # layers that fit below each other
SHORT = 18  # letters of a name


def plot_recording(recording: Recording, title: str | None = None) -> Figure:
    """Return a figure of a recording: a row of heat maps a layer, and below, ratios, gradients and idle units.

    A heat map's column is an epoch, its darkness how densely weights, |gradients| or activations lie there. The green
    band of the update ratios is 1e-4 to 1e-2, where most trainings that go well are. Above six layers, the first
    three and the last three are drawn. Raises InputError for a recording of fewer than two epochs.

    >>> import numpy as np, hillwalker as hw
    >>> model = hw.Sequential([hw.Input((2,)), hw.layers.Dense(4, activation="relu"), hw.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> recorder = hw.callbacks.Recorder()
    >>> history = model.fit(np.eye(2), np.ones(2), epochs=3, verbose=0, callbacks=[recorder])
    >>> len(plot_recording(recorder.recording).axes)
    9
    """
    if len(recording) < 2:
        raise InputError(
            explain(f"a recording of {len(recording)} epochs.", "two or more.", "model.fit(X, y, epochs=10, ...)")
        )
    kernels = [place for place, name in enumerate(recording.weights) if name.endswith("/kernel")]
    layers = [recording.weights[place].removesuffix("/kernel") for place in kernels]
    chosen = range(len(kernels)) if len(kernels) <= MOST else [0, 1, 2, *range(len(kernels) - 3, len(kernels))]
    rows = len(chosen) + 1
    figure = new_figure(12.0, 2.3 * len(chosen) + 3.4)
    grid: Any = figure.add_gridspec(rows, 3, height_ratios=[1.0] * len(chosen) + [1.35])
    for row, number in enumerate(chosen):
        panels = [figure.add_subplot(grid[row, column]) for column in range(3)]
        _draw_layer(panels, recording, kernels[number], layers[number], row == 0)
    _draw_ratios(figure.add_subplot(grid[-1, 0]), recording, [kernels[number] for number in chosen])
    _draw_gradients(figure.add_subplot(grid[-1, 1]), recording, [kernels[number] for number in chosen])
    _draw_idle(figure.add_subplot(grid[-1, 2]), recording, [kernels[number] for number in chosen])
    handles, labels = figure.axes[-3].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=SMALL, frameon=False, ncols=min(4, len(labels)), loc="outside lower center")
    if title is not None or len(chosen) < len(kernels):
        left_out = f"the first three and the last three of {len(kernels)} layers"
        text = title or left_out
        figure.suptitle(text, fontsize=TEXT + 2, fontweight="bold", x=0.01, ha="left")
    return figure


def _draw_layer(panels: list[Axes], recording: Recording, place: int, layer: str, is_first: bool) -> None:
    short = _short(layer)
    _heat(
        panels[0], recording, recording.weight_histograms[:, place], recording.weight_edges[place],
        f"{short}\nweight", "weights" if is_first else None,
    )  # fmt: skip
    exponents = np.log10(recording.gradient_edges)
    _heat(
        panels[1], recording, recording.gradient_histograms[:, place], exponents,
        "|gradient|", "gradients (log scale)" if is_first else None,
    )  # fmt: skip
    panels[1].yaxis.set_major_formatter(lambda value, _: f"$10^{{{value:.0f}}}$")
    _whole_ticks(panels[1].yaxis, 4)
    after = [number for number, name in enumerate(recording.layers) if name == layer]
    if not after:
        panels[2].set_axis_off()
        return
    title = "activations on the probe rows" if is_first else None
    number = after[0]
    _heat(
        panels[2], recording, recording.activation_histograms[:, number], recording.activation_edges[number],
        f"activation\n({recording.activations[number]})", title,
    )  # fmt: skip


def _heat(axes: Axes, recording: Recording, counts: Any, edges: Any, label: str, title: str | None) -> None:
    """Draw counts (E, B) as a heat map, cut to the bins that are ever filled."""
    filled = np.flatnonzero(counts.sum(axis=0))
    first, last = (int(filled[0]), int(filled[-1])) if filled.size else (0, len(edges) - 2)
    first, last = max(0, first - 1), min(len(edges) - 2, last + 1)
    dense = counts / np.diff(edges)
    # Darkest is what nine tenths of an epoch's bins stay below, or the zeros of a ReLU would leave all else white.
    high = [np.quantile(column[column > 0], 0.9) if column.any() else 1.0 for column in dense]
    shares = np.minimum(dense / np.array(high)[:, np.newaxis], 1.0)
    axes.pcolormesh(
        _borders(recording), edges[first : last + 2], np.sqrt(shares[:, first : last + 1].T), cmap="Blues",
        vmin=0.0, vmax=1.0, rasterized=True,
    )  # fmt: skip
    style(axes, "", label)
    axes.grid(visible=False)
    _whole_ticks(axes.xaxis)
    axes.yaxis.set_label_coords(-0.17, 0.5)
    axes.yaxis.get_major_locator().set_params(nbins=4)  # type: ignore[call-arg]
    if title is not None:
        axes.set_title(title, fontsize=TEXT + 1, loc="left")


def _borders(recording: Recording) -> Any:
    """Return the epochs' left and right borders, half-way between neighbours."""
    epochs = recording.epochs.astype(float)
    middles = (epochs[1:] + epochs[:-1]) / 2
    return np.concatenate([[2 * epochs[0] - middles[0]], middles, [2 * epochs[-1] - middles[-1]]])


def _draw_ratios(axes: Axes, recording: Recording, places: list[int]) -> None:
    axes.axhspan(*HEALTHY_RATIOS, color=GREEN, alpha=0.15, linewidth=0, label="healthy: 1e-4 to 1e-2")
    _lines(axes, recording, recording.update_ratio, places)
    _log(axes, [recording.update_ratio[:, places], np.array(HEALTHY_RATIOS)])
    style(axes, "epoch", "update / weight", "update ratio, by layer")


def _draw_gradients(axes: Axes, recording: Recording, places: list[int]) -> None:
    _lines(axes, recording, recording.gradient_norm, places)
    _log(axes, [recording.gradient_norm[:, places]])
    style(axes, "epoch", "gradient norm", "gradient norm, by layer")


def _draw_idle(axes: Axes, recording: Recording, places: list[int]) -> None:
    """Draw the share of idle units in its layer's colour: a layer's units can be dead or saturated, never both."""
    looks = {recording.weights[place].removesuffix("/kernel"): _look(number) for number, place in enumerate(places)}
    look: dict[str, Any] | None = None
    drawn = False
    for place, name in enumerate(recording.layers):
        # An activation layer of its own belongs to the Dense layer before it.
        look = looks.get(name, look if recording.units[place] and not _is_dense(recording, name) else None)
        for values in (recording.dead, recording.saturated):
            if look is not None and not np.isnan(values[:, place]).all():
                axes.plot(recording.epochs, 100 * values[:, place], linewidth=1.8, **look)
                drawn = True
    style(axes, "epoch", "share of units, %", "dead (ReLU) or saturated units")
    axes.set_ylim(-3, 103)
    _whole_ticks(axes.xaxis)
    if not drawn:
        text = "no trained layer with ReLU, sigmoid or tanh"
        axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", fontsize=SMALL, color=GREY)


def _is_dense(recording: Recording, name: str) -> bool:
    return f"{name}/kernel" in recording.weights


def _look(number: int) -> dict[str, Any]:
    return {"color": COLOURS[number % 7], "linestyle": LINE_STYLES[number % 7]}


def _lines(axes: Axes, recording: Recording, values: Any, places: list[int]) -> None:
    for number, place in enumerate(places):
        name = _short(recording.weights[place].removesuffix("/kernel"))
        axes.plot(recording.epochs, values[:, place], linewidth=1.8, label=name, **_look(number))
    _whole_ticks(axes.xaxis)


def _log(axes: Axes, values: list[Any]) -> None:
    """Take a scale of powers of ten that shows all that is above 0, and at most twelve decades of it."""
    known = np.concatenate([np.ravel(value) for value in values])
    known = known[np.isfinite(known) & (known > 0)]
    if not known.size:
        return
    axes.set_yscale("log")
    high = known.max() * 3
    axes.set_ylim(max(known.min() / 3, high * 1e-12), high)


def _whole_ticks(axis: Any, most: int = 6) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=most, integer=True))


def _short(name: str, length: int = SHORT) -> str:
    return name if len(name) <= length else "…" + name[1 - length :]
