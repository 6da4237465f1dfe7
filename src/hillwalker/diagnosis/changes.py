"""What changes did that were tried beside a model: their gains, and what these confirm or refute; records.

A diagnosis is a claim about what a change would do; here are the numbers when it was made (`trying.py` makes it).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import records
from hillwalker.choosing.comparison import Comparison
from hillwalker.diagnosis.gains import ranked, text

Array = NDArray[np.float64]

MATTERS = 0.02  # of what can be gained: a change that brings less is no remedy
ERRORS = {"lower rate": 0.25, "higher rate": 0.25, "stop": 0.75, "more": 2.0}
"""Standard errors by which a gain has to be more than that: chosen, as MATTERS was, on the data sets for development.

More epochs or units need more, since a little more of both nearly always seems to help.
"""
LEAST_ERROR = 0.003  # of what can be gained: no gain is known better than that
OTHERWISE = 1.0  # standard errors of any other change
SIGNAL = 0.01  # of the constant prediction's loss: what a network has to gain, or there is no signal
FALLS_ON = 0.8  # of the parts, in which the training loss fell on after the best validation: else it is no overfitting
FEWEST = 3  # held-out parts, or nothing is confirmed or refuted
CEILING = 10.0  # times what can be gained: no loss counts as further above the model's worst
SYMPTOMS = {"lower rate": "learning-rate-too-high", "higher rate": "learning-rate-too-low", "stop": "overfitting",
            "more": "underfitting"}  # fmt: skip
"""What is wrong where a change of this kind helps."""


@dataclass(frozen=True)
class Gain:
    """What one change brings, in parts of what can be gained over a constant prediction: (mean, standard error).

    `kind`: "lower rate", "higher rate", "more" (epochs, units), "stop", or the symptom that another change mends;
    `at_end`: of the losses after the last epoch; `stopped`: where each had better stopped.
    """

    change: str
    kind: str
    settings: dict[str, Any]
    at_end: tuple[float, float]
    stopped: tuple[float, float]

    @property
    def counted(self) -> tuple[tuple[float, float], ...]:
        """The gains that count: both; of a weapon against overfitting that at the end: an earlier stop is another."""
        return (self.at_end,) if self.kind == "overfitting" else (self.at_end, self.stopped)

    @property
    def sure(self) -> float:
        """The gain less as many standard errors as its kind asks for, the least of those that count."""
        errors = ERRORS.get(self.kind, OTHERWISE)
        return min(mean - errors * error for mean, error in self.counted)

    @property
    def sure_at_end(self) -> float:
        """The gain at the end less as many standard errors as its kind asks for: remedies are ranked by it.

        What confirms a claim is `sure`; the end is what is kept of a training.
        """
        mean, error = self.at_end
        return mean - ERRORS.get(self.kind, OTHERWISE) * error

    @property
    def symptom(self) -> str:
        """What is wrong where this change helps."""
        return SYMPTOMS.get(self.kind, self.kind)

    @property
    def confidence(self) -> float:
        """The probability that it brings enough to matter, 0.5 where `sure` just does."""
        errors = ERRORS.get(self.kind, OTHERWISE)
        return min(
            NormalDist().cdf((mean - MATTERS) / max(error, LEAST_ERROR) - errors) for mean, error in self.counted
        )

    @property
    def interval(self) -> tuple[float, float, float]:
        """The gain at the end: its mean, and that less and more two standard errors."""
        mean, error = self.at_end
        return mean, mean - 2 * error, mean + 2 * error

    @property
    def line(self) -> str:
        """The change as a line of code."""
        return line_of(self.settings)

    @property
    def helps(self) -> bool:
        """Whether it surely brings enough to matter."""
        return self.sure > MATTERS

    @property
    def possible(self) -> float:
        """The gain and two standard errors, the least of those that count."""
        return min(mean + 2 * error for mean, error in self.counted)


@dataclass(frozen=True, repr=False)
class Changes:
    """A model and its changes, trained on the same folds.

    `comparison`: all curves, the model as it is first; `constant_losses` (parts,): of always predicting what is best
    on the training rows; `learning_rate`, `epochs`: the model's own; `kinds`: of which kind each change is, as in Gain,
    where its settings do not tell.
    """

    comparison: Comparison
    constant_losses: Array
    learning_rate: float
    epochs: int
    kinds: tuple[str, ...] = ()

    @cached_property
    def _ends(self) -> tuple[Array, Array, Array]:
        """The losses (variants, parts) at the end and where one had better stopped; and `falls`.

        `falls` (variants, parts) is the share of the seeds whose training loss fell on from there to the end. A part is
        what was held out once: a fold of one seed, where each seed cuts anew, or else a fold, and the mean over seeds.
        """
        told = self.comparison
        last, failed, done = told.epochs - 1, told.failed, told.done
        penalties = np.where(np.isfinite(told.penalties), told.penalties, 0.0)[..., np.newaxis]
        validation, training = told.curves["val_loss"] - penalties, told.curves["loss"]
        if self.constant_losses.size == math.prod(last.shape[1:]):
            validation, training = (c.reshape(len(c), 1, -1, c.shape[-1]) for c in (validation, training))
            flat = (len(last), 1, -1)
            last, failed, done = last.reshape(flat), failed.reshape(flat), done.reshape(flat)
        at_end = np.where(failed, np.inf, _at(validation, np.maximum(last, 0)))
        # Where a part had better stopped is read off the others: what is gained by stopping there is no luck.
        whole = done.all(axis=(0, 1))  # Ctrl-C leaves parts of which not everything is done
        by_part = np.where(np.isfinite(validation), validation, 1e30).sum(axis=1)[:, whole]
        epoch = np.argmin(by_part.sum(axis=1, keepdims=True) - by_part, axis=-1)
        there = np.broadcast_to(epoch[:, np.newaxis], last[:, :, whole].shape)
        stopped = _at(validation[:, :, whole], there)
        stopped = np.where(np.isfinite(stopped), stopped, np.inf)
        falls = _at(training[:, :, whole], last[:, :, whole]) < _at(training[:, :, whole], there)
        return at_end[:, :, whole].mean(axis=1), stopped.mean(axis=1), falls.mean(axis=1)

    @cached_property
    def constants(self) -> Array:
        """The constant prediction's loss on each part of which everything is done."""
        done = self.comparison.done
        if self.constant_losses.size == math.prod(done.shape[1:]):
            return self.constant_losses[done.all(axis=0).reshape(-1)]
        return self.constant_losses[done.all(axis=(0, 1))]

    @property
    def parts(self) -> int:
        """How many held-out parts everything was tried on; fewer than FEWEST confirm and refute nothing."""
        return len(self.constants)

    @property
    def constant_loss(self) -> float:
        """The loss of always predicting the same, on the mean of all parts."""
        return float(self.constants.mean())

    @property
    def best_loss(self) -> float:
        """The best loss seen, on the mean of all parts."""
        return float(self._best.mean())

    @cached_property
    def scale(self) -> float:
        """What can be gained: the constant prediction's loss less the best one seen, at least 2 % of the former."""
        constant = float(self.constants.mean())
        return max(constant - float(self._best.mean()), 0.02 * abs(constant), 1e-9)

    @cached_property
    def _best(self) -> Array:
        at_end, stopped, _ = self._ends
        every = [losses for losses in (*at_end, *stopped) if np.isfinite(losses).all()]
        return min(every, key=lambda losses: float(losses.mean()), default=self.constants)

    def _gain(self, before: Array, after: Array) -> tuple[float, float]:
        ceiling = float(np.abs(before[np.isfinite(before)]).max(initial=0.0)) + CEILING * self.scale
        difference = (np.minimum(before, ceiling) - np.minimum(after, ceiling)) / self.scale
        return float(difference.mean()), float(difference.std(ddof=1) / math.sqrt(len(difference)))

    @cached_property
    def gains(self) -> tuple[Gain, ...]:
        """What each change brings, the surest first."""
        at_end, stopped, _ = self._ends
        found = [
            Gain(
                "stop where validation is best",
                "stop",
                {"stop": self.stop_epoch + 1},
                *[self._gain(at_end[0], stopped[0])] * 2,
            )
        ]
        for number, settings in enumerate(self.comparison.settings):
            if number:
                change, kind = self._named(settings)
                kind = self.kinds[number - 1] if self.kinds else kind
                gains = self._gain(at_end[0], at_end[number]), self._gain(stopped[0], stopped[number])
                found.append(Gain(change, kind, dict(settings), *gains))
        return tuple(sorted(found, key=lambda gain: -gain.sure))

    def _named(self, settings: dict[str, Any]) -> tuple[str, str]:
        if set(settings) == {"learning_rate"}:
            rate = settings["learning_rate"]
            return f"learning_rate={rate:.3g}", "lower rate" if rate < self.learning_rate else "higher rate"
        if set(settings) == {"epochs"}:
            return f"epochs={settings['epochs']}", "more"
        if set(settings) == {"units"}:
            return "units=" + "-".join(str(units) for units in settings["units"]), "more"
        return self.comparison.labels[self.comparison.settings.index(settings)], "more"

    @property
    def stop_epoch(self) -> int:
        """The epoch, from 0, at which the model as it is validates best, on the mean of all parts."""
        base = self.comparison.curves["val_loss"][0].reshape(-1, self.comparison.curves["val_loss"].shape[-1])
        known = np.isfinite(base).any(axis=0)
        return int(np.argmin(np.where(known, np.where(np.isfinite(base), base, 1e30).sum(axis=0), np.inf)))

    @property
    def claims(self) -> dict[str, bool | None]:
        """For each symptom whether the experiment confirms it (True), refutes it (False) or leaves it open (None)."""
        gain = self.constants - self._best
        signal = float(gain.mean()) > SIGNAL * abs(float(self.constants.mean()))
        kinds = dict.fromkeys(one.kind for one in self.gains)
        told: dict[str, bool | None] = {}
        for kind in kinds:  # of two kinds for one symptom, either confirms it
            name, claim = SYMPTOMS.get(kind, kind), self._claimed(kind)
            told[name] = claim if name not in told or claim else told[name]
        if self._ends[2][0].mean() < FALLS_ON:
            told["overfitting"] = False
        if told.get("learning-rate-too-high") and told.get("learning-rate-too-low"):  # the surer one, or noise speaks
            first = next(one.kind for one in self.gains if one.kind.endswith("rate"))
            told["learning-rate-too-low" if first == "lower rate" else "learning-rate-too-high"] = None
        return {"no-signal": not signal, **told}

    def _claimed(self, kind: str) -> bool | None:
        gains = [one for one in self.gains if one.kind == kind]
        if self.parts < FEWEST:
            return None
        if any(one.helps for one in gains):
            return True
        return False if all(one.possible < MATTERS for one in gains) else None

    @cached_property
    def _first(self) -> Gain | None:
        """The best gain that a confirmed claim stands for (see `ranked`), None where there is no such claim."""
        claims = self.claims
        return None if claims["no-signal"] else next((one for one in ranked(self.gains) if claims[one.symptom]), None)

    @property
    def verdict(self) -> str:
        """The confirmed symptom whose remedy gains most at the end; "no-signal" where nothing can be; or "healthy"."""
        if self._first is None:
            return "no-signal" if self.claims["no-signal"] else "healthy"
        return self._first.symptom

    @property
    def remedy(self) -> str | None:
        """The change by which the verdict was reached, as a line of code; None where none is needed or none helps."""
        return None if self._first is None else self._first.line

    def __str__(self) -> str:
        return text(self)

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


