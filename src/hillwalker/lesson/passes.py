"""The figures of one pass: forward, loss, blame, derivatives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hillwalker.lesson import data
from hillwalker.models import Sequential
from hillwalker.optimizers import SGD, Adam
from hillwalker.plots.blame import plot_blame
from hillwalker.plots.cheat_sheet import plot_cheat_sheet
from hillwalker.plots.gradient_check import plot_gradient_check
from hillwalker.plots.passes import plot_backward, plot_forward, plot_network
from hillwalker.plots.shapes import plot_activations, plot_confidence, plot_loss_shapes
from hillwalker.seeing import shapes
from hillwalker.seeing.blame import blame
from hillwalker.seeing.gradient_check import check_gradients

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def big_picture() -> Figure:
    """Two directions: numbers flow forward to a prediction, blame flows backward to every weight."""
    return plot_network(data.example().trace(data.X_ONE, data.Y_ONE))


def forward_pass() -> Figure:
    """The forward pass of the 2-2-1 example: multiply, add, activate, and the loss at its end."""
    return plot_forward(data.example().trace(data.X_ONE, data.Y_ONE))


def forward_layers() -> Figure:
    """A forward pass through two hidden layers, layer by layer."""
    model = data.network(3, [3, 2], output="sigmoid", seed=4)
    model.compile(SGD(0.1), loss="binary_crossentropy")
    return plot_forward(model.trace(np.array([[1.0, -0.5, 0.8]]), np.array([[1.0]])))


def input_to_loss() -> Figure:
    """From four inputs to three class probabilities and their cross-entropy."""
    model, X, y = _three_classes()
    return plot_network(model.trace(X[:1], y[:1]))


def _three_classes() -> tuple[Sequential, Any, Any]:
    X, y = data.clusters()
    model = data.network(4, [3], "tanh", output="softmax", units=3)
    model.compile(Adam(0.01), loss="sparse_categorical_crossentropy")
    return model, X, y


def confident_and_wrong() -> Figure:
    """Binary cross-entropy by predicted probability: confident and wrong costs most."""
    return plot_confidence(shapes.confidence_shape())


def return_losses() -> Figure:
    """What an error in a predicted return costs: squared, absolute, Huber and pinball loss."""
    return plot_loss_shapes(shapes.loss_shapes(("mse", "mae", "huber", "pinball")))


def blame_tracing() -> Figure:
    """Blame in a network of two hidden layers: how much of the error flows back through each unit."""
    X, y = data.circle()
    model = data.network(2, [4, 4], "tanh", output="sigmoid")
    model.compile(Adam(0.01), loss="binary_crossentropy")
    model.fit(X, y, epochs=20, verbose=0)
    wrong = int(np.argmax(np.abs(model.predict(X, verbose=0)[:, 0] - y)))  # the row with most to blame for
    return plot_network(model.trace(X[wrong : wrong + 1], y[wrong : wrong + 1]))


def chain_rule() -> Figure:
    """The chain rule in a chain of single units: the gradient is a product, one factor a step."""
    model = data.network(1, [1, 1], "sigmoid", output="sigmoid", seed=3)
    model.compile(SGD(0.5), loss="binary_crossentropy")
    return plot_backward(model.trace(np.array([[1.5]]), np.array([[1.0]])))


def backprop_steps() -> Figure:
    """Backpropagation step by step in the 2-2-1 example, from the error to the changed weights."""
    return plot_backward(data.example().trace(data.X_ONE, data.Y_ONE))


def derivatives() -> Figure:
    """The activations and their derivatives, the factors by which blame passes a unit."""
    return plot_activations(shapes.activation_shapes())


def cheat_sheet() -> Figure:
    """Which loss belongs to which task and output activation."""
    return plot_cheat_sheet(shapes.cheat_sheet())


def gradient_check() -> Figure:
    """The gradients of backpropagation against differences of the loss, weight by weight."""
    model, X, y = _three_classes()
    return plot_gradient_check(check_gradients(model, X[:32], y[:32]))


def blame_over_data() -> Figure:
    """Which rows, inputs and units carry the error of a trained network."""
    model, X, y = _three_classes()
    model.fit(X, y, epochs=50, verbose=0)
    return plot_blame(blame(model, X, y))
