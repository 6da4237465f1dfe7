"""Choose by experiment: learning rates, batch sizes; records, no pictures."""

from hillwalker.choosing.batch_sizes import BatchSizeRuns, batch_size_runs
from hillwalker.choosing.learning_rate import Sweep, sweep_learning_rates
from hillwalker.choosing.noise import GradientNoise, gradient_noise

__all__ = ["BatchSizeRuns", "GradientNoise", "Sweep", "batch_size_runs", "gradient_noise", "sweep_learning_rates"]
