"""Planes through the space of a network's weights: which directions, how far, and where a training path lies.

Only weights that training moves are part of a direction. No loss is computed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import randomness
from hillwalker.errors import InputError, explain, unknown_name
from hillwalker.models import Sequential
from hillwalker.plan import Plan
from hillwalker.reference import trained_only

Array = NDArray[np.float64]

KINDS = ("filter", "pca", "weights")
MARGIN = 0.2  # how far beyond a training path a plane goes, as a share of the path's extent
CALL = 'hw.landscape(model, X, y, directions="{}")'


@dataclass(frozen=True, eq=False)
class Plane:
    """A plane, or a line: origin + a * vectors[0] + b * vectors[1].

    `origin` (length,) and `vectors` (2, length) or (1, length) are flat vectors of weights; `limits` the (low, high)
    of a and b that are looked at; `model` the place of the model itself; `explained` what share of a training path's
    variance lies in each direction, for "pca".
    """

    kind: str
    origin: Array
    vectors: Array
    labels: tuple[str, ...]
    limits: tuple[tuple[float, float], ...]
    model: tuple[float, ...]
    explained: tuple[float, ...] | None = None

    def place(self, plan: Plan, vectors: Array) -> tuple[Array, Array]:
        """Return where flat vectors (n, length) fall on the plane, (n, 2) or (n, 1), and how far off they lie, (n,)."""
        moved = np.array([trained_only(plan, vector - self.origin) for vector in vectors])
        places = np.asarray(np.linalg.lstsq(self.vectors.T, moved.T, rcond=None)[0].T, np.float64)
        return places, np.asarray(np.linalg.norm(moved - places @ self.vectors, axis=1))


def plane_of(
    model: Sequential, plan: Plan, directions: Any, span: float, path: Array | None, is_line: bool, seed: int
) -> Plane:
    """Return the plane through a model that `directions` names; InputError where there is none."""
    origin = model.state.parameters.astype(np.float64)
    trained = np.sort(
        np.concatenate([_places(plan, segment).ravel() for segment in plan.trained] or [np.empty(0, int)])
    )
    if not trained.size:
        raise InputError(explain("a model of which training moves nothing.", "at least one weight that is trained."))
    if isinstance(directions, Sequential) or not isinstance(directions, str):
        return _between(model, origin, plan, directions, span, is_line)
    if directions not in KINDS:
        raise unknown_name("directions", directions, KINDS, "hw.landscape(model, X, y, directions={})")
    if len(trained) <= 2 and directions != "pca":
        return _of_weights(plan, origin, trained[:1] if is_line else trained, span, path)
    if directions == "weights":
        passed = f'directions="weights" for a model of {len(trained)} trained weights.'
        raise InputError(explain(passed, "one or two.", CALL.format("filter")))
    if directions == "pca":
        return _of_path(plan, origin, span, path, is_line)
    vectors = np.array([filter_direction(plan, origin, seed, number) for number in range(1 if is_line else 2)])
    if not vectors.any(axis=1).all():
        passed = "a model whose trained kernels are all zero, so filter-normalised directions are too."
        raise InputError(explain(passed, "kernels with numbers in them.", CALL.format("pca")))
    labels = ("first random direction", "second random direction")[: len(vectors)]
    return Plane("filter", origin, vectors, labels, ((-span, span),) * len(vectors), (0.0,) * len(vectors))


def filter_direction(plan: Plan, origin: Array, seed: int, number: int) -> Array:
    """Return a random direction in which each unit's incoming weights are as long as the unit's own, (length,).

    d[:, j] <- d[:, j] / |d[:, j]| * |W[:, j]|,  d standard normal, for each unit j of each trained kernel W (I, O)

    Biases and batch normalisation's weights do not move, as in the authors' own pictures. Source: Li, Xu, Taylor,
    Studer, Goldstein, "Visualizing the Loss Landscape of Neural Nets", 2018.
    """
    direction = np.zeros_like(origin)
    for place, segment in enumerate(plan.trained):
        if len(segment.shape) == 2:
            W, d = segment.view(origin), segment.view(direction)
            key = randomness.stream_key(seed, number, place)
            d[...] = randomness.normal(key, W.size).reshape(W.shape)
            d *= np.linalg.norm(W, axis=0) / np.maximum(np.linalg.norm(d, axis=0), 1e-300)
    return direction


def _of_weights(plan: Plan, origin: Array, trained: NDArray[Any], span: float, path: Array | None) -> Plane:
    """Return the plane of one or two weights, on which coordinates are the weights themselves."""
    model = origin[trained]
    half = span * max(1.0, float(np.abs(model).max()))
    seen = np.stack([model - half, model + half])
    if path is not None:
        seen = np.concatenate([seen, _with_margin(path[:, trained], span)])
    base = origin.copy()
    base[trained] = 0.0
    vectors = np.zeros((len(trained), len(origin)))
    vectors[np.arange(len(trained)), trained] = 1.0
    return Plane("weights", base, vectors, tuple(_name(plan, place) for place in trained), _limits(seen), tuple(model))


def _of_path(plan: Plan, origin: Array, span: float, path: Array | None, is_line: bool) -> Plane:
    """Return the plane of a training path's first two principal components, through the model."""
    if path is None or len(path) < 3:
        passed = 'directions="pca" ' + ("without a recording." if path is None else f"of {len(path)} recorded epochs.")
        fix = 'hw.landscape(model, X, y, directions="pca", recording=recorder.recording)'
        raise InputError(explain(passed, "a training path of at least 3 epochs.", fix))
    moved = np.array([trained_only(plan, vector) for vector in path])
    _, sizes, components = np.linalg.svd(moved - moved.mean(axis=0), full_matrices=False)
    count = 1 if is_line else 2
    if sizes[count - 1] <= 1e-12 * max(1.0, float(sizes[0])):
        raise InputError(explain("a recording in which the weights hardly move.", f"{count} directions of movement."))
    vectors = components[:count]
    largest = np.abs(vectors).argmax(axis=1)
    vectors = vectors * np.sign(vectors[np.arange(count), largest])[:, None]  # SVD leaves the sign open
    share = sizes**2 / np.sum(sizes**2)
    places = (path - origin) @ vectors.T
    seen = _with_margin(np.concatenate([places, np.zeros((1, count))]), span)
    labels = [f"principal component {k + 1} of the path ({100 * share[k]:.3g} % of its variance)" for k in range(count)]
    explained = tuple(share[:count].tolist())
    return Plane("pca", origin, vectors, tuple(labels), _limits(seen), (0.0,) * count, explained)


