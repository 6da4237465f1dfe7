"""Every figure of the lesson is one call: a real run of ours, its record, its picture.

None is drawn by hand and none is faked; what a figure shows can be had with the few lines of its function.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hillwalker import config
from hillwalker.errors import unknown_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES = {
    "big_picture": "passes",
    "forward_pass": "passes",
    "forward_layers": "passes",
    "input_to_loss": "passes",
    "confident_and_wrong": "passes",
    "return_losses": "passes",
    "walking_downhill": "walking",
    "landscape": "walking",
    "landscape_3d": "walking",
    "training_path": "walking",
    "blame_tracing": "passes",
    "chain_rule": "passes",
    "backprop_steps": "passes",
    "derivatives": "passes",
    "gradient_check": "passes",
    "blame_over_data": "passes",
    "step_size": "walking",
    "learning_rates": "training",
    "learning_rate_finder": "training",
    "checkpoint": "training",
    "optimizers": "training",
    "optimizer_paths": "walking",
    "momentum": "walking",
    "loss_curves": "training",
    "fits": "training",
    "return_curves": "finance",
    "batch_sizes": "training",
    "gradient_noise": "training",
    "batch_trade_offs": "training",
    "weights_over_time": "training",
    "cheat_sheet": "passes",
    "volatility_training": "finance",
    "out_of_sample": "finance",
}
"""The figures in the lesson's order, and the module that draws each; imported when it is asked for."""

PAGE = (10.0, 3.5)  # inches


def figures() -> dict[str, str]:
    """Return the names of all figures in the lesson's order, each with one line on what it shows.

    >>> figures()["step_size"]
    'Gradient descent on a parabola at three learning rates: too small, right, too large.'
    """
    return {name: (_function(name).__doc__ or "").split("\n")[0] for name in FIGURES}


def check(name: str) -> str:
    """Return the name of a figure; raises InputError for an unknown one, with the nearest."""
    if name not in FIGURES:
        raise unknown_name("figure", name, FIGURES, "hw.lesson.figure({})")
    return name


def figure(name: str) -> Figure:
    """Return one of the lesson's figures, made from a run of this very moment.

    The run has a seed of its own: it is the same every time, and changes nothing of the caller's random numbers.
    Raises InputError for an unknown name.

    >>> figure("confident_and_wrong").axes[0].get_xlabel() != ""
    True
    """
    draw = _function(check(name))
    with config.seeded(0):
        drawn: Figure = draw()
    width, height = drawn.get_size_inches()
    if width > PAGE[0] and width > 2.8 * height:  # panels in a row, whose text would be small on a page or slide
        drawn.set_size_inches(*PAGE)
    return drawn


def _function(name: str) -> Callable[[], Any]:
    function: Callable[[], Any] = getattr(importlib.import_module(f"hillwalker.lesson.{FIGURES[name]}"), name)
    return function
