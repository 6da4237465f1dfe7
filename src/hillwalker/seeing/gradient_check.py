"""The gradient that training uses, against central differences in float64, weight by weight.

A copy of the network is measured: nothing of the model changes, and its precision does not matter. Where the loss has
a kink, the gradient must lie between the slopes on both sides.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import checks, engine, optimizers, records, reference
from hillwalker.errors import InputError, explain
from hillwalker.parameters import FloatArray, Segment, flat_vector
from hillwalker.plan import Plan
from hillwalker.seeing.rows import checked
from hillwalker.training.progress import Shown

TOLERANCE = 1e-6
STEPS = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
"""Steps of the differences, each times max(1, |w|), from the largest to the smallest."""
EPSILON = float(np.finfo(np.float64).eps)
NOISE = 64 * EPSILON
"""What rounding does to a loss at least, relative to the largest number it is the sum of."""
ROOM = 1e-3
"""How far one-sided slopes may differ, relative to their size, where no smaller step is tried."""
STILL = 0.3
"""At a kink the slopes on both sides differ as much with a step of a tenth; on a curve, only a tenth as much."""


Tried = tuple[float, float, float, float]
"""What one step says of a slope: from both sides, from the left, from the right, and how far rounding may shift it."""


@dataclass(frozen=True)
class ParameterCheck:
    """One weight, checked: the element that is worst, and how many were looked at.

    `worst_error` is the relative error at `worst_index`, where the gradient is `analytic` and differences give
    `numeric`; elements at a kink, counted in `kinks`, have no error, and `outside` are those of them whose gradient is
    not between the slopes of both sides.
    """

    name: str
    shape: tuple[int, ...]
    checked: int
    size: int
    worst_error: float
    worst_index: tuple[int, ...]
    analytic: float
    numeric: float
    kinks: int
    outside: int


@dataclass(frozen=True)
class Suspect:
    """A derivative that differences contradict on its own: of an activation or of the loss."""

    what: str
    error: float
    at: str


@dataclass(frozen=True, repr=False)
class GradientCheck:
    """Whether the gradient is right; `print` it for a table.

    `parameters` holds one ParameterCheck a weight; `engines` which engines' gradients were compared, `engine_error` how
    far they are from each other; `suspects` names the activations and losses whose own derivative is wrong;
    `dropout_step` is the step whose mask was held fixed, None without dropout or noise.
    """

    parameters: tuple[ParameterCheck, ...]
    tolerance: float
    loss: float
    rows: int
    engines: tuple[str, ...]
    engine_error: float
    suspects: tuple[Suspect, ...]
    dropout_step: int | None
    seed: int

    @property
    def worst(self) -> ParameterCheck:
        """The weight with the largest relative error."""
        return max(self.parameters, key=lambda one: math.inf if math.isnan(one.worst_error) else one.worst_error)

    @property
    def passed(self) -> bool:
        """Whether every relative error is at most the tolerance, and no derivative of its own is contradicted."""
        fine = all(one.worst_error <= self.tolerance for one in self.parameters)
        return fine and self.engine_error <= self.tolerance and not self.suspects

    def fails(self, one: ParameterCheck) -> bool:
        """Return whether a weight's gradient is wrong: by its error, or beyond a kink's slopes without an excuse.

        Where several kinks meet, a gradient may lie beyond both slopes though each derivative on its own is between.
        """
        return one.worst_error > self.tolerance or (one.outside > 0 and bool(self.suspects))

    def to_dict(self) -> dict[str, Any]:
        """Return everything, and the verdict, as plain lists and numbers."""
        found: dict[str, Any] = records.plain(dataclasses.asdict(self) | {"passed": self.passed})
        return found

    def to_frame(self) -> Any:
        """Return one line a weight."""
        rows = [dataclasses.asdict(one) for one in self.parameters]
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        return records.to_frame(columns, "name", "check.to_frame()")

    def plot(self, title: str | None = None) -> Any:
        """Return a figure of the errors by weight (see `hillwalker.plots.gradient_check.plot_gradient_check`)."""
        from hillwalker.plots.gradient_check import plot_gradient_check

        return plot_gradient_check(self, title)

    def __str__(self) -> str:
        return "\n".join(_lines(self))

    def __repr__(self) -> str:
        worst = self.worst
        verdict = "passed" if self.passed else "FAILED"
        return f"GradientCheck: {verdict}; worst relative error {worst.worst_error:.1e} at {_place(worst)}"


def check_gradients(
    model: Any,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    tolerance: float = TOLERANCE,
    max_elements: int | None = 200,
    seed: int = 0,
    verbose: Any = "auto",
) -> GradientCheck:
    """Compare the gradient of the loss with central differences (L(w + h) − L(w − h)) / 2h, in float64.

    The loss is that of the coming training step on all these rows as one batch: penalties included, batch
    normalisation on the batch's statistics, dropout and noise with the masks of that step held fixed. The relative
    error of an element is |a − n| / max(|a|, |n|, s). The floor s is a millionth of the largest gradient of its weight,
    or so much that what the difference itself is unsure of (by rounding, and by as much as a smaller step changes it)
    makes a tenth of the tolerance: else rounding would pass for error. Of several steps the surest is taken. Where the
    slopes to the left and to the right stay apart however small the step (ReLU at 0, |x| at 0, a clipped
    cross-entropy), the element lies on a kink: it counts in `kinks`, and its gradient has to lie between the two. Where
    it does not, several kinks may meet; then each activation and the loss are checked on their own, and one whose
    derivative is not between its slopes is named.

    Args:
        model: a compiled and built model; nothing of it is changed.
        X: inputs (n, I); some 10 to 100 rows say enough.
        y: targets (n,) or (n, O).
        sample_weight: one weight a row, (n,).
        tolerance: the largest relative error that passes; 1e-6, where a wrong formula gives 1e-2 or more.
        max_elements: elements of a weight that are checked at most, drawn with `seed`; None: all.
        seed: draws the elements.
        verbose: whether progress is shown if it takes over a second: "auto", 0, 1 or 2.

    Raises InputError or StateError for what `model.fit` would refuse. Source: Karpathy's notes to CS231n, "Gradient
    checks", whose measure this is but for s.

    >>> import numpy as np, hillwalker as hw
    >>> model = hw.Sequential([hw.Input((3,)), hw.layers.Dense(4, activation="tanh"), hw.layers.Dense(1)])
    >>> model.compile(loss="mse")
    >>> check_gradients(model, np.eye(3), np.ones(3)).passed
    True
    """
    most = None if max_elements is None else checks.positive_integer("max_elements", max_elements, "max_elements=200")
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float) or not 0 < tolerance < 1:
        passed = f"tolerance={tolerance!r}."
        raise InputError(explain(passed, "a relative error, above 0 and below 1.", "tolerance=1e-6"))
    data, plan = checked(model, X, y, sample_weight, "check_gradients")
    if not plan.trained:
        expected = "a model of which training moves something."
        raise InputError(explain(f"the model {model.name!r}, which is not trainable.", expected))
    probe = _Probe(model, plan, data)
    analytic, names, between = probe.gradients()
    chosen = [
        _chosen(segment, most, np.random.default_rng([seed, number])) for number, segment in enumerate(plan.trained)
    ]
    total, done = sum(map(len, chosen)), 0
    shown = Shown("check_gradients", verbose)
    found = []
    try:
        for segment, elements in zip(plan.trained, chosen, strict=True):
            slopes = []
            for element in elements:
                slopes.append(probe.slope(segment, element, float(segment.view(analytic).flat[element])))
                done += 1
                shown(done / total)
            found.append(_summed_up(segment, elements, slopes, segment.view(analytic), tolerance))
    finally:
        shown.close()
    step = int(model.optimizer.iterations) if probe.is_random else None
    check = GradientCheck(tuple(found), float(tolerance), probe.value, len(data), names, between, (), step, seed)
    # Only where there is a doubt: on their own, differences at the edge of a clipped loss prove little.
    is_fine = check.passed and not any(one.outside for one in found)
    return check if is_fine else dataclasses.replace(check, suspects=tuple(probe.suspects(tolerance)))


@dataclass(frozen=True)
class _Slope:
    """An element's gradient, analytic and by differences, how unsure the latter is, and whether it is at a kink."""

    analytic: float
    numeric: float
    unsure: float
    is_kink: bool
    outside: bool


