"""Choose by experiment: learning rates, batch sizes; records, no pictures."""

from hillwalker.choosing.batch_sizes import BatchSizeRuns, batch_size_runs
from hillwalker.choosing.learning_rate import Sweep, sweep_learning_rates
from hillwalker.choosing.noise import GradientNoise, gradient_noise
from hillwalker.choosing.trade_offs import BatchTradeOffs, batch_trade_offs

__all__ = [
    "BatchSizeRuns",
    "BatchTradeOffs",
    "GradientNoise",
    "Sweep",
    "batch_size_runs",
    "batch_trade_offs",
    "gradient_noise",
    "sweep_learning_rates",
]