def _between(model: Sequential, origin: Array, plan: Plan, others: Any, span: float, is_line: bool) -> Plane:
    """Return the line from a model to another one, or the plane through it and two others."""
    given: Sequence[Any] = [others] if isinstance(others, Sequential) else others
    expected = f"one of {', '.join(KINDS)}, or one or two models of the same architecture."
    fits = isinstance(given, (list, tuple)) and len(given) in (1, 2)
    fits = fits and all(isinstance(other, Sequential) and other.built for other in given)
    shapes = [segment.shape for segment in plan.segments]
    if not fits or any([part.shape for part in other.plan.segments] != shapes for other in given):
        raise InputError(explain(f"directions={others!r}.", expected, "hw.landscape(model, X, y, directions=[other])"))
    used = given[:1] if is_line else given
    vectors = np.array([trained_only(plan, other.state.parameters.astype(np.float64) - origin) for other in used])
    if np.linalg.matrix_rank(vectors) < len(vectors):
        raise InputError(
            explain("directions to models with the same weights.", "models that differ.", CALL.format("filter"))
        )
    labels = tuple(f"share of the way to {other.name}" for other in used)
    limits = ((-0.25 * span, 1.0 + 0.25 * span),) * len(vectors)
    return Plane("models", origin, vectors, labels, limits, (0.0,) * len(vectors))


def _places(plan: Plan, segment: Any) -> NDArray[Any]:
    """Return the numbers' places in the flat vector, in the weight's shape."""
    return np.asarray(segment.view(np.arange(plan.length)))


def _name(plan: Plan, place: int) -> str:
    """Return a weight's name, such as dense.kernel[0,1]."""
    for segment in plan.trained:
        found = np.argwhere(_places(plan, segment) == place)
        if len(found):
            return f"{segment.name.replace('/', '.')}[{','.join(map(str, found[0]))}]"
    raise LookupError(place)


def _with_margin(places: Array, span: float) -> Array:
    low, high = places.min(axis=0), places.max(axis=0)
    margin = span * MARGIN * np.maximum(high - low, 0.2 * (high - low).max())
    return np.stack([low - margin, high + margin])


def _limits(seen: Array) -> tuple[tuple[float, float], ...]:
    return tuple(zip(seen.min(axis=0).tolist(), seen.max(axis=0).tolist(), strict=True))