class _Probe:
    """A float64 copy of a model's weights, and the loss of the coming step as a function of them."""

    def __init__(self, model: Any, plan: Plan, data: Any) -> None:
        plain = optimizers.SGD(0.0)  # neither clips nor decays: what is left of a step is the gradient
        self.plan = dataclasses.replace(plan, dtype="float64", optimizer=plain)
        self.start = flat_vector(plan.length, np.float64)
        self.start[:] = model.state.parameters
        self.seed, self.iteration = model.state.seed, int(model.optimizer.iterations)
        self.x, self.y = (np.ascontiguousarray(values, dtype=np.float64) for values in (data.x, data.y))
        weight = data.sample_weight
        self.weight = None if weight is None else np.ascontiguousarray(weight, dtype=np.float64)
        self.own = reference.Network(self.plan, self.start.copy(), {}, self.seed)
        self.value = self.loss()
        if not math.isfinite(self.value):
            passed = f"a model whose loss on these rows is {self.value}."
            raise InputError(explain(passed, "a finite loss.", "weights from before training failed"))
        self.rounding = self._rounding()
        kinds = {type(planned.layer).__name__ for planned in plan.layers}
        self.is_random = bool(kinds & {"Dropout", "GaussianNoise"})

    def loss(self) -> float:
        """Return the loss at the weights of `own`, whose moving statistics stay as they are."""
        with np.errstate(all="ignore"):
            a, _ = self.own.forward(self.x, True, self.iteration)
            value = self.own.loss(self.y, a, self.weight)[0]
        for segment in self.plan.segments:
            if not segment.trainable:
                segment.view(self.own.parameters)[...] = segment.view(self.start)
        return value

    def _rounding(self) -> float:
        """Return what rounding may do to the loss: by the size of its parts, and by how it jitters."""
        assert self.plan.loss is not None
        with np.errstate(all="ignore"):
            a, _ = self.own.forward(self.x, True, self.iteration)
            values = np.abs(self.plan.loss.values(self.y, a))
        random, jitter = np.random.default_rng(0), []
        for _ in range(8):  # weights moved by their last bits: log(1 - p) near p = 1 loses half of its digits, say
            self.own.parameters[:] = self.start * (1 + EPSILON * random.integers(-4, 5, self.plan.length))
            jitter.append(abs(self.loss() - self.value))
        self.own.parameters[:] = self.start
        return float(max(NOISE * np.max(values), NOISE * abs(self.value), 4 * max(jitter), 1e-300))

    def gradients(self) -> tuple[FloatArray, tuple[str, ...], float]:
        """Return the gradient that training uses, which engines gave it, and how far they are from each other."""
        found: dict[str, FloatArray] = {}
        kinds: dict[str, Any] = {"compiled": engine.Network, "reference": reference.Network}
        for name, kind in kinds.items():
            network = self._network(kind)
            if network is None:
                continue
            rates = np.zeros(1)
            count = len(self.x)
            network.train(self.x, self.y, self.weight, None, count, rates, self.iteration, None)
            found[name] = reference.trained_only(self.plan, network.gradient)
        between = 0.0
        if len(found) == 2:
            one, two = found.values()
            size = max(float(np.max(np.abs(two))), self.rounding / TOLERANCE)
            between = float(np.max(np.abs(one - two))) / size
        return next(iter(found.values())), tuple(found), between

    def _network(self, kind: Any) -> Any:
        parameters = flat_vector(self.plan.length, np.float64)
        parameters[:] = self.start
        try:
            return kind(self.plan, parameters, {}, self.seed)
        except InputError:  # a layer of the user's own, which only the reference engine computes
            if kind is engine.Network:
                return None
            raise

    def slope(self, segment: Segment, element: int, analytic: float) -> _Slope:
        """Return one element's slope by central differences, with the step that fits best; and whether it is a kink."""
        weights = segment.view(self.own.parameters)
        place = np.unravel_index(element, segment.shape)
        at = float(weights[place])
        tried: list[Tried] = []
        for step in STEPS:
            h = step * max(1.0, abs(at))
            high, low = at + h, at - h
            weights[place] = high
            above = self.loss()
            weights[place] = low
            below = self.loss()
            weights[place] = at
            right, left = (above - self.value) / (high - at), (self.value - below) / (at - low)
            tried.append(((above - below) / (high - low), left, right, self.rounding / h))
            if len(tried) > 1 and self._agrees(tried[-2:], analytic):
                break
        return _judged(tried, analytic)

    @staticmethod
    def _agrees(last: list[Tried], analytic: float) -> bool:
        """Tell whether the last two differences leave nothing open, so that no smaller step is needed."""
        (before, *_), (now, left, right, noise) = last
        close = 1e-8 * max(abs(now), abs(analytic)) + noise
        smooth = abs(right - left) <= ROOM * max(abs(left), abs(right)) + 2 * noise
        return abs(now - before) <= close and abs(now - analytic) <= close and smooth

    def suspects(self, tolerance: float) -> Iterator[Suspect]:
        """Yield the activations, and the loss, whose own derivative differences contradict on this batch."""
        with np.errstate(all="ignore"):
            a, memories = self.own.forward(self.x, True, self.iteration)
        self.own.parameters[:] = self.start
        for planned, memory in zip(self.plan.layers, memories, strict=True):
            function = getattr(planned.layer, "activation", None)
            if function is not None:
                z, name = memory["z"], f"the activation {function.name!r} of the layer {planned.layer.name!r}"
                da = np.random.default_rng(0).uniform(0.5, 1.5, np.shape(memory["a"]))
                dz = function.backward(z, memory["a"], da)
                yield from _wrong(name, z, dz, lambda v, f=function, d=da: np.sum(f.value(v) * d, axis=-1), tolerance)
        loss = self.plan.loss
        assert loss is not None
        derivative = loss.batch(self.y, a, None)[1] * (len(a) if loss.reduction != "sum" else 1.0)
        yield from _wrong(f"the loss {loss.name!r}", a, derivative, lambda v: loss.values(self.y, v), tolerance)


