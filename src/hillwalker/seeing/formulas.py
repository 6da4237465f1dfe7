"""The formulas of activations and losses with numbers in place, and of their derivatives, adjacent.

Each follows the room of the same name: `activations.py`, `losses/`. What is too long to spell out is named.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hillwalker.activations import Activation, Elementwise
from hillwalker.losses import Loss
from hillwalker.losses.base import EPSILON, ColumnwiseLoss
from hillwalker.seeing.arithmetic import (
    Expression,
    absolute,
    difference,
    exponential,
    function,
    logarithm,
    negative,
    num,
    product,
    quotient,
    square,
    total,
)
from hillwalker.seeing.trace import Array

STEEP = 50.0  # beyond, e^z is taken from z - max z, as the engine does


def _named(activation: Activation, what: str, z: float) -> Expression:
    """Return gelu(z), or its slope gelu′(z), by name."""

    def compute(at: float) -> float:
        array = np.array([[at]])
        a = activation.value(array)
        if what == "value":
            return float(a[0, 0])
        return float(activation.backward(array, a, np.ones_like(array))[0, 0])

    return function(activation.name + ("" if what == "value" else "′"), compute, num(z))


# Activations of one number: f(z), and f'(z) from z and a = f(z)


def activation_value(activation: Activation, z: Array, k: int) -> Expression:
    """Return a_k = f(z) for one row z (O,)."""
    x, f = float(z[k]), activation
    one, n = num(1.0), num
    match f.kind:
        case "linear":
            return n(x)
        case "relu":
            return _relu(f, x)
        case "elu" | "selu":
            alpha, scale = (_get(f, "alpha", 1.0), 1.0) if f.kind == "elu" else (_get(f, "ALPHA"), _get(f, "SCALE"))
            below = product(n(alpha), difference(exponential(n(x)), one))
            inside = n(x) if x > 0 else difference(exponential(n(x)), one) if alpha == 1.0 else below
            return inside if scale == 1.0 else product(n(scale), inside)
        case "sigmoid":
            return quotient(one, total([one, exponential(n(-x))])) if x > -700 else exponential(n(x))
        case "silu" if x > -700:
            return quotient(n(x), total([one, exponential(n(-x))]))
        case "tanh":
            return function("tanh", math.tanh, n(x))
        case "softsign":
            return quotient(n(x), total([one, absolute(n(x))]))
        case "softplus" if x < 30:
            return logarithm(total([one, exponential(n(x))]))
        case "exponential":
            return exponential(n(x))
        case "hard_sigmoid" if abs(x) < 3:
            return quotient(total([n(x), n(3.0)]), n(6.0))
        case "hard_sigmoid":
            return n(0.0 if x < 0 else 1.0)
        case "softmax":
            return quotient(_power(z, k), total([_power(z, place) for place in range(len(z))]))
        case "log_softmax":
            return difference(n(x), log_sum(z))
    return _named(f, "value", x)


def activation_slope(activation: Activation, z: float, a: float) -> Expression | None:
    """Return f'(z) of an activation of one number; None where a unit's z moves other units' a too."""
    f, one, n = activation, num(1.0), num
    if not isinstance(f, Elementwise):
        return None
    slope = float(f.derivative(np.array([z]), np.array([a]))[0])
    match f.kind:
        case "linear" | "relu" | "hard_sigmoid":
            return n(slope)
        case "elu" | "selu" if z <= 0:
            alpha, scale = (_get(f, "alpha", 1.0), 1.0) if f.kind == "elu" else (_get(f, "ALPHA"), _get(f, "SCALE"))
            return product(n(alpha * scale), exponential(n(z))) if alpha * scale != 1 else exponential(n(z))
        case "elu" | "selu":
            return n(slope)
        case "sigmoid":
            return product(n(a), difference(one, n(a)))
        case "tanh":
            return difference(one, square(n(a)))
        case "softsign":
            return quotient(one, square(total([one, absolute(n(z))])))
        case "softplus" if z > -700:
            return quotient(one, total([one, exponential(n(-z))]))
        case "exponential":
            return n(a)
    return _named(f, "slope", z)


def _get(thing: Any, name: str, default: float = 0.0) -> float:
    return float(getattr(thing, name, default))


def _relu(f: Activation, z: float) -> Expression:
    slope, top, threshold = _get(f, "negative_slope"), getattr(f, "max_value", None), _get(f, "threshold")
    if slope == 0.0 and top is None and threshold == 0.0:
        return function("max", max, num(0.0), num(z))
    if z <= threshold:
        inside = num(z) if threshold == 0.0 else difference(num(z), num(threshold))
        return product(num(slope), inside)
    return num(z if top is None else min(max(z, 0.0), top))


