"""What training changes, in one place: weights, the optimizer's slots, the iteration, and the epoch that is under way.

A state is executed by an engine, kept and returned to when an epoch fails, and written to files; it decides nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import engine, reference
from hillwalker.errors import InputError, explain
from hillwalker.losses import Loss
from hillwalker.optimizers import Optimizer
from hillwalker.parameters import FloatArray, Segment, flat_vector
from hillwalker.plan import Plan
from hillwalker.training.tracking import Tracker

Array = NDArray[Any]


class State:
    """A network's numbers, and how it is trained.

    Args:
        plan: the layers in their places, without loss and optimizer.
        parameters: the flat vector of weights.
        seed: the seed of row orders, dropout masks and noise.
    """

    def __init__(self, plan: Plan, parameters: FloatArray, seed: int) -> None:
        self.plan, self.parameters, self.seed = plan, parameters, seed
        self.loss: Loss | None = None
        self.optimizer: Optimizer | None = None
        self.slots: dict[str, FloatArray] = {}
        self.tracker = Tracker()
        self.target_width: int | None = None
        self.trainable = True
        self.epoch_iteration = 0  # the iteration at which the running epoch began
        self.in_epoch = False
        self._network: engine.Network | reference.Network | None = None
        self._network_of: Any = None

    def train_with(self, loss: Loss | None, optimizer: Optimizer) -> None:
        """Take a loss and an optimizer; slots start afresh unless it is the same optimizer."""
        if optimizer is not self.optimizer:
            names, length = optimizer.slot_names, self.plan.length
            self.slots = {
                name: flat_vector(length, self.plan.dtype, optimizer.slot_initial_value(name)) for name in names
            }
            optimizer.iterations = 0
        self.loss, self.optimizer = loss, optimizer
        self._network = None

    def measure_with(self, tracker: Tracker, target_width: int) -> None:
        """Take the metrics, for targets of this many columns."""
        self.tracker, self.target_width = tracker, target_width

    @property
    def network(self) -> engine.Network | reference.Network:
        """The plan on its engine, with today's loss, optimizer, and layers that are trained."""
        wanted = [self.trainable, self.target_width, *[planned.layer.trainable for planned in self.plan.layers]]
        if self._network is None or self._network_of != wanted:
            whole = self.plan if self.trainable else self.plan.frozen()
            complete = dataclasses.replace(
                whole, loss=self.loss, optimizer=self.optimizer, target_width=self.target_width
            )
            self._network = engine.build(complete, self.parameters, self.slots, self.seed)
            self._network_of = wanted
        return self._network

    def room_for_predictions(self, rows: int) -> Array | None:
        """Return an array for the engine to write `rows` outputs into, or None where no metric needs them."""
        return np.empty((rows, self.plan.output_width), self.plan.dtype) if self.tracker.needs_predictions else None

    # Epochs

    def begin_epoch(self) -> int:
        """Begin an epoch, or go on with one that was restored; return how many of its steps are done."""
        assert self.optimizer is not None
        if self.in_epoch:
            return int(self.optimizer.iterations - self.epoch_iteration)
        self.tracker.reset()
        self.epoch_iteration, self.in_epoch = int(self.optimizer.iterations), True
        return 0

    def end_epoch(self) -> None:
        """End an epoch, finished or not."""
        self.in_epoch = False

    def is_finite(self) -> bool:
        """Return whether every weight is a finite number."""
        return engine.is_finite(self.parameters)

    def keep(self, memory: Kept | None = None) -> Kept:
        """Return weights, slots and iteration as they are now, in the memory of an earlier `keep` if there is one."""
        assert self.optimizer is not None
        vectors = [self.parameters, *self.slots.values()]
        if memory is None:
            memory = Kept([np.empty_like(vector) for vector in vectors], 0)
        for kept, vector in zip(memory.vectors, vectors, strict=True):
            kept[...] = vector
        memory.iterations = self.optimizer.iterations
        return memory

    def return_to(self, memory: Kept) -> None:
        """Go back to what `keep` returned."""
        assert self.optimizer is not None
        for kept, vector in zip(memory.vectors, [self.parameters, *self.slots.values()], strict=True):
            np.copyto(vector, kept)
        self.optimizer.iterations = memory.iterations

    # Files

    def to_arrays(self, with_optimizer: bool) -> tuple[dict[str, Array], dict[str, Any]]:
        """Return weights by name and, with the optimizer, all else that the next step depends on; numbers apart."""
        segments = self.plan.segments
        arrays: dict[str, Array] = {part.name: part.view(self.parameters).copy() for part in segments}
        numbers: dict[str, Any] = {"weights": [part.name for part in segments], "seed": self.seed}
        if not with_optimizer or self.optimizer is None:
            return arrays, numbers
        numbers["iterations"] = int(self.optimizer.iterations)
        for name, slot in self.slots.items():
            arrays |= {f"optimizer/{name}/{part.name}": part.view(slot).copy() for part in segments if part.trainable}
        if self.in_epoch:
            numbers["epoch_iteration"] = self.epoch_iteration
            arrays |= {f"tracker/{name}": np.asarray(value) for name, value in self.tracker.get_state().items()}
        return arrays, numbers

    def from_arrays(self, arrays: Mapping[str, Array], numbers: Mapping[str, Any]) -> None:
        """Take over what `to_arrays` returned, weight by weight in order; nothing is overwritten if one is wrong."""
        names = [str(name) for name in numbers["weights"]]
        check_arrays(self.plan.segments, names, arrays)
        seed = _counted("seed", numbers["seed"])
        places = list(zip(names, self.plan.segments, strict=True))
        has_state = self.optimizer is not None and "iterations" in numbers
        slots = {
            f"optimizer/{slot}/{name}": part.view(vector)
            for slot, vector in self.slots.items()
            for name, part in places
            if part.trainable
        }
        if has_state and not all(_fits(arrays.get(key), view.shape) for key, view in slots.items()):
            passed = "the state of another optimizer."
            raise InputError(explain(passed, f"one with {', '.join(self.slots)}.", "model.compile as it was before"))
        iterations = _counted("iterations", numbers.get("iterations", 0))
        epoch_iteration = _counted("epoch_iteration", numbers.get("epoch_iteration", 0))
        in_epoch = has_state and "epoch_iteration" in numbers
        if in_epoch:
            start = len("tracker/")
            tracked = {name[start:]: value for name, value in arrays.items() if name.startswith("tracker/")}
            self.tracker.set_state(tracked)
        for name, part in places:
            part.view(self.parameters)[...] = arrays[name]
        self.seed, self._network = seed, None
        if not has_state:
            return
        for key, view in slots.items():
            view[...] = arrays[key]
        assert self.optimizer is not None
        self.optimizer.iterations = iterations
        self.epoch_iteration, self.in_epoch = epoch_iteration, in_epoch

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the engine's network, whose memory cannot be pickled; it is made again when it is needed."""
        return self.__dict__ | {"_network": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Put the vectors back on their boundaries, which a copy does not keep."""
        self.__dict__.update(state)
        self.parameters = _aligned(self.parameters)
        self.slots = {name: _aligned(slot) for name, slot in self.slots.items()}


def _aligned(vector: FloatArray) -> FloatArray:
    aligned = flat_vector(len(vector), vector.dtype)
    aligned[:] = vector
    return aligned


def _fits(found: Array | None, shape: tuple[int, ...]) -> bool:
    return found is not None and found.shape == shape and found.dtype.kind == "f"


def _counted(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise InputError(explain(f"a state whose {name} is {value!r}.", "a whole number from 0 to 2**63 - 1."))
    return value


@dataclasses.dataclass
class Kept:
    """Copies of a state's vectors at one moment."""

    vectors: list[FloatArray]
    iterations: int


def check_arrays(segments: tuple[Segment, ...], names: list[str], arrays: Mapping[str, Array]) -> None:
    """Refuse arrays that are not, in this order, the weights that the segments have room for."""
    if len(names) != len(segments):
        raise InputError(explain(f"{len(names)} weights.", f"{len(segments)}.", "a model of the same architecture"))
    for name, segment in zip(names, segments, strict=True):
        found = arrays.get(name)
        if not _fits(found, segment.shape):
            what = "no array" if found is None else f"an array of shape {found.shape} and dtype {found.dtype}"
            passed = f"{what} for the weight {segment.name!r}."
            raise InputError(explain(passed, f"floats of shape {segment.shape}.", "a model of the same architecture"))
