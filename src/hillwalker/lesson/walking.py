"""The figures of the hill-walker: gradient descent on hills and on the losses of networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hillwalker import hills
from hillwalker.callbacks import Recorder
from hillwalker.lesson import data
from hillwalker.optimizers import SGD, Adam, RMSprop
from hillwalker.plots.descent import plot_descent
from hillwalker.plots.landscape import plot_surface, plot_surface_3d
from hillwalker.seeing.descent import descend
from hillwalker.seeing.landscape import Surface
from hillwalker.seeing.landscape import landscape as surface_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def walking_downhill() -> Figure:
    """The blind hill-walker: feel the slope, step against it, repeat until the valley."""
    return plot_descent(descend(hills.parabola(), 4.0, optimizer=SGD(0.15), steps=20))


def step_size() -> Figure:
    """Gradient descent on a parabola at three learning rates: too small, right, too large."""
    rates = {"too small": 0.02, "right": 0.3, "too large": 1.03}
    walkers = {f"{label}: {rate:g}": SGD(rate) for label, rate in rates.items()}
    return plot_descent(descend(hills.parabola(), 4.0, optimizer=walkers, steps=10))


def momentum() -> Figure:
    """Momentum against plain gradient descent in a ravine, at the same learning rate."""
    walkers = {"plain": SGD(0.03), "momentum 0.8": SGD(0.03, momentum=0.8)}
    return plot_descent(descend(hills.ravine(), optimizer=walkers, steps=60))


def optimizer_paths() -> Figure:
    """SGD, momentum, RMSprop and Adam in the bent ravine of Rosenbrock's function."""
    walkers = {"SGD": SGD(0.001), "momentum": SGD(0.001, momentum=0.9), "RMSprop": RMSprop(0.1), "Adam": Adam(0.1)}
    return plot_descent(descend(hills.rosenbrock(), optimizer=walkers, steps=250))


def landscape() -> Figure:
    """The loss of a network with two weights, over all their values: the true surface, no slice."""
    return plot_surface(_two_weights())


def landscape_3d() -> Figure:
    """The same loss as a hilly country, with the path of a training."""
    return plot_surface_3d(_two_weights())


def _two_weights() -> Surface:
    X, y = data.wave(200, noise=0.1)
    model = data.network(1, [])
    model.compile(SGD(0.05), loss="mse")
    model.set_weights([np.array([[-1.5]]), np.array([1.5])])
    recorder = Recorder()
    model.fit(X, y, epochs=40, batch_size=len(X), verbose=0, callbacks=[recorder])
    return surface_of(model, X, y, resolution=61, recording=recorder.recording, verbose=0)


def training_path() -> Figure:
    """The path of a real training in the plane in which it moved most, and the loss around it."""
    X, y = data.circle()
    model = data.network(2, [16], "tanh", output="sigmoid")
    model.compile(Adam(0.02), loss="binary_crossentropy")
    recorder = Recorder()
    model.fit(X, y, epochs=60, verbose=0, callbacks=[recorder])
    return plot_surface(surface_of(model, X, y, directions="pca", recording=recorder.recording, verbose=0))
