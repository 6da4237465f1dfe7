"""Pictures: a record in, a matplotlib figure out. Colours, axes and saving that all pictures share.

Nothing global changes: no pyplot, no rcParams, no window. matplotlib is imported when the first picture is drawn.
"""

from __future__ import annotations

import functools
import importlib
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hillwalker.errors import missing_dependency, nearest

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours (2008), which colour-blind people tell apart, in the order in which pictures use them.
BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, BLACK, GREY = "#CC79A7", "#56B4E9", "#000000", "#6B6B6B"
COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, BLACK)
LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))  # told apart in black and white too

_PICTURES = {
    "plot_backward": "passes",
    "plot_activations": "shapes",
    "plot_batch_runs": "batch_runs",
    "plot_batch_sizes": "batch_sizes",
    "plot_batch_trade_offs": "batch_sizes",
    "plot_blame": "blame",
    "plot_changes": "changes",
    "plot_cheat_sheet": "cheat_sheet",
    "plot_classes": "prediction",
    "plot_comparison": "comparison",
    "plot_confidence": "shapes",
    "plot_coverage": "volatility_scores",
    "plot_descent": "descent",
    "plot_diagnosis": "diagnosis",
    "plot_forecasts": "volatility",
    "plot_forward": "passes",
    "plot_gradient_check": "gradient_check",
    "plot_gradient_noise": "noise",
    "plot_heatmap": "heatmap",
    "plot_histories": "histories",
    "plot_history": "history",
    "plot_learning_rate_sweep": "learning_rate",
    "plot_loss_differences": "volatility_scores",
    "plot_loss_shapes": "shapes",
    "plot_network": "passes",
    "plot_predicted_vs_actual": "prediction",
    "plot_race": "race",
    "plot_recording": "recording",
    "plot_returns": "returns",
    "plot_rows": "rows",
    "plot_seeds": "seeds",
    "plot_surface": "landscape",
    "plot_surface_3d": "landscape",
    "plot_window_curves": "window_curves",
}
"""Each picture, and the module that draws it; imported when it is asked for."""

DPI = 150
TEXT, SMALL = 11, 10  # points


def new_figure(width: float = 7.0, height: float = 4.2) -> Figure:
    """Return an empty figure, in inches, that notebooks show and that no window system is needed for.

    Raises MissingDependencyError, with the line that installs it, where matplotlib is missing.
    """
    figure: Figure = _figure_class()(figsize=(width, height), layout="constrained")
    figure.set_facecolor("white")
    return figure


@functools.cache
def _figure_class() -> Any:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise missing_dependency("matplotlib", "a picture", "plot") from None

    class NotebookFigure(Figure):
        """A figure that draws itself in a notebook without pyplot having been imported."""

        def __init__(self, **arguments: Any) -> None:
            super().__init__(**arguments)
            FigureCanvasAgg(self)

        def _repr_png_(self) -> bytes:
            buffer = io.BytesIO()
            self.savefig(buffer, format="png", dpi=110, bbox_inches="tight")
            return buffer.getvalue()

    return NotebookFigure


def style(axes: Axes, x_label: str, y_label: str, title: str | None = None) -> None:
    """Name the axes, and leave only what is read: two spines, a faint grid, text of one size."""
    axes.set_xlabel(x_label, fontsize=TEXT)
    axes.set_ylabel(y_label, fontsize=TEXT)
    if title is not None:
        axes.set_title(title, fontsize=TEXT + 1, loc="left")
    axes.tick_params(labelsize=SMALL)
    axes.grid(visible=True, color="#DDDDDD", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def legend_below(figure: Any, axes: Axes, columns: int) -> None:
    """Put the legend of some axes at the foot of their figure or part of one: within, it would hide some curves."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower left", ncols=columns, fontsize=SMALL, frameon=False)


def save(figure: Figure, path: str | Path) -> Path:
    """Write a figure to a file, whose ending is its format (.png, .svg, .pdf), and return the path.

    Folders that are missing are made.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=DPI, bbox_inches="tight", facecolor="white")
    return target


def __getattr__(name: str) -> Any:
    if name in _PICTURES:
        return getattr(importlib.import_module(f"hillwalker.plots.{_PICTURES[name]}"), name)
    near = nearest(name, _PICTURES)
    raise AttributeError(
        f"module 'hillwalker.plots' has no attribute {name!r}" + (f"; did you mean {near!r}?" if near else "")
    )


def __dir__() -> list[str]:
    return sorted([*globals(), *_PICTURES])