def line_of(settings: Mapping[str, Any]) -> str:
    """Return settings of `compare`, or an earlier stop, as the line of code that makes the change.

    >>> line_of({"learning_rate": 0.003}), line_of({"units": (64, 32), "dropout": 0.3})
    ('model.optimizer.learning_rate = 0.003', 'Dense(64, ...), Dense(32, ...); Dropout(0.3)')
    """
    told = []
    for name, value in settings.items():
        if name == "stop":
            told.append(f"callbacks=[EarlyStopping(patience={max(5, value // 5)}, restore_best_weights=True)]")
        elif name == "learning_rate":
            told.append(f"model.optimizer.learning_rate = {value:.3g}")
        elif name in ("epochs", "batch_size"):
            told.append(f"model.fit(..., {name}={value})")
        elif name == "units":
            told.append(", ".join(f"Dense({units}, ...)" for units in value))
        elif name == "dropout":
            told.append(f"Dropout({value:g})" if value else "no Dropout layers")
        elif name in ("l1", "l2"):
            penalty = f"L{name[1]}({value:g})" if value else None
            told.append(f"Dense(..., kernel_regularizer={penalty})")
        elif name in ("activation", "kernel_initializer"):
            told.append(f"Dense(..., {name}={value!r})")
        else:
            told.append(f"optimizer=...({name}={value!r})" if name != "optimizer" else f"optimizer={value!r}")
    return "; ".join(told)


def _at(curves: Array, epochs: NDArray[np.int64]) -> Array:
    """Return the values of curves (..., E) at epochs (...)."""
    values: Array = np.take_along_axis(curves, epochs[..., np.newaxis], -1)[..., 0]
    return values
