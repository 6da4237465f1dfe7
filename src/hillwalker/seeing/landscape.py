"""The hill itself: a network's loss on a plane through its weights, and the training path on it.

Nothing is trained and nothing of the model is changed; `plot` calls the room of pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import checks, config
from hillwalker.errors import InputError, InputTypeError, explain
from hillwalker.models import Sequential, edge
from hillwalker.parameters import FloatArray
from hillwalker.records import plain, to_frame
from hillwalker.seeing.losses_at import losses_at, plan_of
from hillwalker.seeing.planes import Plane, plane_of
from hillwalker.training.progress import Shown

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PathOnSurface:
    """A training path, seen from a plane.

    `epochs` (n,); `places` (n, 2), or (n, 1) on a line; `losses` (n,) those that the path's own weights have, on the
    surface's data; `plane_losses` (n,) those at its places on the plane; `distances` (n,) from the plane.
    """

    epochs: NDArray[Any]
    places: Array
    losses: Array
    plane_losses: Array
    distances: Array


@dataclass(frozen=True, eq=False, repr=False)
class Surface:
    """A network's loss on a plane through its weights: origin + x * vectors[0] + y * vectors[1].

    `losses` (rows, columns) belong to `y` (rows,) and `x` (columns,); a line has one row. What is not finite is kept.
    `directions` says which plane it is, `labels` what x and y mean, `place` and `loss` where the model lies and the
    loss it has, `loss_name` which one; `explained` the share of a path's variance in each direction, for "pca".
    `origin` (length,) and `vectors` (2, length) are flat vectors, as in `model.state.parameters`.
    """

    directions: str
    x: Array
    y: Array
    losses: Array
    labels: tuple[str, ...]
    place: tuple[float, ...]
    loss: float
    loss_name: str
    origin: Array
    vectors: Array
    explained: tuple[float, ...] | None = None
    path: PathOnSurface | None = None

    @property
    def is_line(self) -> bool:
        """Whether the loss is on a line, not on a plane."""
        return len(self.vectors) == 1

    def to_frame(self) -> Any:
        """Return one row a point, with columns x, y (on a plane) and loss: a pandas or polars frame."""
        x, y = np.meshgrid(self.x, self.y)
        columns = {"x": x.ravel().tolist(), "y": y.ravel().tolist(), "loss": self.losses.ravel().tolist()}
        if self.is_line:
            del columns["y"]
        return to_frame(columns, None, "surface.to_frame()")

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, numbers and strings; what is not finite is None."""
        return {**plain(vars(self)), "path": None if self.path is None else plain(vars(self.path))}

    def plot(self, title: str | None = None) -> Any:
        """Return a matplotlib figure (see `hillwalker.plots.plot_surface`)."""
        from hillwalker.plots.landscape import plot_surface

        return plot_surface(self, title=title)

    def plot_3d(self, title: str | None = None) -> Any:
        """Return a matplotlib figure in three dimensions (see `hillwalker.plots.plot_surface_3d`)."""
        from hillwalker.plots.landscape import plot_surface_3d

        return plot_surface_3d(self, title=title)

    def __repr__(self) -> str:
        finite = self.losses[np.isfinite(self.losses)]
        span = f"from {finite.min():.4g} to {finite.max():.4g}" if finite.size else "none of them finite"
        size = f"{len(self.x)}" if self.is_line else f"{len(self.y)} x {len(self.x)}"
        kind = {"filter": "in random directions", "pca": "along the path's principal components"}.get(self.directions)
        where = kind or ("over the weights" if self.directions == "weights" else "between models")
        path = "" if self.path is None else f"; a path of {len(self.path.epochs)} epochs"
        return f"Surface: {size} losses ({self.loss_name}) {where}, {span}; the model's is {self.loss:.4g}{path}"


