"""Volatility of prices: features from past days only, and the baselines a network has to beat.

The walk-forward study is not here yet; `hillwalker demo` is one time-ordered split.
"""

from hillwalker.finance.baselines import log_har, log_har_x, persistence
from hillwalker.finance.evaluate import log_to_mean, qlike, score
from hillwalker.finance.features import Features, volatility_features
from hillwalker.finance.prices import (
    Prices,
    Remark,
    annualised_percent,
    load_nasdaq,
    load_sp500,
    parkinson_variance,
)
from hillwalker.finance.proxies import (
    PROXIES,
    garman_klass_variance,
    rogers_satchell_variance,
    squared_return,
    yang_zhang_variance,
)
from hillwalker.finance.reading import load_stock, read_all_prices, read_prices

__all__ = [
    "PROXIES",
    "Prices",
    "Remark",
    "Features",
    "annualised_percent",
    "garman_klass_variance",
    "load_nasdaq",
    "load_sp500",
    "load_stock",
    "log_har",
    "log_har_x",
    "log_to_mean",
    "parkinson_variance",
    "persistence",
    "qlike",
    "read_all_prices",
    "read_prices",
    "rogers_satchell_variance",
    "score",
    "squared_return",
    "volatility_features",
    "yang_zhang_variance",
]