def _judged(tried: list[Tried], analytic: float) -> _Slope:
    """Return what the differences with steps from large to small say of a gradient."""
    sure = [k for k, (_, left, right, noise) in enumerate(tried) if abs(right - left) > 4 * noise]
    last = sure[-1] if sure else 0  # the smallest step whose two slopes differ by more than rounding
    if last > 0:
        _, left, right, noise = tried[last]
        gap, before = abs(right - left), abs(tried[last - 1][2] - tried[last - 1][1])
        size = max(abs(left), abs(right))
        if gap > STILL * before and gap > TOLERANCE * size:
            room = noise + 1e-4 * size
            outside = not min(left, right) - room <= analytic <= max(left, right) + room
            return _Slope(analytic, tried[last][0], noise, True, outside)
    # A difference is uncertain by rounding, and by as much as the next smaller step changes it.
    unsure = [noise for *_, noise in tried]
    for k in range(len(tried) - 1):
        unsure[k] += abs(tried[k][0] - tried[k + 1][0])
    best = int(np.nanargmin(unsure))
    return _Slope(analytic, tried[best][0], unsure[best], False, False)


def _summed_up(
    segment: Segment, elements: NDArray[Any], slopes: list[_Slope], gradient: FloatArray, tolerance: float
) -> ParameterCheck:
    """Return the verdict on one weight: the worst of its elements."""
    largest = float(np.max(np.abs(gradient)))
    errors = []
    for one in slopes:
        floor = max(1e-6 * largest, 10 * one.unsure / tolerance, 1e-300)
        error = abs(one.analytic - one.numeric) / max(abs(one.analytic), abs(one.numeric), floor)
        errors.append(0.0 if one.is_kink else math.inf if math.isnan(error) else error)
    doubts = [(error, one.outside) for error, one in zip(errors, slopes, strict=True)]
    worst = max(range(len(doubts)), key=doubts.__getitem__)
    index = tuple(int(number) for number in np.unravel_index(int(elements[worst]), segment.shape))
    kinks, outside = sum(one.is_kink for one in slopes), sum(one.outside for one in slopes)
    size = math.prod(segment.shape)
    of_worst = slopes[worst].analytic, slopes[worst].numeric
    return ParameterCheck(
        segment.name, segment.shape, len(elements), size, errors[worst], index, *of_worst, kinks, outside
    )


