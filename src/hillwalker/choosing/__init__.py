"""Choose by experiment: learning rates, batch sizes, anything; records, no pictures."""

from hillwalker.choosing.batch_runs import BatchSizeRuns, batch_size_runs
from hillwalker.choosing.batch_sizes import BatchSizes, compare_batch_sizes
from hillwalker.choosing.comparison import Comparison, Row
from hillwalker.choosing.experiment import compare
from hillwalker.choosing.grid import Grid
from hillwalker.choosing.learning_rate import Sweep, sweep_learning_rates
from hillwalker.choosing.noise import GradientNoise, gradient_noise
from hillwalker.choosing.race import LearningRate, find_learning_rate

__all__ = [
    "BatchSizeRuns",
    "BatchSizes",
    "Comparison",
    "GradientNoise",
    "Grid",
    "LearningRate",
    "Row",
    "Sweep",
    "batch_size_runs",
    "compare",
    "compare_batch_sizes",
    "find_learning_rate",
    "gradient_noise",
    "sweep_learning_rates",
]
