"""A training that says when something goes wrong: diverging, not learning, dead units, overfitting begun.

An epoch costs a few comparisons. What costs more is looked at only where these say so, or a few times a training.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker.errors import unknown_name
from hillwalker.training.batches import Data
from hillwalker.training.callbacks import looks
from hillwalker.training.callbacks.base import Callback, Logs

SYMPTOMS = ("diverged", "not-learning", "dead-relu", "overfitting")

LOOKS = (1 / 50, 1 / 4)  # of the epochs, after which dead units are looked for
DEAD_SHARE = 0.75  # of a layer's units: healthy networks with half of a layer dead were seen
RISING = 3  # epochs in a row that the loss lies far above its lowest: it diverges
RISEN = 0.04  # of the lowest validation loss: what is less is no overfitting
LOST = 0.2  # of what was won on validation; without this, six times as many healthy trainings are called overfitting
FALLEN = 0.02  # of the training loss, meanwhile
ABOVE = 5  # validations in a row above the lowest
ERRORS = 3.0  # standard errors by which the validation loss has risen
LEARNED = 0.01  # of the loss of the mean prediction: a network that is better by less has learned nothing
LUCK = 0.5  # the same of a fresh network, which may happen to be better; then it must have won something since
PROMISE = (
    0.02  # of the loss: what has to be won until the last epoch, at the pace of the last epochs, or since the start
)


@dataclass(frozen=True)
class Observation:
    """What a Watcher saw: `epoch` from 0, as in `history.epoch`; the symptom's name; the message."""

    epoch: int
    symptom: str
    message: str