def _chosen(segment: Segment, most: int | None, random: np.random.Generator) -> NDArray[np.intp]:
    """Return the numbers of the elements that are checked."""
    size = math.prod(segment.shape)
    if most is None or size <= most:
        return np.arange(size)
    return np.sort(random.choice(size, most, replace=False))


def _wrong(what: str, at: FloatArray, derivative: FloatArray, value: Any, tolerance: float) -> Iterator[Suspect]:
    """Yield the suspect if a derivative (B, O) of `value` (B,) by `at` (B, O) is contradicted somewhere."""
    worst, where, numbers = 0.0, (0, 0), (0.0, 0.0)
    with np.errstate(all="ignore"):
        now = value(at)
        for column in range(at.shape[1]):
            slopes = []
            for step in (1e-4, 1e-6, 1e-8):  # a kink in between or a curve spoils one of them, not all
                h = step * np.maximum(1.0, np.abs(at[:, column]))
                moved = [at.copy(), at.copy()]
                moved[0][:, column] += h
                moved[1][:, column] -= h
                above, below = (value(array) for array in moved)
                noise = NOISE * np.maximum(np.abs(now), 1.0) / h
                slopes.append(((above - below) / (2 * h), (above - now) / h, (now - below) / h, noise))
            errors = [_excess(derivative[:, column], *slope) for slope in slopes]
            error = np.min(errors, axis=0)
            row = int(np.argmax(error))
            if error[row] > worst:
                worst, where = float(error[row]), (row, column)
                numbers = float(derivative[row, column]), float(slopes[1][0][row])
    if worst > max(tolerance, 1e-4):
        text = f"row {where[0]}, column {where[1]}, value {at[where]:.4g}: "
        yield Suspect(what, worst, f"{text}its derivative says {numbers[0]:.6g}, differences {numbers[1]:.6g}")


