"""What a batch size costs and brings: noise by its definition, epochs by the curves, and a model left alone."""

from __future__ import annotations

import math
import os
import signal
import threading

import numpy as np
import pytest

from hillwalker import Sequential, copies, plots
from hillwalker.choosing.trade_offs import batch_trade_offs
from hillwalker.errors import InputError
from hillwalker.layers import Dense, Input
from hillwalker.optimizers import SGD


def line() -> tuple[Sequential, np.ndarray, np.ndarray]:
    X = np.random.default_rng(0).normal(size=(60, 2))
    model = Sequential([Input((2,)), Dense(1)])
    model.compile(SGD(0.05), loss="mse")
    return model, X, X @ [1.0, -2.0]


def test_noise_is_the_spread_of_batches_drawn_without_replacement():
    model, X, y = line()
    found = batch_trade_offs(model, X, y, goal=0.1, batch_sizes=[1, 6, 60], epochs=20, seeds=2, verbose=0)
    W, b = model.get_weights()
    errors = 2 * (X @ W[:, 0] + b[0] - y)
    rows = np.column_stack([errors[:, None] * X, errors])  # each row's gradient
    whole = rows.mean(axis=0)
    generator = np.random.default_rng(1)
    drawn = [rows[generator.permutation(60)[:6]].mean(axis=0) - whole for _ in range(4000)]
    measured = np.sqrt(np.mean(np.square(drawn).sum(axis=1))) / np.linalg.norm(whole)
    assert found.noise[1] == pytest.approx(measured, rel=0.03)
    assert found.noise[2] == 0
    exact = np.sqrt(np.mean(np.square(rows - whole).sum(axis=1))) / np.linalg.norm(whole)
    assert found.noise[0] == pytest.approx(exact, rel=1e-4)


def test_epochs_are_those_of_the_curves():
    model, X, y = line()
    found = batch_trade_offs(model, X, y, goal=0.2, batch_sizes=[10], epochs=50, seeds=3, verbose=0)
    first = []
    for alone in copies(model, 3):
        losses = alone.fit(X, y, batch_size=10, epochs=50, verbose=0).history["loss"]
        first.append(next(epoch + 1 for epoch, loss in enumerate(losses) if loss <= 0.2))
    assert found.epochs == [np.median(first)]
    assert found.steps == [np.median(first) * 6]
    assert found.memory == [10 * 3 * 4]  # two inputs and one output, float32


def test_a_goal_that_is_not_reached_is_infinite_and_drawn():
    model, X, y = line()
    found = batch_trade_offs(model, X, y, goal=-1.0, batch_sizes=[20, 60], epochs=2, seeds=1, verbose=0)
    assert found.epochs == [math.inf, math.inf]
    assert found.to_dict()["steps"] == [None, None]
    assert "×" in found.plot().axes[1].get_title(loc="left")
    assert "inf" in repr(found)
    assert list(found.to_frame().index) == [20, 60]
    assert len(plots.plot_batch_trade_offs(found).axes) == 4


def test_the_model_is_left_as_it_is():
    model, X, y = line()
    model.fit(X, y, epochs=2, verbose=0)
    before, iteration = model.get_weights(), int(model.optimizer.iterations)
    history = model.history
    batch_trade_offs(model, X, y, goal=0.1, epochs=2, seeds=1, verbose=0)
    assert all((old == new).all() for old, new in zip(before, model.get_weights(), strict=True))
    assert int(model.optimizer.iterations) == iteration
    assert model.history is history


def test_ctrl_c_is_heard():
    model, X, y = line()
    model.compile(SGD(1e-9), loss="mse")
    press = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    press.start()
    with pytest.raises(KeyboardInterrupt):
        batch_trade_offs(model, X, y, goal=0.0, batch_sizes=[1], epochs=1_000_000, seeds=1, verbose=0)
    press.join()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"goal": math.nan}, "goal"),
        ({"goal": "low"}, "goal"),
        ({"goal": 0.1, "batch_sizes": [0]}, "batch_sizes"),
        ({"goal": 0.1, "batch_sizes": [61]}, "1 to 60"),
        ({"goal": 0.1, "batch_sizes": []}, "batch_sizes"),
        ({"goal": 0.1, "epochs": 0}, "epochs"),
        ({"goal": 0.1, "seeds": 0}, "seeds"),
    ],
)
def test_bad_input_is_refused(settings, words):
    with pytest.raises(InputError, match=words):
        batch_trade_offs(*line(), **settings)
