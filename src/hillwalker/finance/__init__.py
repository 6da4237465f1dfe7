"""Volatility and returns without self-deception: walk-forward forecasts, beside the baselines they have to beat.

`volatility(prices)` is the whole chain in one call; each of its stages is a function of its own.
"""

from hillwalker.finance.baselines import BASELINES, Forecast, log_har, log_har_x, persistence
from hillwalker.finance.comparing import diebold_mariano, holm, model_confidence_set, pooled_diebold_mariano
from hillwalker.finance.economics import directional, economics, positions
from hillwalker.finance.evaluate import calibration, coverage, log_to_mean, qlike, score
from hillwalker.finance.features import Features, return_features, volatility_features
from hillwalker.finance.intervals import conformal_intervals
from hillwalker.finance.network import Settings, fit_networks
from hillwalker.finance.prices import (
    Prices,
    Remark,
    annualised_percent,
    load_nasdaq,
    load_sp500,
    parkinson_variance,
)
from hillwalker.finance.prove import Proof, prove_no_leak
from hillwalker.finance.proxies import (
    PROXIES,
    garman_klass_variance,
    rogers_satchell_variance,
    squared_return,
    yang_zhang_variance,
)
from hillwalker.finance.reading import load_stock, read_all_prices, read_prices
from hillwalker.finance.returns import returns
from hillwalker.finance.returns_study import ReturnsStudy
from hillwalker.finance.volatility import VolatilityStudy, volatility
from hillwalker.finance.walk_forward import SeriesForecasts, WalkForward, walk_forward
from hillwalker.finance.windows import Window, walk_forward_windows

__all__ = [
    "BASELINES",
    "PROXIES",
    "Features",
    "Forecast",
    "Prices",
    "Proof",
    "Remark",
    "ReturnsStudy",
    "SeriesForecasts",
    "Settings",
    "VolatilityStudy",
    "WalkForward",
    "Window",
    "annualised_percent",
    "calibration",
    "conformal_intervals",
    "coverage",
    "diebold_mariano",
    "directional",
    "economics",
    "fit_networks",
    "garman_klass_variance",
    "holm",
    "load_nasdaq",
    "load_sp500",
    "load_stock",
    "log_har",
    "log_har_x",
    "log_to_mean",
    "model_confidence_set",
    "parkinson_variance",
    "persistence",
    "pooled_diebold_mariano",
    "positions",
    "prove_no_leak",
    "qlike",
    "read_all_prices",
    "read_prices",
    "return_features",
    "returns",
    "rogers_satchell_variance",
    "score",
    "squared_return",
    "volatility",
    "volatility_features",
    "walk_forward",
    "walk_forward_windows",
    "yang_zhang_variance",
]