def _power(z: Array, k: int) -> Expression:
    """Return e^z_k, or e^(z_k - max z) where the former is too large or too small for a number."""
    top = float(z.max())
    return exponential(num(z[k]) if abs(top) < STEEP else difference(num(z[k]), num(top)))


def log_sum(z: Array) -> Expression:
    """Return ln of the sum of e^z."""
    summed = logarithm(total([_power(z, place) for place in range(len(z))]))
    top = float(z.max())
    return summed if abs(top) < STEEP else total([num(top), summed])


# Losses: the value of a row, and its derivative by one output


def loss_value(loss: Loss, y: Array, p: Array) -> Expression | None:
    """Return the loss of one row, y and p (O,); None for a loss of the user's own."""
    if isinstance(loss, ColumnwiseLoss):
        each = [_element(loss, float(true), float(pred)) for true, pred in zip(y, p, strict=True)]
        terms = [term for term in each if term is not None]
        if len(terms) < len(each):
            return None
        whole = total(terms)
        return whole if len(p) == 1 else quotient(whole, num(len(p)))
    match loss.kind:
        case "categorical_crossentropy" | "sparse_categorical_crossentropy":
            return _crossentropy(loss, y, p)
        case "kl_divergence":
            y, p = np.clip(y, EPSILON, 1.0), np.clip(p, EPSILON, 1.0)
            return total(
                [product(num(a), logarithm(quotient(num(a), num(b)))) for a, b in zip(y, p, strict=True)], elide=True
            )
        case "categorical_hinge":
            others, own = float(((1.0 - y) * p).max()), float((y * p).sum())
            return function("max", max, num(0.0), total([num(1.0), num(others), num(-own)]))
        case "cosine_similarity":
            lengths = [max(float(np.sqrt((v**2).sum())), EPSILON) for v in (y, p)]
            terms = [product(num(a), num(b)) for a, b in zip(y, p, strict=True)]
            return negative(quotient(total(terms), product(num(lengths[0]), num(lengths[1]))))
    return None


def loss_slope(loss: Loss, y: Array, p: Array, k: int) -> Expression | None:
    """Return the derivative of one row's loss by its output p_k, but for the division by O of a mean over columns."""
    if isinstance(loss, ColumnwiseLoss):
        return _slope(loss, float(y[k]), float(p[k]))
    slope = loss.derivative(y[np.newaxis], p[np.newaxis])[0]
    match loss.kind:
        case "categorical_crossentropy" | "sparse_categorical_crossentropy":
            asked = wanted(loss, y, p)
            if getattr(loss, "from_logits", False):
                softmax = quotient(_power(p, k), total([_power(p, place) for place in range(len(p))]))
                whole = float(asked.sum())
                first = softmax if abs(whole - 1.0) < 1e-12 else product(num(whole), softmax)
                return difference(first, num(asked[k]))
            share = p / p.sum()
            inside = (share >= EPSILON) & (share <= 1.0 - EPSILON)
            if not inside.all():
                return num(slope[k])
            above = difference(num(asked.sum()), quotient(num(asked[k]), num(share[k])))
            return above if abs(float(p.sum()) - 1.0) < 1e-12 else quotient(above, num(p.sum()))
        case "kl_divergence" if slope[k] != 0:
            return negative(quotient(num(np.clip(y[k], EPSILON, 1.0)), num(np.clip(p[k], EPSILON, 1.0))))
        case "cosine_similarity":
            lengths = [max(float(np.sqrt((v**2).sum())), EPSILON) for v in (y, p)]
            along = float((y * p).sum() / lengths[0] / lengths[1])
            direction = product(num(along), num(p[k] / lengths[1]))
            return quotient(difference(direction, num(y[k] / lengths[0])), num(lengths[1]))
    return num(slope[k])


def wanted(loss: Loss, y: Array, p: Array) -> Array:
    """Return the probabilities that a row's target asks for, (O,)."""
    if loss.kind == "sparse_categorical_crossentropy":
        return np.asarray(np.equal(np.arange(len(p)), y[0]), dtype=np.float64)
    smoothing = _get(loss, "label_smoothing")
    return np.asarray(y * (1.0 - smoothing) + smoothing / len(y))


def _crossentropy(loss: Loss, y: Array, p: Array) -> Expression:
    asked = wanted(loss, y, p)
    places = [place for place in range(len(p)) if asked[place] != 0]
    if getattr(loss, "from_logits", False):
        ends = [difference(log_sum(p), num(p[place])) for place in places]
        terms = [end if asked[k] == 1 else product(num(asked[k]), end) for k, end in zip(places, ends, strict=True)]
        return total(terms) if terms else num(0.0)
    share = np.clip(p / p.sum(), EPSILON, 1.0 - EPSILON)
    terms = []
    for k in places:
        logs = logarithm(num(share[k]))
        terms.append(negative(logs) if asked[k] == 1 else product(num(-asked[k]), logs))
    return total(terms) if terms else num(0.0)


