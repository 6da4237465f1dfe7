"""Volatility of prices: features from past days only, and the baselines a network has to beat.

The walk-forward study is not here yet; `hillwalker demo` is one time-ordered split.
"""

from hillwalker.finance.baselines import log_har, log_har_x, persistence
from hillwalker.finance.evaluate import log_to_mean, qlike, score
from hillwalker.finance.features import Features, volatility_features
from hillwalker.finance.prices import Prices, annualised_percent, load_sp500, parkinson_variance

__all__ = [
    "Features",
    "Prices",
    "annualised_percent",
    "load_sp500",
    "log_har",
    "log_har_x",
    "log_to_mean",
    "parkinson_variance",
    "persistence",
    "qlike",
    "score",
    "volatility_features",
]
