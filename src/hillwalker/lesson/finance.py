"""The figures of finance, on twenty years of the S&P 500: curves on noise, and volatility out of sample."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hillwalker import demo
from hillwalker.finance import load_sp500, volatility_features
from hillwalker.lesson import data
from hillwalker.optimizers import Adam
from hillwalker.plots.history import plot_history
from hillwalker.training.history import History

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]


def return_curves() -> Figure:
    """Tomorrow's return from what is known today: training improves, validation never does."""
    prices, features = load_sp500(), volatility_features(load_sp500())
    returns = np.diff(np.log(prices.close))  # returns[k] is that of day k + 1
    y = returns[np.searchsorted(prices.dates, features.target_dates) - 1]
    return plot_history(_train(features.X, y, epochs=60), title="Predicting returns")


def volatility_training() -> Figure:
    """Tomorrow's volatility: noisy curves, and a validation loss that soon turns upward."""
    features = volatility_features(load_sp500())
    return plot_history(_train(features.X, features.y, epochs=100), title="Predicting volatility")


def _train(X: Array, y: Array, epochs: int) -> History:
    """Train 64-32-1 on the first 60 % of days, validated on the next 20 %; both scaled on the training days."""
    training, both = round(0.6 * len(y)), round(0.8 * len(y))
    X = (X - X[:training].mean(axis=0)) / X[:training].std(axis=0)
    y = (y - y[:training].mean()) / y[:training].std()
    model = data.network(X.shape[1], [64, 32])
    model.compile(Adam(0.001), loss="mse")
    later = (X[training:both], y[training:both])
    return model.fit(X[:training], y[:training], epochs=epochs, batch_size=32, validation_data=later, verbose=0)


def out_of_sample() -> Figure:
    """Predicted against actual volatility on the last fifth of days, which no network was trained on."""
    return demo.prediction_figure(_demo())


@functools.cache
def _demo() -> demo.Demo:
    return demo.run(members=3)
