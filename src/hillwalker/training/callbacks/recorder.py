"""Watching a training from within: weights, gradients, activations, updates and idle units, in bounded memory.

It measures on copies: a training with a Recorder gives the very bits of one without.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import activations, checks, engine, reference
from hillwalker.errors import InputError, StateError, explain
from hillwalker.layers import Activation, BatchNormalization, Dense, Moment
from hillwalker.parameters import FloatArray, flat_vector
from hillwalker.plan import Plan, PlannedLayer
from hillwalker.training.batches import Data
from hillwalker.training.callbacks.base import Callback, Logs
from hillwalker.training.recording import Recording

MEMORY = 64 * 2**20  # bytes
FEWEST = 4  # records; with fewer there is nothing to see
FLATTEST = 0.01  # of the largest slope: below, a unit hardly learns
LARGEST_SLOPES: dict[type, float] = {
    activations.Sigmoid: 0.25,
    activations.Tanh: 1.0,
    activations.HardSigmoid: 1 / 6,
    activations.Softsign: 1.0,
}
"""The activations that level off on both sides, and their steepest slopes."""
GRADIENT_DECADES = (-10, 3)
REACH = 9.0  # arsinh of the outermost edge; e^9 / 2 is 4000 times the scale
BY_EPOCH = ("loss", "learning_rate")
BY_WEIGHT = ("weight_norm", "gradient_norm", "update_ratio")
BY_LAYER = ("activation_mean", "activation_std", "dead", "saturated")
HISTOGRAMS = ("weight_histograms", "gradient_histograms", "activation_histograms")

Record = dict[str, NDArray[Any]]


class Recorder(Callback):
    """Record weights, gradients, activations and updates of every epoch; `recording` is the record.

    Gradients, activations and updates are measured on a probe: `x` and `y`, or a sample of the training rows. The
    update is what the model's own optimizer would do on the probe, dropout and all, to copies of weights and slots.
    Activations are those of the probe as one batch, with nothing dropped. The state before training is recorded too,
    and the last epoch always. When the memory is full, every second record is dropped and the interval doubles, so any
    training fits, evenly spaced. A record of a 20-64-32-1 network takes about a millisecond. BackupAndRestore saves and
    restores all records, so its file may grow by `memory`.

    Args:
        x, y: probe rows (n, inputs) and their targets; a few hundred are enough. None: a sample of the training rows.
        every: epochs between two records, 1 or more.
        memory: bytes that the records may take.
        weights: whether the weights themselves are kept; `recording.vectors` is None otherwise.
        bins: bins of each histogram, 8 or more.
        rows: how many training rows are sampled, where x and y are not given.

    Raises InputError for x without y, for probe data that do not fit the model, and for a memory that holds fewer than
    four records.

    >>> import numpy as np, hillwalker as hw
    >>> model = hw.Sequential([hw.Input((2,)), hw.layers.Dense(4, activation="relu"), hw.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> recorder = hw.callbacks.Recorder()
    >>> history = model.fit(np.eye(2), np.ones(2), epochs=3, verbose=0, callbacks=[recorder])
    >>> recorder.recording.epochs.tolist(), recorder.recording.vectors.shape == (4, model.plan.length)
    ([0, 1, 2, 3], True)
    """

    def __init__(
        self,
        x: Any = None,
        y: Any = None,
        every: int = 1,
        memory: int = MEMORY,
        weights: bool = True,
        bins: int = 100,
        rows: int = 256,
    ) -> None:
        super().__init__()
        if (x is None) != (y is None):
            passed = f"Recorder with {'x' if y is None else 'y'} alone."
            raise InputError(explain(passed, "x and y, or neither.", "Recorder(X_validation, y_validation)"))
        self.x, self.y = x, y
        self.every = checks.positive_integer("every", every, "Recorder(every=10)")
        self.memory = checks.positive_integer("memory", memory, "Recorder(memory=64 * 2**20)")
        self.keeps_weights = bool(weights)
        self.bins = checks.positive_integer("bins", bins, "Recorder(bins=100)")
        if self.bins < 8:
            raise InputError(explain(f"bins={bins!r}.", "8 or more.", "Recorder(bins=100)"))
        self.rows = checks.positive_integer("rows", rows, "Recorder(rows=256)")
        self.interval = self.every
        self.first_epoch = 0
        self._records: list[tuple[int, int, Record]] = []  # epoch, iteration, numbers
        self._edges: dict[str, NDArray[np.float64]] = {}
        self._finished = (0, -1)  # the last epoch that has ended, and the iteration at its end
        self._probe: _Probe | None = None

    # The hooks

    def set_data(self, data: Data) -> None:
        """Take the probe: the data given, or a sample of the rows being trained on."""
        model = self.model
        if self.x is not None:
            probe = model._edge.data(self.x, self.y, call="fit", prefix="Recorder's ")
        else:
            chosen = np.arange(len(data))
            if len(data) > self.rows:  # a generator of its own: no random number of the model's is used up
                chosen = np.sort(np.random.default_rng(0).choice(len(data), self.rows, replace=False))
            weight = None if data.sample_weight is None else data.sample_weight[chosen]
            assert data.y is not None
            probe = Data(data.x[chosen], data.y[chosen], weight, data.dtype)
        self._probe = _Probe(model, probe)
        size = self._probe.record_bytes(self.bins, self.keeps_weights)
        self._most = self.memory // size
        if self._most < FEWEST:
            passed = f"memory={self.memory} bytes, and {size} bytes a record."
            fix = f"Recorder(memory={FEWEST * size}), or Recorder(weights=False)"
            raise InputError(explain(passed, f"room for {FEWEST} records.", fix))
        self._records, self._edges, self.interval = [], {}, self.every

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Record the state before training."""
        if not self._records:
            self.first_epoch = epoch
            self._record(epoch)

    def on_epoch_recorded(self, epoch: int, logs: Logs | None = None) -> None:
        """Record an epoch, if its turn has come or it is the last."""
        self._finished = epoch + 1, int(self.model.optimizer.iterations)
        is_last = epoch + 1 >= self.params.get("epochs", 0) or self.model.stop_training
        if is_last or (epoch + 1 - self.first_epoch) % self.interval == 0:
            self._record(epoch + 1)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Record the last epoch after Ctrl-C, unless another one was under way."""
        epoch, iteration = self._finished
        has_it = bool(self._records) and self._records[-1][0] >= epoch
        if self._records and not has_it and iteration == self.model.optimizer.iterations:
            self._record(epoch)

    def _record(self, epoch: int) -> None:
        if self._probe is None:
            passed = "a Recorder that was not given to fit."
            raise StateError(explain(passed, "a training.", "model.fit(X, y, callbacks=[recorder])"))
        with np.errstate(all="ignore"):  # what is not finite is seen in the numbers
            numbers = self._probe.measure(self._edges, self.bins)
        if not self.keeps_weights:
            del numbers["vectors"]
        self._records.append((epoch, int(self.model.optimizer.iterations), numbers))
        if len(self._records) >= self._most:
            self._records = self._records[::2]
            self.interval *= 2

    # The record

    @property
    def recording(self) -> Recording:
        """What was recorded so far; StateError before a training has begun."""
        probe = self._probe
        if probe is None or not self._records:
            passed = "the recording of a Recorder that has seen no training."
            raise StateError(explain(passed, "a training.", "model.fit(X, y, callbacks=[recorder])"))
        stacked = {name: np.stack([numbers[name] for *_, numbers in self._records]) for name in self._records[0][2]}
        return Recording(
            epochs=np.array([epoch for epoch, *_ in self._records], np.int64),
            iterations=np.array([iteration for _, iteration, _ in self._records], np.int64),
            weights=tuple(segment.name for segment in probe.plan.trained),
            layers=tuple(planned.layer.name for planned in probe.watched),
            units=tuple(planned.outputs for planned in probe.watched),
            activations=tuple(str(_function(planned).name) for planned in probe.watched),
            rows=len(probe.data),
            interval=self.interval,
            vectors=stacked.pop("vectors", None),
            **stacked,
            **self._edges,
        )

    def get_state(self) -> dict[str, Any]:
        """Return all records, as one float array a statistic."""
        if not self._records:
            return {}
        stacked = {name: np.stack([numbers[name] for *_, numbers in self._records]) for name in self._records[0][2]}
        floats = {name: values if values.dtype.kind == "f" else values.astype("f8") for name, values in stacked.items()}
        return {
            "epochs": [epoch for epoch, *_ in self._records],
            "iterations": [iteration for _, iteration, _ in self._records],
            "interval": self.interval,
            "first_epoch": self.first_epoch,
            **{f"record.{name}": values for name, values in floats.items()},
            **{f"edges.{name}": values for name, values in self._edges.items()},
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Take over what `get_state` returned."""
        if "epochs" not in state:
            return
        self.interval, self.first_epoch = int(state["interval"]), int(state["first_epoch"])
        stacked = {
            name.removeprefix("record."): np.asarray(v) for name, v in state.items() if name.startswith("record.")
        }
        self._edges = {name.removeprefix("edges."): np.asarray(v) for name, v in state.items() if name[:6] == "edges."}
        for name in HISTOGRAMS:
            stacked[name] = stacked[name].astype(np.int32)
        self._records = [
            (int(epoch), int(iteration), {name: values[place] for name, values in stacked.items()})
            for place, (epoch, iteration) in enumerate(zip(state["epochs"], state["iterations"], strict=True))
        ]


class _Probe:
    """The rows that are measured on, and copies of the network to measure with."""

    def __init__(self, model: Any, data: Data) -> None:
        self.state, self.optimizer = model.state, model.optimizer
        plan: Plan = self.state.plan if model.trainable else self.state.plan.frozen()
        assert data.y is not None
        self.plan = dataclasses.replace(
            plan, loss=self.state.loss, optimizer=self.optimizer, target_width=data.y.shape[1]
        )
        self.watched = [planned for planned in plan.layers if isinstance(planned.layer, Dense | Activation)]
        x, y, weight = (_as(plan.dtype, array) for array in (data.x, data.y, data.sample_weight))
        self.data = Data(x, y, weight, plan.dtype)
        self.parameters = flat_vector(plan.length, plan.dtype)
        self.slots = {name: flat_vector(plan.length, plan.dtype) for name in self.state.slots}
        self.seed = -1

    def record_bytes(self, bins: int, with_weights: bool) -> int:
        """Return how much memory one record takes."""
        weights, layers = len(self.plan.trained), len(self.watched)
        numbers = len(BY_EPOCH) + len(BY_WEIGHT) * weights + len(BY_LAYER) * layers
        vector = self.plan.length * np.dtype(self.plan.dtype).itemsize if with_weights else 0
        return 8 * numbers + 4 * bins * (2 * weights + layers) + vector + 2048  # 2048: Python's own objects

    def measure(self, edges: dict[str, NDArray[np.float64]], bins: int) -> Record:
        """Return all numbers of one moment; the first call fixes the histograms' bins."""
        self._take_copies()
        if self.seed != self.state.seed:  # the first time, and where a backup was restored
            self.seed = self.state.seed
            self.network = engine.build(self.plan, self.parameters, self.slots, self.seed)
        before = self.parameters.copy()
        x, y, weight, iteration = self.data.x, self.data.y, self.data.sample_weight, int(self.optimizer.iterations)
        assert y is not None
        outputs = self._activations(before.copy())
        _, gradient = self.network.gradients(x, y, weight, iteration=iteration)
        rates = self.optimizer.learning_rates(iteration, 1)
        result = self.network.train(x, y, weight, None, len(x), rates, iteration, None)
        change = self.parameters - before if result.finite else np.full_like(before, np.nan)

        trained = self.plan.trained
        values = [segment.view(before) for segment in trained]
        slopes = [segment.view(gradient) for segment in trained]
        changes = [segment.view(change) for segment in trained]
        functions = [_function(planned) for planned in self.watched]
        if not edges:
            edges["weight_edges"] = np.array([_edges_for(value, bins) for value in values]).reshape(-1, bins + 1)
            edges["activation_edges"] = np.array([_edges_for(a, bins) for _, a in outputs]).reshape(-1, bins + 1)
            edges["gradient_edges"] = np.logspace(*GRADIENT_DECADES, bins + 1)
        norms = np.array([_norm(value) for value in values])
        pairs = list(zip(functions, outputs, strict=True))
        return {
            "vectors": before,
            "loss": np.asarray(result.loss_sum / max(1, result.rows)),
            "learning_rate": np.asarray(float(rates[0])),
            "weight_norm": norms,
            "gradient_norm": np.array([_norm(slope) for slope in slopes]),
            "update_ratio": np.array([_norm(step) for step in changes]) / np.where(norms > 0, norms, np.nan),
            "activation_mean": np.array([float(np.mean(a)) for _, a in outputs]),
            "activation_std": np.array([float(np.std(a)) for _, a in outputs]),
            "dead": np.array([dead(function, a) for function, (_, a) in pairs]),
            "saturated": np.array([saturated(function, z, a) for function, (z, a) in pairs]),
            "weight_histograms": _counted(values, edges["weight_edges"], bins),
            "gradient_histograms": np.array([_magnitudes(slope, bins) for slope in slopes]).reshape(-1, bins),
            "activation_histograms": _counted([a for _, a in outputs], edges["activation_edges"], bins),
        }

    def _take_copies(self) -> None:
        self.parameters[:] = self.state.parameters
        for name, slot in self.slots.items():
            slot[:] = self.state.slots[name]

    def _activations(self, parameters: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
        """Return z and a of each watched layer: the probe as one batch, normalised as in training, nothing dropped."""
        a: FloatArray = self.data.x
        found = []
        for planned in self.plan.layers:
            moment = Moment(training=isinstance(planned.layer, BatchNormalization))
            a, memory = planned.layer.forward(a, reference.views(planned, parameters), moment)
            if isinstance(planned.layer, Dense | Activation):
                found.append((memory["z"], memory["a"]))
        return found


def dead(function: activations.Activation, a: FloatArray) -> float:
    """Return the share of units that are 0 on every row of a (B, O); NaN where f is not a ReLU that is flat below.

    >>> dead(activations.get("relu"), np.array([[0.0, 1.0], [0.0, 0.0]]))
    0.5
    """
    if not isinstance(function, activations.Relu) or function.negative_slope != 0.0:
        return float("nan")
    return float(np.mean(np.all(a == 0.0, axis=0)))


def saturated(function: activations.Activation, z: FloatArray, a: FloatArray) -> float:
    """Return the share of units whose slope is below 1 % of the largest on more than half of the rows of z (B, O).

    NaN where f does not level off on both sides, as sigmoid, hard sigmoid, tanh and softsign do.

    >>> z = np.array([[9.0, 0.0], [-9.0, 1.0], [0.0, 9.0]])
    >>> saturated(activations.get("tanh"), z, np.tanh(z))
    0.5
    """
    largest = LARGEST_SLOPES.get(type(function))
    if largest is None or not isinstance(function, activations.Elementwise):
        return float("nan")
    flat = np.abs(function.derivative(z, a)) < FLATTEST * largest
    return float(np.mean(np.mean(flat, axis=0) > 0.5))


def _function(planned: PlannedLayer) -> activations.Activation:
    layer = planned.layer
    assert isinstance(layer, Dense | Activation)
    return layer.activation


def _as(dtype: str, array: Any) -> Any:
    return None if array is None else np.ascontiguousarray(array, dtype=dtype)


def _norm(values: FloatArray) -> float:
    return float(np.sqrt(np.sum(np.square(values, dtype=np.float64))))


def _edges_for(values: FloatArray, bins: int) -> NDArray[np.float64]:
    """Return the edges of bins that are nearly even within the values' size and grow outside of it."""
    size = float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
    scale = size / 2 if np.isfinite(size) and size > 0 else 0.5
    return np.asarray(np.sinh(np.linspace(-REACH, REACH, bins + 1)) * scale, dtype=np.float64)


def _counted(values: list[FloatArray], edges: NDArray[np.float64], bins: int) -> NDArray[np.int32]:
    """Return how many of the values lie in each bin, (len(values), bins)."""
    found = np.zeros((len(values), bins), np.int32)
    for place, value in enumerate(values):
        scale = float(edges[place, -1] / np.sinh(REACH))
        found[place] = _tally((np.arcsinh(value.ravel() / scale) + REACH) * (bins / (2 * REACH)), bins)
    return found


def _magnitudes(gradient: FloatArray, bins: int) -> NDArray[np.int32]:
    """Return how many gradients lie in each bin of log10 |gradient|; 0 is in the lowest."""
    low, high = GRADIENT_DECADES
    return _tally((np.log10(np.abs(gradient.ravel())) - low) * (bins / (high - low)), bins)


def _tally(places: FloatArray, bins: int) -> NDArray[np.int32]:
    known = places[~np.isnan(places)]
    counts = np.bincount(np.clip(known, 0, bins - 1).astype(np.intp), minlength=bins)
    return counts.astype(np.int32)
