"""What a change would do, tried: other rates, more epochs, more units, an earlier stop, each trained beside the model.

A diagnosis is a claim about what a change would do; here the change is made. Trains by `compare` alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import checks, optimizers, records
from hillwalker.choosing import constants
from hillwalker.choosing.comparison import Comparison
from hillwalker.choosing.experiment import compare, parts_of
from hillwalker.choosing.variants import of_settings
from hillwalker.errors import InputError, explain
from hillwalker.layers import Dense
from hillwalker.models import Sequential, edge, stack
from hillwalker.scores import rounded

Array = NDArray[np.float64]

FACTORS = (1 / 100, 1 / 30, 1 / 10, 1 / 3, 3.0, 10.0, 30.0, 100.0)  # of the learning rate
LONGER, WIDER = 3, 2  # times the epochs, times the hidden units
MATTERS = 0.02  # of what can be gained: a change that brings less is no remedy
ERRORS = {"lower rate": 0.5, "higher rate": 0.5, "stop": 0.5, "more": 2.0}
"""Standard errors by which a gain has to be more than that: chosen, as MATTERS was, on the data sets for development.

More epochs or units need more, since a little more of both nearly always seems to help.
"""
SIGNAL = 0.01  # of the constant prediction's loss: what a network has to gain, or there is no signal
FALLS_ON = 0.6  # of the folds, in which the training loss fell on after the best validation: else it is no overfitting
CEILING = 10.0  # times what can be gained: no loss counts as further above the model's worst
SYMPTOMS = {"lower rate": "learning-rate-too-high", "higher rate": "learning-rate-too-low", "stop": "overfitting",
            "more": "underfitting"}  # fmt: skip
"""What is wrong where a change of this kind helps."""
CALL = "try_changes(model, X, y, {})"
ADVICE = {
    "learning-rate-too-high": "a lower learning rate ends better",
    "learning-rate-too-low": "a higher learning rate ends better",
    "overfitting": "stopping earlier ends better, while the training loss fell on",
    "underfitting": "training longer, or a larger network, ends better",
    "no-signal": "nothing tried predicts better than always predicting the same",
    "healthy": "nothing tried ends better by enough to matter",
}


@dataclass(frozen=True)
class Gain:
    """What one change brings, in parts of what can be gained over a constant prediction: (mean, standard error).

    `at_end`: of the losses after the last epoch; `stopped`: where each had better stopped.
    """

    change: str
    kind: str
    settings: dict[str, Any]
    at_end: tuple[float, float]
    stopped: tuple[float, float]

    @property
    def sure(self) -> float:
        """The gain less as many standard errors as its kind asks for, at the end or stopped, whichever is less."""
        return min(mean - ERRORS[self.kind] * error for mean, error in (self.at_end, self.stopped))

    @property
    def helps(self) -> bool:
        """Whether it surely brings enough to matter."""
        return self.sure > MATTERS

    @property
    def possible(self) -> float:
        """The gain and two standard errors, at the end or stopped, whichever is less."""
        return min(mean + 2 * error for mean, error in (self.at_end, self.stopped))


@dataclass(frozen=True, repr=False)
class Changes:
    """A model and its changes, trained on the same folds.

    `comparison`: all curves, the model as it is first; `constant_losses` (folds,): of always predicting what is best
    on the training rows; `learning_rate`, `epochs`: the model's own.
    """

    comparison: Comparison
    constant_losses: Array
    learning_rate: float
    epochs: int

    @cached_property
    def _ends(self) -> tuple[Array, Array, Array]:
        """The losses (variants, folds), means over seeds, at the end and where one had better stopped; and `falls`.

        `falls` (variants, folds) is the share of the seeds whose training loss fell on from there to the end.
        """
        validation, training = self.comparison.curves["val_loss"], self.comparison.curves["loss"]
        last = self.comparison.epochs - 1
        at_end = np.where(self.comparison.failed, np.inf, _at(validation, last))
        # Where a fold had better stopped is read off the other folds: what is gained by stopping there is no luck.
        by_fold = np.where(np.isfinite(validation), validation, 1e30).sum(axis=1)
        epoch = np.argmin(by_fold.sum(axis=1, keepdims=True) - by_fold, axis=-1)
        there = np.broadcast_to(epoch[:, np.newaxis], last.shape)
        stopped = _at(validation, there)
        stopped = np.where(np.isfinite(stopped), stopped, np.inf)
        falls = _at(training, last) < _at(training, there)
        return at_end.mean(axis=1), stopped.mean(axis=1), falls.mean(axis=1)

    @cached_property
    def scale(self) -> float:
        """What can be gained: the constant prediction's loss less the best one seen, at least 2 % of the former."""
        constant = float(self.constant_losses.mean())
        return max(constant - float(self._best.mean()), 0.02 * abs(constant), 1e-9)

    @cached_property
    def _best(self) -> Array:
        at_end, stopped, _ = self._ends
        every = [losses for losses in (*at_end, *stopped) if np.isfinite(losses).all()]
        return min(every, key=lambda losses: float(losses.mean()), default=self.constant_losses)

    def _gain(self, before: Array, after: Array) -> tuple[float, float]:
        ceiling = float(np.abs(before[np.isfinite(before)]).max(initial=0.0)) + CEILING * self.scale
        difference = (np.minimum(before, ceiling) - np.minimum(after, ceiling)) / self.scale
        return float(difference.mean()), float(difference.std(ddof=1) / math.sqrt(len(difference)))

    @cached_property
    def gains(self) -> tuple[Gain, ...]:
        """What each change brings, the surest first."""
        at_end, stopped, _ = self._ends
        found = [Gain("stop where validation is best", "stop", {}, *[self._gain(at_end[0], stopped[0])] * 2)]
        for number, settings in enumerate(self.comparison.settings):
            if number:
                change, kind = self._named(settings)
                gains = self._gain(at_end[0], at_end[number]), self._gain(stopped[0], stopped[number])
                found.append(Gain(change, kind, settings, *gains))
        return tuple(sorted(found, key=lambda gain: -gain.sure))

    def _named(self, settings: dict[str, Any]) -> tuple[str, str]:
        if "learning_rate" in settings:
            rate = settings["learning_rate"]
            return f"learning_rate={rate:.3g}", "lower rate" if rate < self.learning_rate else "higher rate"
        if "epochs" in settings:
            return f"epochs={settings['epochs']}", "more"
        return "units=" + "-".join(str(units) for units in settings["units"]), "more"

    @property
    def claims(self) -> dict[str, bool | None]:
        """For each symptom whether the experiment confirms it (True), refutes it (False) or leaves it open (None)."""
        gain = self.constant_losses - self._best
        signal = float(gain.mean()) > SIGNAL * abs(float(self.constant_losses.mean()))
        told = {
            "learning-rate-too-high": self._claimed("lower rate"),
            "learning-rate-too-low": self._claimed("higher rate"),
            "overfitting": self._claimed("stop") if self._ends[2][0].mean() >= FALLS_ON else False,
            "underfitting": self._claimed("more"),
        }
        if told["learning-rate-too-high"] and told["learning-rate-too-low"]:  # the surer one, or noise speaks
            first = next(one.kind for one in self.gains if one.kind.endswith("rate"))
            told["learning-rate-too-low" if first == "lower rate" else "learning-rate-too-high"] = None
        return {"no-signal": not signal, **told}

    def _claimed(self, kind: str) -> bool | None:
        gains = [one for one in self.gains if one.kind == kind]
        if any(one.helps for one in gains):
            return True
        return False if all(one.possible < MATTERS for one in gains) else None

    @cached_property
    def _first(self) -> Gain | None:
        """The surest gain that a confirmed claim stands for, None where there is no such claim."""
        claims = self.claims
        return None if claims["no-signal"] else next((one for one in self.gains if claims[SYMPTOMS[one.kind]]), None)

    @property
    def verdict(self) -> str:
        """The confirmed symptom whose remedy gains most surely; "no-signal" where nothing can be; or "healthy"."""
        if self._first is None:
            return "no-signal" if self.claims["no-signal"] else "healthy"
        return SYMPTOMS[self._first.kind]

    @property
    def remedy(self) -> str | None:
        """The change by which the verdict was reached, as a line of code; None where none is needed or none helps."""
        if self._first is None:
            return None
        settings = self._first.settings
        if self._first.kind == "stop":
            return "callbacks=[EarlyStopping(patience=..., restore_best_weights=True)]"
        if "learning_rate" in settings:
            return f"model.optimizer.learning_rate = {settings['learning_rate']:.3g}"
        if "epochs" in settings:
            return f"model.fit(..., epochs={settings['epochs']})"
        return ", ".join(f"Dense({units}, ...)" for units in settings["units"])

    def __str__(self) -> str:
        heads = ("change", "at the end", "± s.e.", "stopped", "± s.e.")
        lines = ["  ".join(f"{head:>{30 if head == 'change' else 10}}" for head in heads)]
        for one in self.gains:
            cells = [f"{100 * value:.1f} %" for value in (*one.at_end, *one.stopped)]
            lines.append("  ".join([f"{one.change:>30}", *(f"{cell:>10}" for cell in cells)]))
        constant, best = rounded(float(self.constant_losses.mean())), rounded(float(self._best.mean()))
        found = f"{self.verdict}: {ADVICE[self.verdict]}."
        remedy = f" First remedy: {self.remedy}" if self.remedy else ""
        seen = f"Gains in parts of {constant} (always predicting the same) less {best} (the best seen)."
        return "\n".join([*lines, seen, found + remedy])

    __repr__ = __str__

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the curves as plain lists, numbers and strings; these are `comparison.to_dict()`."""
        rows = [
            {"change": one.change, "kind": one.kind, "at_end": list(one.at_end), "stopped": list(one.stopped)}
            for one in self.gains
        ]
        return {
            "verdict": self.verdict,
            "claims": self.claims,
            "remedy": self.remedy,
            "gains": rows,
            "scale": self.scale,
            "constant_losses": records.plain(self.constant_losses),
            "learning_rate": self.learning_rate,
            "epochs": self.epochs,
        }

    def to_frame(self) -> Any:
        """Return one row a change: its gain at the end and stopped, with standard errors."""
        columns = {
            "change": [one.change for one in self.gains],
            "at_end": [one.at_end[0] for one in self.gains],
            "at_end_error": [one.at_end[1] for one in self.gains],
            "stopped": [one.stopped[0] for one in self.gains],
            "stopped_error": [one.stopped[1] for one in self.gains],
        }
        return records.to_frame(columns, call="try_changes(...).to_frame()")

    def plot(self) -> Any:
        """Return a matplotlib figure of the gains (see `hillwalker.plots.changes`); `comparison.plot()`: the curves."""
        from hillwalker.plots.changes import plot_changes

        return plot_changes(self)


def _at(curves: Array, epochs: NDArray[np.int64]) -> Array:
    """Return the values of curves (..., E) at epochs (...)."""
    values: Array = np.take_along_axis(curves, epochs[..., np.newaxis], -1)[..., 0]
    return values


def try_changes(
    model: Sequential,
    X: Any,
    y: Any,
    epochs: int = 50,
    batch_size: int | None = None,
    *,
    folds: int = 5,
    seeds: int = 3,
    seed: int = 0,
    time_ordered: bool = False,
    sample_weight: Any = None,
    folder: Any = None,
    threads: int | None = None,
    verbose: Any = "auto",
) -> Changes:
    """Train the model beside eight other rates, three times the epochs and twice the units, and say what is wrong.

    A change's gain is (L_model - L_change) / (L_constant - L_best), paired over folds; losses count at the last epoch
    and where each had better stopped. "learning-rate-too-high" means that a lower rate ends better in both ways, by
    more than 2 % and half a standard error; "overfitting", that stopping earlier does while the training loss fell on;
    "underfitting", that more epochs or units do, by two standard errors; "no-signal", that nothing is 1 % better than
    a constant prediction.

    Args:
        model: compiled, its learning rate a number; it is left as it is.
        X, y: data; each fold is held out once.
        epochs, batch_size: as in the training that is asked about.
        folds, seeds: folds x seeds trainings for each change; 3 folds or more.
        seed: the first of the seeds.
        time_ordered: whether rows lie in time: each fold is then validated on after training on all rows before it.
        folder: where runs are written down, as in `compare`.

    Returns a Changes. Raises InputError before anything is trained.

    >>> from hillwalker.layers import Input
    >>> model = Sequential([Input((2,)), Dense(16, activation="tanh"), Dense(1)])
    >>> model.compile(optimizer=optimizers.Adam(1e-5), loss="mse")
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> tried = try_changes(model, X, X[:, 0] * X[:, 1], epochs=30, verbose=0)
    >>> tried.verdict, tried.claims["overfitting"]
    ('learning-rate-too-low', False)
    """
    count = checks.positive_integer("folds", folds, CALL.format("folds=5"))
    if count < 3:
        raise InputError(explain(f"folds={folds!r}.", "3 or more: two tell little of noise.", CALL.format("folds=5")))
    length = checks.positive_integer("epochs", epochs, CALL.format("epochs=50"))
    number = edge.not_negative_integer("seed", seed, CALL.format("seed=0"))
    several = checks.positive_integer("seeds", seeds, CALL.format("seeds=3"))
    of_settings(model, [{}], None, 0)  # refuses what is no compiled model
    assert model.optimizer is not None
    if isinstance(getattr(model.optimizer, "schedule", None), optimizers.schedules.LearningRateSchedule):
        passed = "a model whose learning rate is a schedule."
        raise InputError(explain(passed, "an optimizer with a number for it.", "optimizer=Adam(0.001)"))
    data = model._edge.data(X, y, sample_weight, call="try_changes")
    rate = float(model.optimizer.learning_rate)
    changes: list[dict[str, Any]] = [{}, *({"learning_rate": rate * factor} for factor in FACTORS)]
    changes.append({"epochs": LONGER * length})
    hidden = [layer.units for layer in model.layers if isinstance(layer, Dense)][:-1]
    if hidden:
        changes.append({"units": tuple(WIDER * units for units in hidden)})
    parts = parts_of(model, data, count, time_ordered, 0.0)
    plan = model.plan if model.built else stack.lay_out(model.layers, tuple(np.shape(X)[1:]), data.dtype)
    assert data.y is not None
    assert model._edge.loss is not None
    told = plan.output_width, stack.output_activation(model.layers), data.sample_weight
    constant = constants.constant_losses(model._edge.loss, data.y, parts, None, *told)
    comparison = compare(
        model, X, y, changes, range(number, number + several), length, batch_size, folds=count,
        time_ordered=time_ordered, sample_weight=sample_weight, folder=folder, threads=threads, verbose=verbose,
    )  # fmt: skip
    return Changes(comparison, constant, rate, length)