def landscape(
    model: Sequential,
    X: Any,
    y: Any,
    resolution: Any = 51,
    directions: Any = "filter",
    span: float = 1.0,
    recording: Any = None,
    sample_weight: Any = None,
    seed: Any = 0,
    threads: int | None = None,
    verbose: Any = "auto",
) -> Surface:
    """Compute a network's loss on a plane through its weights.

    L(a, b) = loss(origin + a d1 + b d2) on all rows, penalties included, dropout off, batch normalisation by its moving
    statistics: what `model.evaluate` returns for those weights.

    Args:
        model: built and compiled; it is left exactly as it was.
        X, y, sample_weight: as in `evaluate`.
        resolution: points a side, or (rows, columns); a 1 among them makes a line along the first direction.
        directions: "filter": two random directions in which each unit's incoming weights are as long as its own (Li et
            al., 2018; biases stay); "pca": the two directions in which the recorded path varies most; "weights": the
            weights themselves, for models that train one or two, which is chosen for them anyway; or one or two other
            models of the same architecture: the line to one, the plane through all three.
        span: how far to look. "filter": from -span to span, where 1 is as far as the weights are long; else how wide
            the margin around the path, the weights or the models is, 1 being the usual.
        recording: a training path: what `hw.callbacks.Recorder` recorded, or flat weights (epochs, length).
        seed: of the random directions.
        threads: how many places are evaluated at a time; None: `config.threads()`. No number depends on it.
        verbose: "auto" (a bar, if it takes over a second), 0 (nothing) or 1.

    Returns a Surface. Raises InputError, InputTypeError or StateError before anything is computed; Ctrl-C is heard.
    Source: Li, Xu, Taylor, Studer, Goldstein, "Visualizing the Loss Landscape of Neural Nets", 2018.

    >>> from hillwalker.layers import Dense, Input
    >>> model = Sequential([Input((1,)), Dense(1)])
    >>> model.compile(loss="mse")
    >>> surface = landscape(model, np.array([[1.0], [2.0]]), np.array([3.0, 5.0]), resolution=11)
    >>> surface.directions, surface.losses.shape, surface.labels[1].endswith("bias[0]")
    ('weights', (11, 11), True)
    """
    if not isinstance(model, Sequential):
        raise InputTypeError(explain(f"{model!r}.", "a Sequential.", "hw.landscape(model, X, y)"))
    _ = model.state  # refuses a model that is not built
    data = model._edge.data(X, y, sample_weight, call="landscape")
    assert data.y is not None
    rows, columns = _resolution(resolution)
    span = _span(span)
    seed = edge.not_negative_integer("seed", seed, "hw.landscape(model, X, y, seed=0)")
    threads = config.threads() if threads is None else checks.positive_integer("threads", threads, "threads=2")
    plan = plan_of(model, data.y.shape[1])
    vectors, epochs = _recorded(recording, plan.length)
    plane = plane_of(model, plan, directions, span, vectors, 1 in (rows, columns), seed)
    if len(plane.vectors) == 1:
        rows, columns = 1, max(rows, columns)
    x = _spread(plane.limits[0], columns)
    height = _spread(plane.limits[1], rows) if len(plane.vectors) == 2 else np.zeros(1)

    own = model.state.parameters.copy()
    places, distances = np.empty((0, len(plane.vectors))), np.empty(0)
    if vectors is not None:
        places, distances = plane.place(plan, vectors)
    grid = _grid(plane, x, height)
    count = rows * columns

    def fill(number: int, vector: FloatArray) -> None:
        """Write the grid's places, then the model, then the path's places and its own weights."""
        if number < count:
            grid(number, vector)
        elif number == count:
            vector[:] = own
        elif (after := number - count - 1) < len(places):
            vector[:] = plane.origin + places[after] @ plane.vectors
        else:
            assert vectors is not None
            vector[:] = vectors[after - len(places)]

    shown = Shown("landscape", verbose)
    try:
        losses = losses_at(plan, data, fill, count + 1 + 2 * len(places), threads, shown)
    finally:
        shown.close()
    path = None
    if vectors is not None:
        of_plane, of_path = np.split(losses[count + 1 :], 2)
        path = PathOnSurface(epochs, places, of_path, of_plane, distances)
    assert model._loss is not None
    name = model._loss.kind or model._loss.name
    surface = losses[:count].reshape(rows, columns)
    return Surface(
        plane.kind, x, height, surface, plane.labels, tuple(float(at) for at in plane.model), float(losses[count]),
        name.replace("_", " "), plane.origin, plane.vectors, plane.explained, path,
    )  # fmt: skip


def _grid(plane: Plane, x: Array, y: Array) -> Callable[[int, FloatArray], None]:
    """Return what writes the weights of one point of the grid, row by row, into a vector."""

    def write(number: int, vector: FloatArray) -> None:
        row, column = divmod(number, len(x))
        start = plane.origin if len(plane.vectors) == 1 else plane.origin + y[row] * plane.vectors[1]
        np.add(start, x[column] * plane.vectors[0], out=vector, casting="same_kind")

    return write


def _resolution(resolution: Any) -> tuple[int, int]:
    given = resolution if isinstance(resolution, (tuple, list)) else (resolution, resolution)
    call = "hw.landscape(model, X, y, resolution=51)"
    if len(given) != 2:
        raise InputError(explain(f"resolution={resolution!r}.", "a whole number, or (rows, columns).", call))
    rows, columns = (checks.positive_integer("resolution", number, call) for number in given)
    if max(rows, columns) < 2:
        raise InputError(explain(f"resolution={resolution!r}.", "at least 2 points a side.", call))
    return rows, columns


def _span(span: Any) -> float:
    number = isinstance(span, (int, float, np.integer, np.floating)) and not isinstance(span, bool)
    if not number or not math.isfinite(span) or span <= 0:
        raise InputError(explain(f"span={span!r}.", "a finite number above 0.", "hw.landscape(model, X, y, span=1.0)"))
    return float(span)


def _recorded(recording: Any, length: int) -> tuple[Array | None, NDArray[Any]]:
    """Return a path's flat vectors (epochs, length) and its epochs' numbers."""
    if recording is None:
        return None, np.empty(0)
    fix = "hw.landscape(model, X, y, recording=recorder.recording)"
    given = getattr(recording, "vectors", recording)
    if given is None:
        raise InputError(explain("a recording without weights.", "one that kept them.", "Recorder(weights=True)"))
    try:
        vectors = np.asarray(given, dtype=np.float64)
        epochs = np.asarray(getattr(recording, "epochs", np.arange(len(vectors))))
    except (TypeError, ValueError):
        passed = f"recording={recording!r}."
        raise InputTypeError(explain(passed, f"a Recording, or flat weights (epochs, {length}).", fix)) from None
    if vectors.ndim != 2 or vectors.shape[1] != length or len(vectors) != len(epochs) or not len(vectors):
        passed = f"a recording of weights of shape {vectors.shape}, for {len(epochs)} epochs."
        raise InputError(explain(passed, f"(epochs, {length}): a recording of this model.", fix))
    if not np.isfinite(vectors).all():
        wrong = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
        passed = f"a recording whose weights are not finite at epoch {epochs[wrong]}."
        raise InputError(explain(passed, "finite weights.", fix))
    return vectors, epochs


def _spread(limits: tuple[float, float], count: int) -> Array:
    """Return evenly spread points; where they lie evenly about 0 and their number is odd, the middle is exactly 0."""
    low, high = limits
    steps = np.arange(count) * 2 - (count - 1)
    return (low + high) / 2 + (high - low) / 2 * steps / (count - 1)
