"""The figures of training: rates, optimizers, curves to diagnose, batch sizes."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from hillwalker import quiz
from hillwalker.callbacks import Recorder
from hillwalker.choosing.batch_runs import batch_size_runs
from hillwalker.choosing.batch_sizes import compare_batch_sizes
from hillwalker.choosing.learning_rate import sweep_learning_rates
from hillwalker.choosing.noise import gradient_noise as noise_of
from hillwalker.errors import HillwalkerWarning
from hillwalker.lesson import data
from hillwalker.models import Sequential, copies, fit_many
from hillwalker.optimizers import SGD, Adam, Optimizer, RMSprop
from hillwalker.plots.batch_runs import plot_batch_runs
from hillwalker.plots.batch_sizes import plot_batch_trade_offs
from hillwalker.plots.histories import plot_histories
from hillwalker.plots.learning_rate import plot_learning_rate_sweep
from hillwalker.plots.noise import plot_gradient_noise
from hillwalker.plots.recording import plot_recording
from hillwalker.training.history import History

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEEDS = 5  # trainings of each kind, where a band is drawn


def learning_rates() -> Figure:
    """One network at three learning rates: too high, too low and right."""
    X, y = data.product()
    rates = {"too high": 0.45, "too low": 0.002, "right": 0.1}
    runs = {
        f"{label} ({rate:g})": _train(data.network(2, [16], "tanh"), SGD(rate), "mse", X, y, epochs=60)
        for label, rate in rates.items()
    }
    return plot_histories(runs, validation=False)


def _train(model: Sequential, optimizer: Optimizer, loss: str, X: Any, y: Any, **settings: Any) -> History:
    model.compile(optimizer, loss=loss)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HillwalkerWarning)  # a rate that is too high may diverge, and is to be seen
        return model.fit(X, y, verbose=0, **settings)


def learning_rate_finder() -> Figure:
    """The learning rate swept from very small to very large: pick it where the loss falls fastest."""
    X, y = data.clusters(3000)
    model = data.network(4, [32], output="softmax", units=3)
    model.compile(SGD(), loss="sparse_categorical_crossentropy")
    return plot_learning_rate_sweep(sweep_learning_rates(model, X, y, start=1e-4, end=100.0, verbose=0))


def checkpoint() -> Figure:
    """Three curves of fresh trainings, to be matched with rates that are too high, too low and right."""
    figure: Figure = quiz.make(seed=5).plot()
    return figure


def optimizers() -> Figure:
    """SGD, momentum, RMSprop and Adam on the same network and data, five trainings each."""
    X, y = data.circle(1000)
    kinds = {"SGD": SGD(0.01), "SGD, momentum 0.9": SGD(0.01, momentum=0.9), "RMSprop": RMSprop(), "Adam": Adam()}
    runs = {}
    for label, optimizer in kinds.items():
        model = data.network(2, [32], output="sigmoid")
        model.compile(optimizer, loss="binary_crossentropy")
        runs[label] = fit_many(copies(model, SEEDS), X, y, epochs=100, verbose=0)
    return plot_histories(runs, validation=False)


def loss_curves() -> Figure:
    """Training and validation loss of a good training and of one that learns its rows by heart."""
    runs = _fits()
    return plot_histories({label: runs[label] for label in ("good fit", "overfitting")}, panels=True)


def fits() -> Figure:
    """Underfitting, a good fit and overfitting, on the same rows."""
    return plot_histories(_fits(), panels=True)


def _fits() -> dict[str, History]:
    X, y = data.wave(20, seed=2)
    kinds: dict[str, tuple[list[int], float, int]] = {
        "underfitting": ([], 0.003, 0),  # a straight line cannot follow a wave
        "good fit": ([16], 0.003, 1),
        "overfitting": ([64, 64], 0.01, 1),
    }
    return {
        label: _train(
            data.network(1, hidden, "tanh", seed=seed), Adam(rate), "mse", X, y,
            epochs=800, batch_size=10, validation_data=data.wave(300, seed=100),
        )
        for label, (hidden, rate, seed) in kinds.items()
    }  # fmt: skip


def batch_sizes() -> Figure:
    """The same network and rate, one row a step, 32 rows, or all of them: the loss of every step."""
    X, y = data.clusters(600)
    model = data.network(4, [16], output="softmax", units=3)
    model.compile(SGD(0.1), loss="sparse_categorical_crossentropy")
    return plot_batch_runs(batch_size_runs(model, X, y, epochs=20, verbose=0))


def gradient_noise() -> Figure:
    """How far the gradient of a mini-batch is from that of all rows, by batch size."""
    X, y = data.circle(2000)
    model = data.network(2, [32], output="sigmoid")
    model.compile(SGD(0.1), loss="binary_crossentropy")
    model.fit(X, y, epochs=5, verbose=0)
    return plot_gradient_noise(noise_of(model, X, y, verbose=0))


def batch_trade_offs() -> Figure:
    """What a batch size costs and brings: seconds an epoch, noise of the gradient, steps to a given loss."""
    X, y = data.circle(2000)
    model = data.network(2, [32], output="sigmoid")
    model.compile(SGD(0.1), loss="binary_crossentropy")
    sizes = [1, 4, 16, 64, 256, 1600]
    return plot_batch_trade_offs(compare_batch_sizes(model, X, y, sizes, seeds=6, epochs=400, target=0.45, verbose=0))


def weights_over_time() -> Figure:
    """Weights, gradients and the size of steps, layer by layer, over a training."""
    X, y = data.circle(1000)
    model = data.network(2, [32, 16], output="sigmoid")
    recorder = Recorder()
    _train(model, Adam(0.01), "binary_crossentropy", X, y, epochs=60, callbacks=[recorder])
    return plot_recording(recorder.recording)
