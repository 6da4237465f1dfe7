"""The blind hill-walker: feel the slope, step downhill, repeat; with the optimizers that train networks.

Nothing is drawn here; `plot` calls the room of pictures.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from hillwalker import checks, hills, optimizers
from hillwalker.errors import InputError, explain, unknown_name
from hillwalker.models import edge
from hillwalker.optimizers import Optimizer
from hillwalker.optimizers.base import CLIPPING, FloatArray
from hillwalker.records import plain, to_frame
from hillwalker.seeing.ground import Ground, Terrain
from hillwalker.training.progress import Shown

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Path:
    """Where one optimizer walked on a function of d variables, in n steps.

    `positions` (n + 1, d), the start first, with `values` (n + 1,) and `gradients` (n + 1, d), the slopes that the
    walker felt there; `learning_rates` (n,). `derivative` says where the slopes come from: "its own" (a hill's),
    "given", "autograd" or "central differences". `stop_reason` says in words why the walk ended before its last step;
    then the last value, slope or position is not a finite number. `terrain` is a map of the ground, for pictures.

    >>> path = descend(hills.parabola, start=4.0, steps=3)
    >>> path.positions[:, 0].round(3).tolist(), path
    ([4.0, 3.2, 2.56, 2.048], Path: SGD(0.1) on parabola, 3 steps from 16 to 4.194)
    """

    label: str
    function: str
    optimizer: str
    derivative: str
    positions: Array
    values: Array
    gradients: Array
    learning_rates: Array
    stop_reason: str | None = None
    terrain: Terrain | None = None

    @property
    def steps(self) -> int:
        """How many steps were done."""
        return len(self.positions) - 1

    @property
    def end(self) -> Array:
        """The last position, (d,)."""
        return np.asarray(self.positions[-1])

    @property
    def climbed(self) -> bool:
        """Whether the walk ended higher than it began, or nowhere."""
        return not self.values[-1] <= self.values[0]

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables' names: x, or x and y, or x1, x2, and so on."""
        return variable_names(self.positions.shape[1])

    def columns(self) -> dict[str, Any]:
        """Return one entry a position, by column: step, variables, value, gradients, and the rate that led there."""
        names = self.variables
        slope = "gradient" if len(names) == 1 else "gradient_{}"
        return {
            "step": list(range(self.steps + 1)),
            **{name: self.positions[:, number].tolist() for number, name in enumerate(names)},
            "value": self.values.tolist(),
            **{slope.format(name): self.gradients[:, number].tolist() for number, name in enumerate(names)},
            "learning_rate": [float("nan"), *self.learning_rates.tolist()],
        }

    def to_frame(self) -> Any:
        """Return one row a position, the start first: a pandas frame, or without pandas a polars frame."""
        return to_frame(self.columns(), "step", "path.to_frame()")

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the map as plain lists, numbers and strings; what is not finite is None."""
        return {name: plain(value) for name, value in vars(self).items() if name != "terrain"}

    def plot(self, title: str | None = None) -> Any:
        """Return a matplotlib figure (see `hillwalker.plots.plot_descent`)."""
        from hillwalker.plots.descent import plot_descent

        return plot_descent(self, title=title)

    def __repr__(self) -> str:
        label = self.optimizer if self.label == self.optimizer else f"{self.label}, {self.optimizer}"
        steps = f"{self.steps} step{'s' if self.steps != 1 else ''}"
        ended = f"; {self.stop_reason}" if self.stop_reason else ""
        return f"Path: {label} on {self.function}, {steps} from {self.values[0]:.4g} to {self.values[-1]:.4g}{ended}"


@dataclass(frozen=True, eq=False, repr=False)
class Paths:
    """Several optimizers' paths from one start; `paths["adam"]` or `paths[0]` is one of them.

    >>> paths = descend(hills.ravine, optimizer=["sgd", "adam"], steps=2)
    >>> len(paths), [path.label for path in paths], paths["adam"].steps
    (2, ['SGD(0.01)', 'Adam(0.001)'], 2)
    """

    paths: tuple[Path, ...]
    names: tuple[str, ...]
    """What the paths may be asked for by, beside their labels: the optimizers as they were passed, in order."""

    @property
    def labels(self) -> list[str]:
        """The paths' labels, in order."""
        return [path.label for path in self.paths]

    @property
    def terrain(self) -> Terrain | None:
        """The one map of the ground that all paths lie on."""
        return self.paths[0].terrain

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[Path]:
        return iter(self.paths)

    def __getitem__(self, label: str | int) -> Path:
        if isinstance(label, int):
            return self.paths[label]
        for known in (self.labels, list(self.names)):
            if label in known:
                return self.paths[known.index(label)]
        raise unknown_name("path", label, self.labels, "paths[{}]")

    def to_frame(self) -> Any:
        """Return one row a position of each path, with the path's label: a pandas or polars frame."""
        columns: dict[str, list[Any]] = {"label": []}
        for path in self.paths:
            columns["label"] += [path.label] * (path.steps + 1)
            for name, values in path.columns().items():
                columns.setdefault(name, []).extend(values)
        return to_frame(columns, None, "paths.to_frame()")

    def to_dict(self) -> dict[str, Any]:
        """Return each path's `to_dict` by label."""
        return {path.label: path.to_dict() for path in self.paths}

    def plot(self, title: str | None = None) -> Any:
        """Return a matplotlib figure (see `hillwalker.plots.plot_descent`)."""
        from hillwalker.plots.descent import plot_descent

        return plot_descent(self, title=title)

    def __repr__(self) -> str:
        return "\n".join(repr(path) for path in self.paths)


@overload
def descend(
    f: Any,
    start: Any = None,
    optimizer: str | Optimizer | type[Optimizer] | None = None,
    steps: int = 50,
    gradient: Callable[..., Any] | None = None,
    seed: int = 0,
    verbose: Any = "auto",
) -> Path: ...


@overload
def descend(
    f: Any,
    start: Any,
    optimizer: Sequence[Any] | Mapping[str, Any],
    steps: int = 50,
    gradient: Callable[..., Any] | None = None,
    seed: int = 0,
    verbose: Any = "auto",
) -> Paths: ...


@overload
def descend(
    f: Any,
    start: Any = None,
    *,
    optimizer: Sequence[Any] | Mapping[str, Any],
    steps: int = 50,
    gradient: Callable[..., Any] | None = None,
    seed: int = 0,
    verbose: Any = "auto",
) -> Paths: ...


def descend(
    f: Any,
    start: Any = None,
    optimizer: Any = None,
    steps: Any = 50,
    gradient: Callable[..., Any] | None = None,
    seed: Any = 0,
    verbose: Any = "auto",
) -> Path | Paths:
    """Walk down a function by an optimizer's steps, and return the path.

    x_(k + 1) = x_k + the optimizer's update for the slope f'(x_k): the very rule, slots, schedule, clipping and weight
    decay that train networks, in float64.

    Args:
        f: a hill of `hw.hills` (or its name), or any function of an array (d,) that returns a number; where `start` is
            a number, of a number.
        start: where the walk begins: a number for one variable, or d numbers; None: the hill's own start.
        optimizer: a name or an optimizer, by default SGD(0.1); or a list or {label: optimizer} of several, which walk
            side by side from the same start and feel the same noise.
        steps: how many steps, 1 or more.
        gradient: the derivative of f, a function of the same argument; None: the hill's own; or by autograd, where f
            can be differentiated and autograd is installed; or else by central differences. The path says which.
        seed: the seed of the noise of a noisy hill.
        verbose: "auto" (a bar, if it takes over a second), 0 (nothing) or 1.

    Returns a Path, or Paths for several optimizers. A walk whose value, slope or position is no longer a finite number
    ends there, and `stop_reason` says so; after Ctrl-C too. Optimizers are left as they were. Raises InputError or
    InputTypeError before the first step.

    >>> path = descend(lambda x: (x - 3.0) ** 2, start=0.0, optimizer=optimizers.SGD(0.5), steps=1)
    >>> float(path.end[0]), path.derivative
    (3.0, 'autograd')
    """
    ground = Ground(
        hills.get(f), start, gradient, edge.not_negative_integer("seed", seed, "hw.descend(f, 1.0, seed=0)")
    )
    count = checks.positive_integer("steps", steps, "hw.descend(f, start, steps=50)")
    walkers, names = _walkers(optimizer)
    rates = {label: np.array(chosen.learning_rates(0, count)) for label, chosen in walkers.items()}  # may refuse
    shown = Shown("descend", verbose)
    try:
        walks = []
        for number, (label, walker) in enumerate(walkers.items()):
            share = _part_of(shown, number / (len(walkers) + 1), 1 / (len(walkers) + 1))
            walks.append(_walk(ground, label, walker, rates[label], share))
        terrain = ground.terrain(
            _box(ground, walks), _part_of(shown, 1 - 1 / (len(walkers) + 1), 1 / (len(walkers) + 1))
        )
    finally:
        shown.close()
    paths = tuple(Path(**walk, terrain=terrain) for walk in walks)
    return Paths(paths, names) if isinstance(optimizer, (list, tuple, Mapping)) else paths[0]


def variable_names(count: int) -> tuple[str, ...]:
    """Return the names of so many variables.

    >>> variable_names(1), variable_names(2), variable_names(3)
    (('x',), ('x', 'y'), ('x1', 'x2', 'x3'))
    """
    return ("x", "y")[:count] if count < 3 else tuple(f"x{number + 1}" for number in range(count))


def described(optimizer: Optimizer) -> str:
    """Return an optimizer as the call that makes it, without what is at its default.

    >>> described(optimizers.SGD(0.1, momentum=0.9)), described(optimizers.get("adam"))
    ('SGD(0.1, momentum=0.9)', 'Adam(0.001)')
    """
    schedule = optimizer.schedule
    rate = f"{optimizer.learning_rate:.6g}" if schedule is None else f"{type(schedule).__name__}(...)"
    defaults = inspect.signature(type(optimizer).__init__).parameters
    others = []
    for name in (*optimizer.own_arguments, "weight_decay", *CLIPPING):
        value = getattr(optimizer, name)
        if name not in defaults or value != defaults[name].default:
            others += [] if value is None else [f"{name}={value:.6g}" if type(value) is float else f"{name}={value}"]
    return f"{type(optimizer).__name__}({', '.join([rate, *others])})"


def _walkers(optimizer: Any) -> tuple[dict[str, Optimizer], tuple[str, ...]]:
    """Return the optimizers by label, and what else they may be asked for by."""
    if isinstance(optimizer, Mapping) and "class_name" not in optimizer:
        given, labels = list(optimizer.values()), [str(label) for label in optimizer]
    elif isinstance(optimizer, (list, tuple)):
        given, labels = list(optimizer), []
    else:
        given, labels = [optimizers.SGD(0.1) if optimizer is None else optimizer], []
    if not given:
        fix = 'hw.descend(f, start, optimizer=["sgd", "adam"])'
        raise InputError(explain(f"optimizer={optimizer!r}.", "at least one optimizer.", fix))
    chosen = [copy.copy(optimizers.get(one)) for one in given]  # the user's own count their models' steps
    found: dict[str, Optimizer] = {}
    for number, one in enumerate(chosen):
        label = labels[number] if labels else described(one)
        repeats = sum(known == label or known.startswith(f"{label} #") for known in found)
        found[label if not repeats else f"{label} #{repeats + 1}"] = one
    return found, tuple(one if isinstance(one, str) else "" for one in given)


@np.errstate(all="ignore")  # what is not finite ends the walk, and the record says so
def _walk(
    ground: Ground, label: str, optimizer: Optimizer, rates: Array, show: Callable[[float], None]
) -> dict[str, Any]:
    """Return the fields of one path."""
    x: FloatArray = ground.start.copy()
    slots: dict[str, FloatArray] = {
        name: np.full_like(x, optimizer.slot_initial_value(name)) for name in optimizer.slot_names
    }
    positions, values = [x.copy()], [ground.value(x)]
    gradients: list[FloatArray] = [ground.slope(x, 0)]
    reason = _not_finite(0, x, values[0], gradients[0])
    decays = optimizer.decays("x")
    try:
        for step, rate in enumerate(rates.tolist()):
            if reason is not None:
                break
            optimizer.apply([(x, gradients[-1].copy(), slots, decays)], rate, step)
            is_somewhere = bool(np.isfinite(x).all())
            value = ground.value(x) if is_somewhere else float("nan")
            slope = ground.slope(x, step + 1) if is_somewhere and np.isfinite(value) else np.full_like(x, np.nan)
            positions.append(x.copy())
            values.append(value)
            gradients.append(slope)
            reason = _not_finite(step + 1, x, value, slope)
            show(step / len(rates))
    except KeyboardInterrupt:
        count = min(len(positions), len(values), len(gradients))
        positions, values, gradients = positions[:count], values[:count], gradients[:count]
        reason = f"interrupted after step {count - 1}"
    return {
        "label": label,
        "function": ground.name,
        "optimizer": described(optimizer),
        "derivative": ground.derivative,
        "positions": np.array(positions),
        "values": np.array(values),
        "gradients": np.array(gradients),
        "learning_rates": rates[: len(positions) - 1].copy(),
        "stop_reason": reason,
    }


def _not_finite(step: int, x: FloatArray, value: float, slope: FloatArray) -> str | None:
    for what, number in (("position", x), ("value", value), ("slope", slope)):
        if not np.isfinite(number).all():
            advice = ": the steps grew without end; a smaller learning rate helps" if step > 1 else ""
            return f"the {what} is no longer a finite number at step {step}{advice}"
    return None


def _box(ground: Ground, walks: list[dict[str, Any]]) -> list[tuple[float, float]]:
    """Return what to map, (low, high) by variable: a hill's domain, or around where the best walk ended.

    Walks that leave it widen the map, but not so much that the others could no longer be seen.
    """
    positions = np.concatenate([walk["positions"] for walk in walks])
    positions = positions[np.isfinite(positions).all(axis=1)]
    if ground.hill is not None:
        low, high = np.transpose(ground.hill.domain)
    else:
        calm = [walk for walk in walks if walk["values"][-1] <= walk["values"][0]]
        near = np.concatenate([walk["positions"] for walk in calm]) if calm else positions[:3]
        best = min(calm, key=lambda walk: float(walk["values"][-1]))["positions"][-1] if calm else positions[0]
        half = 1.2 * np.abs(near - best).max(axis=0)
        half = np.maximum(half, 0.3 * half.max()) if half.max() > 0 else np.maximum(1.0, np.abs(best))
        low, high = best - half, best + half
    margin = 0.4 * (high - low)
    near = positions[((positions >= low - margin) & (positions <= high + margin)).all(axis=1)]
    beyond = 0.05 * (high - low)
    low = np.minimum(low, (near - beyond).min(axis=0, initial=np.inf))
    high = np.maximum(high, (near + beyond).max(axis=0, initial=-np.inf))
    return list(zip(low.tolist(), high.tolist(), strict=True))


def _part_of(show: Callable[[float], None], first: float, share: float) -> Callable[[float], None]:
    """Return what shows the progress of a part of the whole."""
    return lambda done: show(first + done * share)