def _likelihood(y: float, p: float) -> Expression:
    """Return -y ln p - (1 - y) ln(1 - p)."""
    hit, miss = logarithm(num(p)), logarithm(difference(num(1.0), num(p)))
    if y in (0.0, 1.0):
        return negative(hit if y == 1.0 else miss)
    return total([product(num(-y), hit), product(num(y - 1.0), miss)])


def _element(loss: Any, y: float, p: float) -> Expression | None:
    n, error = num, difference(num(p), num(y))
    match loss.kind:
        case "mean_squared_error":
            return square(error)
        case "mean_absolute_error":
            return absolute(error)
        case "mean_absolute_percentage_error":
            return quotient(product(n(100.0), absolute(error)), n(max(abs(y), EPSILON)))
        case "mean_squared_logarithmic_error":
            logs = [logarithm(total([n(1.0), n(max(value, EPSILON))])) for value in (p, y)]
            return square(difference(*logs))
        case "huber" if abs(p - y) <= loss.delta:
            return quotient(square(error), n(2.0))
        case "huber":
            return difference(product(n(loss.delta), absolute(error)), quotient(square(n(loss.delta)), n(2.0)))
        case "log_cosh":
            return logarithm(function("cosh", math.cosh, error)) if abs(p - y) < 700 else None
        case "pinball":
            share = n(loss.quantile) if y >= p else difference(n(loss.quantile), n(1.0))
            return product(share, difference(n(y), n(p)))
        case "asymmetric_squared_error":
            return product(n(loss.under_weight if p < y else loss.over_weight), square(error))
        case "qlike" if loss.from_log:
            ratio = product(n(y), exponential(n(-p)))
            return total([ratio, negative(logarithm(n(y))), n(p), n(-1.0)])
        case "qlike":
            return total([quotient(n(y), n(p)), negative(logarithm(quotient(n(y), n(p)))), n(-1.0)])
        case "binary_crossentropy":
            y = y * (1.0 - loss.label_smoothing) + 0.5 * loss.label_smoothing
            if not loss.from_logits:
                return _likelihood(y, float(np.clip(p, EPSILON, 1.0 - EPSILON)))
            whole = logarithm(total([n(1.0), exponential(n(p))])) if abs(p) < 30 else n(max(p, 0.0))
            return difference(whole, product(n(y), n(p)))
        case "poisson":
            return difference(n(p), product(n(y), logarithm(total([n(p), n(EPSILON)]))))
    if loss.kind in ("hinge", "squared_hinge"):
        rest = function("max", max, n(0.0), difference(n(1.0), product(n(y), n(p))))
        return rest if loss.kind == "hinge" else square(rest)
    return None


def _slope(loss: Any, y: float, p: float) -> Expression:
    n, error = num, difference(num(p), num(y))
    match loss.kind:
        case "mean_squared_error":
            return product(n(2.0), error)
        case "mean_squared_logarithmic_error" if p > EPSILON:
            logs = [logarithm(total([n(1.0), n(max(value, EPSILON))])) for value in (p, y)]
            return quotient(product(n(2.0), difference(*logs)), total([n(1.0), n(p)]))
        case "huber" if abs(p - y) <= loss.delta:
            return error
        case "log_cosh":
            return function("tanh", math.tanh, error)
        case "asymmetric_squared_error":
            return product(n(2.0), n(loss.under_weight if p < y else loss.over_weight), error)
        case "qlike" if loss.from_log:
            return difference(n(1.0), product(n(y), exponential(n(-p))))
        case "qlike":
            return quotient(difference(n(1.0), quotient(n(y), n(p))), n(p))
        case "binary_crossentropy" if loss.from_logits:
            y = y * (1.0 - loss.label_smoothing) + 0.5 * loss.label_smoothing
            sigmoid = quotient(n(1.0), total([n(1.0), exponential(n(-p))])) if p > -700 else exponential(n(p))
            return difference(sigmoid, n(y))
        case "binary_crossentropy" if EPSILON <= p <= 1.0 - EPSILON:
            y = y * (1.0 - loss.label_smoothing) + 0.5 * loss.label_smoothing
            hit = negative(quotient(n(y), n(p)))
            miss = quotient(n(1.0 - y), difference(n(1.0), n(p)))
            return hit if y == 1.0 else miss if y == 0.0 else total([hit, miss])
        case "poisson":
            return difference(n(1.0), quotient(n(y), total([n(p), n(EPSILON)])))
        case "squared_hinge":
            return product(n(-2.0 * y), function("max", max, n(0.0), difference(n(1.0), product(n(y), n(p)))))
    return n(float(loss.slope(np.array([[y]]), np.array([[p]]))[0, 0]))  # one number: a sign, a bound, a share