def _excess(analytic: FloatArray, numeric: Any, right: Any, left: Any, noise: Any) -> FloatArray:
    """Return the relative error (B,) of a derivative that is not between the slopes of both sides."""
    low, high = np.minimum(left, right) - noise, np.maximum(left, right) + noise
    between = (low <= analytic) & (analytic <= high)
    scale = np.maximum(np.maximum(np.abs(analytic), np.abs(numeric)), np.maximum(noise / 1e-4, 1e-6))
    error: FloatArray = np.where(between, 0.0, np.maximum(np.abs(analytic - numeric) - noise, 0.0) / scale)
    return np.nan_to_num(error, nan=0.0)


def _place(one: ParameterCheck) -> str:
    return f"{one.name}[{', '.join(map(str, one.worst_index))}]"


def _lines(check: GradientCheck) -> Iterator[str]:
    yield f"Gradient check: {'passed' if check.passed else 'FAILED'} (tolerance {check.tolerance:.0e})"
    engines = " and ".join(check.engines)
    fixed = "" if check.dropout_step is None else f"; masks of step {check.dropout_step} held fixed"
    yield f"{check.rows} rows, loss {check.loss:.6g}, {engines} engine{'s' * (len(check.engines) > 1)}{fixed}"
    yield ""
    width = min(max(6, *(len(one.name) for one in check.parameters)), 18)
    heading = f"{'weight':{width}}  {'checked':>9}  {'error':>7}  {'at':>7}"
    yield f"{heading}  {'analytic':>10}  {'numeric':>10}  {'kinks':>5}"
    for one in check.parameters:
        name = one.name if len(one.name) <= width else "…" + one.name[1 - width :]
        count, at = f"{one.checked}/{one.size}", ",".join(map(str, one.worst_index))
        bad = check.fails(one)
        line = f"{name:{width}}  {count:>9}  {one.worst_error:>7.0e}  {at:>7}"
        yield f"{line}  {one.analytic:>10.3e}  {one.numeric:>10.3e}  {one.kinks or '-':>5}{' <' if bad else ''}"
    if any(one.checked < one.size for one in check.parameters):
        yield f"Elements drawn with seed {check.seed}; max_elements=None checks all."
    if kinks := sum(one.kinks for one in check.parameters):
        outside = sum(one.outside for one in check.parameters)
        told = "all" if not outside else f"all but {outside}"
        yield f"{kinks} element{'s' * (kinks > 1)} at a kink of the loss: {told} between the slopes of both sides."
        if outside and not check.suspects:
            yield "Several kinks meet there; each derivative on its own lies between its slopes."
    if len(check.engines) == 2:
        yield f"The engines differ by {check.engine_error:.1e}."
    for suspect in check.suspects:
        yield f"Wrong derivative: {suspect.what}"
        yield f"  in {suspect.at}"
