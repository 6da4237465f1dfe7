"""The learning-rate range test: one training whose rate grows with every step, and what published rules read from it.

Nothing is chosen for the user here, and the model is left as it was: a copy of it takes the steps.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hillwalker import checks, records
from hillwalker.choosing.worker import orders, step, worker
from hillwalker.differentiate import FloatArray
from hillwalker.errors import InputError, InputTypeError, explain
from hillwalker.models.edge import not_negative_integer
from hillwalker.training.progress import Shown, display

CALL = "sweep_learning_rates(model, X, y, {})"
LAST = 5  # losses at the end that fastai leaves out, because there the training already diverges

Rule = Callable[[FloatArray, FloatArray], float]

# The rules: (rates, smoothed losses), both (n,), the rates growing -> a rate. Pure functions.


def steepest(rates: FloatArray, losses: FloatArray) -> float:
    """Return the rate at which the loss falls fastest: the least dL / d ln(rate) between neighbours.

    Source: fastai, `steep` in callback/schedule.py.

    >>> steepest(np.array([0.1, 1.0, 10.0, 100.0]), np.array([4.0, 3.9, 1.0, 0.9]))
    1.0
    """
    return float(rates[np.argmin(np.diff(losses) / np.diff(np.log(rates)))])


def valley(rates: FloatArray, losses: FloatArray) -> float:
    """Return the rate halfway into the longest valley, the longest run of falling losses (gaps allowed).

    The run that ends at i has length l(i) = 1 + max l(j) over j < i with loss j above loss i. Of the longest, the
    middle of its middle third is taken. Source: fastai, `valley` in callback/schedule.py.

    >>> valley(np.logspace(-9, 1, 11), np.array([9.0, 9.5, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 20.0])).__round__(9)
    1e-05
    """
    lengths = np.ones(len(losses), dtype=int)
    for place in range(1, len(losses)):
        higher = losses[:place] > losses[place]
        if higher.any():
            lengths[place] = lengths[:place][higher].max() + 1
    end = int(np.argmax(lengths))
    start = end - int(lengths[end]) if lengths[end] > 1 else end
    third = (end - start) / 3
    return float(rates[max(0, start + int(third) + int(third / 2))])


def minimum_by_ten(rates: FloatArray, losses: FloatArray) -> float:
    """Return a tenth of the rate at which the loss is least: at the least itself the training is about to diverge.

    Source: fastai, `minimum` in callback/schedule.py.

    >>> minimum_by_ten(np.array([0.1, 1.0, 10.0]), np.array([2.0, 1.0, 3.0]))
    0.1
    """
    return float(rates[np.argmin(losses)]) / 10


def slide(rates: FloatArray, losses: FloatArray, width: int = 15, threshold: float = 0.005) -> float:
    """Return the rate at which an interval of `width` steps, slid down from the largest rate, first has equal slopes.

    Equal: the losses' gradients (a step) at its two ends differ by at most `threshold`. Needs more than `width`
    points. Source: fastai, `slide` in callback/schedule.py, after Pancholi, 2020 ("novel LR finder").
    """
    gradient = np.gradient(losses)
    right, left = -1, -1 - width
    found = rates[left]
    while left >= -len(losses) and abs(gradient[right] - gradient[left]) > threshold:
        found = rates[left]
        right, left = right - 1, left - 1
    return float(found)


def lightning(rates: FloatArray, losses: FloatArray) -> float:
    """Return the rate at which the loss falls fastest, by central differences a step.

    PyTorch Lightning's rule, `suggestion` in tuner/lr_finder.py; it leaves out the first 10 points and the last.

    >>> lightning(np.array([0.1, 1.0, 10.0, 100.0]), np.array([4.0, 3.9, 1.0, 0.5]))
    10.0
    """
    return float(rates[np.argmin(np.gradient(losses))])


RULES: dict[str, Rule] = {
    "steepest": steepest,
    "valley": valley,
    "minimum/10": minimum_by_ten,
    "slide": slide,
    "lightning": lightning,
}


def suggestions(rates: FloatArray, smoothed: FloatArray, steps: int) -> dict[str, float]:
    """Return what each rule says of a sweep of so many steps; a rule that has too few points is left out.

    As fastai does, its rules leave out the first tenth of the steps and the last 5 points done; Lightning's the first
    10 and the last.
    """
    finite = np.isfinite(smoothed)
    count = len(smoothed) if finite.all() else int(np.argmin(finite))
    found: dict[str, float] = {}
    for name, rule in RULES.items():
        kept = slice(10, max(10, count - 1)) if name == "lightning" else slice(steps // 10, max(0, count - LAST))
        fewest = 17 if name == "slide" else 2
        if len(rates[kept]) >= fewest:
            found[name] = rule(rates[kept], smoothed[kept])
    return found


def smooth(losses: FloatArray, smoothing: float) -> FloatArray:
    """Return the exponential moving average, its start corrected: s_t = (1 - b) sum b^(t-i) L_i / (1 - b^t).

    Source: Smith, 2017, as fastai and Lightning compute it.

    >>> smooth(np.array([2.0, 2.0, 8.0]), 0.5).round(4).tolist()
    [2.0, 2.0, 5.4286]
    """
    average, smoothed = 0.0, np.empty(len(losses))
    for place, loss in enumerate(losses):
        average = smoothing * average + (1 - smoothing) * float(loss)
        smoothed[place] = average / (1 - smoothing ** (place + 1))
    return smoothed


@dataclass(frozen=True, eq=False, repr=False)
class Sweep:
    """A learning-rate range test: `rates`, `losses` (each batch's, before its step), `smoothed`, each (steps done,).

    `stopped_at` is the rate at which the loss had blown up and the sweep ended, None if it came to its end;
    `suggestions` are the rates that published rules read from the smoothed losses, by name.
    """

    rates: FloatArray
    losses: FloatArray
    smoothed: FloatArray
    stopped_at: float | None
    suggestions: dict[str, float]
    loss: str = ""
    batch_size: int = 0
    smoothing: float = 0.0
    stop_at: float = math.inf

    @property
    def rises_from(self) -> float | None:
        """The rate of the least smoothed loss, after the first tenth of the steps, if it rises 10 % from there."""
        skipped = len(self.smoothed) // 10
        kept = self.smoothed[skipped:]
        finite = np.isfinite(kept)
        if not finite.any():
            return None
        least = int(np.argmin(np.where(finite, kept, np.inf)))
        rise = kept[-1] - kept[least] > 0.1 * abs(kept[least])
        is_rising = bool(rise) or self.stopped_at is not None or not finite[-1]
        return float(self.rates[skipped + least]) if is_rising and least + 1 < len(kept) else None

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, numbers and strings."""
        plain: dict[str, Any] = records.plain(asdict(self))
        return plain

    def to_frame(self) -> Any:
        """Return one row a step: rate, loss and smoothed loss."""
        columns: dict[str, Any] = {"rate": self.rates, "loss": self.losses, "smoothed": self.smoothed}
        return records.to_frame({"step": list(range(len(self.rates))), **columns}, "step", "sweep.to_frame()")

    def plot(self, title: str | None = None) -> Any:
        """Return a matplotlib figure (see `hillwalker.plots.learning_rate.plot_learning_rate_sweep`)."""
        from hillwalker.plots.learning_rate import plot_learning_rate_sweep

        return plot_learning_rate_sweep(self, title)

    def __repr__(self) -> str:
        end = f", blown up at {self.stopped_at:.3g}" if self.stopped_at is not None else ""
        head = f"Sweep of {len(self.rates)} rates from {self.rates[0]:.3g} to {self.rates[-1]:.3g}{end}"
        return "\n".join([head, *(f"{name:>12}  {rate:.3g}" for name, rate in self.suggestions.items())])


def sweep_learning_rates(
    model: Any,
    X: Any,
    y: Any,
    start: float = 1e-7,
    end: float = 10.0,
    steps: int = 100,
    batch_size: int = 32,
    smoothing: float = 0.98,
    stop_at: float = 4.0,
    sample_weight: Any = None,
    seed: int = 0,
    verbose: Any = "auto",
) -> Sweep:
    """Train a copy of the model for `steps` batches, each with a larger rate than the last, and return the losses.

    The rate of step t is start (end / start)^(t / (steps - 1)). The model is left exactly as it was.

    Args:
        model: compiled; its weights and its optimizer's memory are where the sweep begins.
        X, y: (n, inputs) and (n,) or (n, outputs).
        start, end: the first and the last rate, above 0.
        batch_size: rows a step.
        smoothing: the share of the old average in the new, 0 (none) up to, but not including, 1.
        stop_at: the sweep ends where the smoothed loss is more than this many times the least one so far (1 or more;
            math.inf: never), or where a loss is no longer finite.
        seed: of the rows' order.
        verbose: "auto" (a bar, if it takes over a second), 0 or 1.

    Raises InputError, InputTypeError or StateError before anything is computed.
    Source: Smith, "Cyclical learning rates for training neural networks", 2017; defaults as in fastai.

    >>> from hillwalker import Sequential, utils
    >>> from hillwalker.layers import Dense, Input
    >>> utils.set_random_seed(0)
    >>> model = Sequential([Input((3,)), Dense(8, activation="tanh"), Dense(1)])
    >>> model.compile(optimizer="sgd", loss="mse")
    >>> X = np.random.default_rng(0).normal(size=(200, 3)); y = X.sum(axis=1)
    >>> sweep = sweep_learning_rates(model, X, y, verbose=0)
    >>> len(sweep.rates) > 50, 1e-4 < sweep.suggestions["valley"] < 1.0
    (True, True)
    """
    display(verbose, sys.stdout)  # may refuse
    low, high = _positive("start", start), _positive("end", end)
    if low >= high:
        raise InputError(explain(f"start={start!r}, end={end!r}.", "a start below the end.", CALL.format("end=10.0")))
    count = checks.positive_integer("steps", steps, CALL.format("steps=100"))
    if count < 2:
        raise InputError(explain(f"steps={steps!r}.", "2 or more.", CALL.format("steps=100")))
    rows = checks.positive_integer("batch_size", batch_size, CALL.format("batch_size=32"))
    if not 0 <= _real("smoothing", smoothing) < 1:
        raise InputError(
            explain(f"smoothing={smoothing!r}.", "a number from 0 to below 1.", CALL.format("smoothing=0.98"))
        )
    if math.isnan(_real("stop_at", stop_at)) or stop_at < 1:
        raise InputError(explain(f"stop_at={stop_at!r}.", "a number, 1 or more.", CALL.format("stop_at=4.0")))
    seed = not_negative_integer("seed", seed, CALL.format("seed=0"))
    made, data = worker(model, X, y, sample_weight, seed, "sweep_learning_rates")
    rates = np.geomspace(low, high, count)
    losses, stopped_at = _run(made, data, rates, rows, smoothing, stop_at, seed, verbose)
    smoothed = smooth(losses, smoothing)
    done = rates[: len(losses)]
    assert made._loss is not None
    name = made._loss.kind or made._loss.name
    told = suggestions(done, smoothed, count)
    return Sweep(done, losses, smoothed, stopped_at, told, name, min(rows, len(data)), smoothing, stop_at)


def _run(
    made: Any, data: Any, rates: FloatArray, rows: int, smoothing: float, stop_at: float, seed: int, verbose: Any
) -> tuple[FloatArray, float | None]:
    """Return the losses of the steps done, and the rate at which they blew up."""
    losses: list[float] = []
    average, best = 0.0, math.inf
    shown = Shown("sweep", verbose)
    try:
        for rate, order in zip(rates, orders(len(data), rows, seed), strict=False):
            losses.append(step(made.state, data, order, float(rate)))
            average = smoothing * average + (1 - smoothing) * losses[-1]
            smoothed = average / (1 - smoothing ** len(losses))
            best = min(best, smoothed)
            # The same as smoothed > stop_at * best for losses above 0, and still right for those that go below.
            if not math.isfinite(losses[-1]) or smoothed - best > (stop_at - 1) * abs(best):
                return np.array(losses), float(rate)
            shown(len(losses) / len(rates))
    finally:
        shown.close()
    return np.array(losses), None


def _real(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        raise InputTypeError(explain(f"{name}={value!r}.", "a number.", CALL.format(f"{name}=...")))
    return float(value)


def _positive(name: str, value: Any) -> float:
    number = _real(name, value)
    if not (0 < number < math.inf):
        raise InputError(explain(f"{name}={value!r}.", "a learning rate above 0.", CALL.format("start=1e-7, end=10.0")))
    return number