class Watcher(Callback):
    """Say once, on stderr, when the loss diverges or does not fall, when units die, or when overfitting begins.

    - "diverged": the loss is not finite, or in three epochs it lies at twice its lowest and above half of what was won
    - "not-learning": the loss does not fall, and predictions are less than 1 % better than their own mean, or less than
      2 % better than at the start where the network was fresh
    - "dead-relu": three quarters of a layer's ReLU units are at zero on every training row
    - "overfitting": over five epochs the validation loss lies above its lowest, by 4 %, by a fifth of what was won
      before and by three standard errors, while the training loss falls

    `findings` holds what was seen. A training is the same to the bit with a Watcher and without, unless it stops. For
    `fit` alone: `fit_many`, `compare` and `seeds=` run no callbacks. It costs about a quarter of a millisecond in a
    hundred epochs of a 20-64-32-1 network, a microsecond in each later one, and some tenths of a millisecond more each
    time that it has to look closer: where the loss stands still, or units seem dead.

    Args:
        symptoms: names of those to watch for; None: all.
        stop: whether to stop when something is seen; or the names of the symptoms to stop for.
        restore_best_weights: whether the model gets the weights of its lowest validation loss back (of its lowest loss,
            where there is no validation).
        verbose: 0 to say nothing.

    Raises InputError for an unknown symptom.

    >>> import numpy as np, hillwalker as hw
    >>> model = hw.Sequential([hw.Input((2,)), hw.layers.Dense(4, activation="relu"), hw.layers.Dense(1)])
    >>> model.compile(hw.optimizers.SGD(1e-9), "mse")
    >>> watcher = hw.callbacks.Watcher(stop=True, verbose=0)
    >>> x = np.linspace(-1, 1, 20).reshape(10, 2)
    >>> history = model.fit(x, (-1.0) ** np.arange(10), epochs=50, verbose=0, callbacks=[watcher])
    >>> [seen.symptom for seen in watcher.findings], len(history.epoch)
    (['not-learning'], 12)
    """

    def __init__(
        self,
        symptoms: Sequence[str] | None = None,
        stop: bool | str | Sequence[str] = False,
        restore_best_weights: bool = False,
        verbose: int = 1,
    ) -> None:
        super().__init__()
        self.symptoms = SYMPTOMS if symptoms is None else _known(symptoms, "symptoms")
        self.stop = self.symptoms if stop is True else () if stop is False else _known(stop, "stop")
        self.restore_best_weights = restore_best_weights
        self.verbose = verbose
        self._data: Any = None
        self._reset()

    def _reset(self) -> None:
        self.findings: list[Observation] = []
        self.best_weights: list[Any] | None = None
        self._losses: list[float] = []
        self._lowest = self._far = math.inf
        self._validations: list[float] = []
        self._at: list[int] = []  # which of the losses each validation belongs to
        self._best, self._best_place = math.inf, 0
        self._start: NDArray[Any] | None = None  # the weights of a fresh network

    # The hooks

    def set_data(self, data: Data) -> None:
        """Note the rows being trained on."""
        self._data = data

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget an earlier training."""
        self._reset()
        epochs = self.params.get("epochs", 1)
        patience = min(20, max(6, epochs // 4))  # epochs within which a loss has to fall
        # After how many epochs to look closer: learning is looked for again after twice, four times, ... as many.
        self._looks = [max(1, round(share * epochs)) for share in LOOKS]
        self._check = patience
        self._plan_the_next()
        self._watched = set(self.symptoms)
        if "not-learning" in self._watched and self.model.optimizer.iterations == 0:
            self._start = self.model.state.parameters.copy()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Compare the losses with their lowest, and look closer where that is called for."""
        assert logs is not None
        loss, validation, losses = logs["loss"], logs.get("val_loss"), self._losses
        losses.append(loss)
        if loss < self._lowest:
            self._lowest, self._far = loss, loss + abs(loss)
            if self.restore_best_weights and validation is None and not self._validations:
                self.best_weights = self.model.get_weights()
        elif loss > self._far and "diverged" in self._watched:
            self._look_for_divergence(epoch, loss)
        if validation is not None:
            self._validations.append(validation)
            self._at.append(len(losses) - 1)
            if validation < self._best:
                self._best, self._best_place = validation, len(self._validations) - 1
                if self.restore_best_weights:
                    self.best_weights = self.model.get_weights()
            elif validation > self._best + RISEN * abs(self._best) and "overfitting" in self._watched:
                self._look_for_overfitting(epoch)
        if len(losses) >= self._due:
            self._look_closer(epoch)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Note that training ended where the loss was not finite, and give the best weights back."""
        reason = self.model.stop_reason
        if reason is not None and "finite" in reason and "diverged" in self._watched:
            self._say(self.model.history.epoch[-1], "diverged", reason, aloud=False)  # fit itself has warned of it
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)

    # What it looks for

    def _look_closer(self, epoch: int) -> None:
        count = len(self._losses)
        if count in self._looks and "dead-relu" in self._watched and math.isfinite(self._losses[-1]):
            self._look_for_dead_units(epoch)
        if count == self._check and "not-learning" in self._watched:
            self._look_for_learning(epoch)
        self._plan_the_next()

    def _plan_the_next(self) -> None:
        """Set after how many epochs to look closer again."""
        count = len(self._losses)
        while self._looks and self._looks[0] <= count:
            del self._looks[0]
        while self._check <= count:
            self._check *= 2
        self._due = min(self._looks[0], self._check) if self._looks else self._check

    def _look_for_divergence(self, epoch: int, loss: float) -> None:
        last = self._losses[-RISING:]
        if len(self._losses) <= RISING or last[-1] <= last[0]:
            return
        won = min(self._losses[:2]) - self._lowest  # the first epoch may be a leap from far away
        if min(last) > max(self._far, self._lowest + won / 2):
            rate = float(self.model.optimizer.learning_rate)
            what = (
                f"the loss is {loss:.4g} and rising, after a lowest of {self._lowest:.4g}. "
                f"Try a learning rate of {rate / 10:.3g}, clipnorm=1.0, or standardised inputs."
            )
            self._say(epoch, "diverged", what)

    def _look_for_overfitting(self, epoch: int) -> None:
        place, values = self._best_place, self._validations
        waited = len(values) - 1 - place
        if waited < ABOVE or waited % ABOVE:  # again only when there are as many new ones
            return
        around = slice(max(0, place - 2), place + 3)
        before, now = values[around], values[-ABOVE:]
        rise = _mean(now) - _mean(before)
        changes = np.diff(values[-4 * ABOVE :])
        error = float(changes.std()) / math.sqrt(2) * math.sqrt(1 / len(before) + 1 / len(now))
        losses = [self._losses[at] for at in self._at]
        was = _mean(losses[around])
        falls = was - _mean(losses[-ABOVE:]) > FALLEN * abs(was)
        enough = max(RISEN * abs(self._best), LOST * (values[0] - self._best), ERRORS * error)
        if min(now) > self._best and rise > enough and falls:
            what = (
                f"val_loss is {values[-1]:.4g}, after a lowest of {self._best:.4g} {waited} validations ago, while "
                f"loss falls. Try EarlyStopping(patience={2 * ABOVE}, restore_best_weights=True)."
            )
            self._say(epoch, "overfitting", what)

    def _look_for_learning(self, epoch: int) -> None:
        losses = self._losses[len(self._losses) // 2 :]
        if not math.isfinite(sum(losses)):
            return
        half = len(losses) // 2
        first, second = losses[:half], losses[half:]
        fall = _mean(first) - _mean(second)
        error = math.sqrt(_variance(first) / len(first) + _variance(second) / len(second))
        left = self.params.get("epochs", 1) - epoch - 1
        promised = fall / half * max(left, len(losses))
        if fall > 2 * error and promised > PROMISE * abs(self._lowest):
            return  # before anything is predicted, which costs most
        mean, now = looks.against_mean(self.model.state, self._data)
        if mean - now >= LUCK * abs(mean):  # it has learned: that is settled
            self._watched.discard("not-learning")
            return
        stands = False
        if self._start is not None:
            start = looks.loss_of(self.model.state, self._data, self._start)
            stands = start - now < PROMISE * abs(start)
        if stands or mean - now < LEARNED * abs(mean):
            what = (
                f"the loss does not fall: predictions (a loss of {now:.4g}) are hardly better than their mean "
                f"({mean:.4g}) or than at the start. Try hw.find_learning_rate(model, X, y)."
            )
            self._say(epoch, "not-learning", what)

    def _look_for_dead_units(self, epoch: int) -> None:
        dead = looks.dead_units(self.model.state, self._data, DEAD_SHARE)
        if dead:
            layers = ", ".join(f"{count} of {units} in {name}" for name, (count, units) in dead.items())
            what = (
                f"units that are at zero on every training row, and learn no more: {layers}. "
                'Try activation="leaky_relu" with kernel_initializer="he_normal", or a lower learning rate.'
            )
            self._say(epoch, "dead-relu", what)

    def _say(self, epoch: int, symptom: str, what: str, aloud: bool = True) -> None:
        self._watched.discard(symptom)
        self.findings.append(Observation(epoch, symptom, what))
        if self.verbose and aloud:  # the progress bar lets what is printed stand above it
            print(f"Epoch {epoch + 1}: {symptom}: {what}", file=sys.stderr, flush=True)
        if symptom in self.stop:
            self.model.stop_training = True

    # What a resumed training needs

    def get_state(self) -> dict[str, Any]:
        """Return the losses so far, what was seen, and the best weights."""
        seen = [[one.epoch, one.symptom, one.message] for one in self.findings]
        arrays = {name: np.asarray(getattr(self, f"_{name}"), np.float64) for name in ("losses", "validations", "at")}
        weights = {f"best_weights_{i}": weight for i, weight in enumerate(self.best_weights or [])}
        start = {} if self._start is None else {"start": self._start}
        return {"findings": seen, **start, **arrays, **weights}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on where the interrupted training was."""
        self.findings = [Observation(int(epoch), symptom, what) for epoch, symptom, what in state["findings"]]
        self._watched = set(self.symptoms) - {one.symptom for one in self.findings}
        self._losses, self._validations = list(map(float, state["losses"])), list(map(float, state["validations"]))
        self._at = [int(place) for place in state["at"]]
        self._plan_the_next()
        self._start = state.get("start")
        self._lowest = min(self._losses, default=math.inf)
        self._far = self._lowest + abs(self._lowest)
        self._best = min(self._validations, default=math.inf)
        self._best_place = self._validations.index(self._best) if self._validations else 0
        weights = [state[key] for i in range(len(state)) if (key := f"best_weights_{i}") in state]
        self.best_weights = weights or None


def _known(names: str | Sequence[str], argument: str) -> tuple[str, ...]:
    chosen = (names,) if isinstance(names, str) else tuple(names)
    for name in chosen:
        if name not in SYMPTOMS:
            raise unknown_name("symptom", name, SYMPTOMS, f"Watcher({argument}=[{{}}])")
    return chosen


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _variance(values: Sequence[float]) -> float:
    mean = _mean(values)
    return _mean([(value - mean) ** 2 for value in values])
