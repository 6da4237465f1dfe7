"""What one step of the optimizer does to one weight, spelled out for the rules that are used most.

Of the others, and with clipping or weight decay, the change alone is told.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from hillwalker.optimizers import SGD, Adam, Lion, RMSprop
from hillwalker.seeing.arithmetic import (
    Expression,
    Statement,
    Symbol,
    difference,
    function,
    negative,
    num,
    number,
    product,
    quotient,
    root,
    square,
    total,
)
from hillwalker.seeing.trace import LayerTrace, Trace


def of_weight(
    trace: Trace, layer: LayerTrace, name: str, index: tuple[int, ...], symbol: Symbol
) -> Iterator[Statement | str]:
    """Yield what one step does to a weight; nothing where there is no optimizer, or of one row alone."""
    if layer.updates is None or trace.optimizer is None:
        return
    w, change = float(layer.weights[name][index]), float(layer.updates[name][index])
    new = Symbol(f"new {symbol.text}", rf"{symbol.latex}^{{\text{{new}}}}")
    if name not in layer.gradients:  # moving statistics
        if "dnormal_mean" in layer.values:
            momentum, batch = layer.numbers["momentum"], float(layer.values[name.removeprefix("moving_")][index])
            moved = product(difference(num(1.0), num(momentum)), num(batch))
            yield Statement(new, w + change, total([product(num(momentum), num(w)), moved]))
        return
    if not layer.trainable:
        yield "the layer is frozen: the step leaves the weight as it is."
        return
    rate = number(trace.learning_rate or 0.0)
    yield f"one step of {type(trace.optimizer).__name__}, learning rate {rate}, iteration {trace.iteration}:"
    slots = {slot: float(value[index]) for slot, value in trace.slots.get(f"{layer.name}/{name}", {}).items()}
    yield from _rule(trace, float(layer.gradients[name][index]), slots, change)
    yield Statement(new, w + change, total([num(w), num(change)]))


def _rule(trace: Trace, g: float, slots: dict[str, float], change: float) -> Iterator[Statement]:
    rule, left, rate = trace.optimizer, Symbol("change", r"\Delta"), float(trace.learning_rate or 0.0)
    assert rule is not None
    if rule.weight_decay or any((rule.clipnorm, rule.clipvalue, rule.global_clipnorm)):
        yield Statement(left, change)
    elif type(rule) is SGD and not rule.nesterov:
        yield _sgd(rule, g, slots, rate, change)
    elif isinstance(rule, Adam) and not rule.amsgrad:
        yield from _adam(rule, g, slots, rate, change, trace.iteration + 1)
    elif type(rule) is RMSprop and not rule.momentum and not rule.centered:
        yield _mixed("v", rule.rho, slots["velocity"], g, squared=True)
        v = rule.rho * slots["velocity"] + (1.0 - rule.rho) * g * g
        step = quotient(product(num(rate), num(g)), root(total([num(v), num(rule.epsilon)])))
        symbols = Symbol("−learning rate·gradient/√(v + ε)", r"-\eta\, g / \sqrt{v + \varepsilon}")
        yield Statement(left, change, negative(step), symbols)
    elif type(rule) is Lion:
        mean = _mixture(rule.beta_1, slots["momentum"], num(g))
        sign = function("sign", lambda value: float(np.sign(value)), mean)
        symbols = Symbol("−learning rate·sign(β₁·m + (1 − β₁)·gradient)",
                         r"-\eta\, \operatorname{sign}(\beta_1 m + (1 - \beta_1) g)")  # fmt: skip
        yield Statement(left, change, product(num(-rate), sign), symbols)
    else:
        yield Statement(left, change)


def _sgd(rule: SGD, g: float, slots: dict[str, float], rate: float, change: float) -> Statement:
    left = Symbol("change", r"\Delta")
    if not rule.momentum:
        symbols = Symbol("−learning rate·gradient", r"-\eta\, g")
        return Statement(left, change, product(num(-rate), num(g)), symbols)
    moved = difference(product(num(rule.momentum), num(slots["momentum"])), product(num(rate), num(g)))
    symbols = Symbol("momentum·last change − learning rate·gradient", r"\mu\, m - \eta\, g")
    return Statement(left, change, moved, symbols)


def _mixture(kept: float, old: float, new: Expression) -> Expression:
    return total([product(num(kept), num(old)), product(difference(num(1.0), num(kept)), new)])


def _mixed(letter: str, kept: float, old: float, g: float, squared: bool = False) -> Statement:
    """Return a running mean (of squares) after this step."""
    value = kept * old + (1.0 - kept) * (g * g if squared else g)
    return Statement(Symbol(letter, letter), value, _mixture(kept, old, square(num(g)) if squared else num(g)))


def _adam(rule: Adam, g: float, slots: dict[str, float], rate: float, change: float, t: int) -> Iterator[Statement]:
    m, v = _mixed("m", rule.beta_1, slots["momentum"], g), _mixed("v", rule.beta_2, slots["velocity"], g, squared=True)
    yield m
    yield v
    corrected = rate * math.sqrt(1.0 - rule.beta_2**t) / (1.0 - rule.beta_1**t)
    correction = quotient(
        product(num(rate), root(difference(num(1.0), num(rule.beta_2**t)))), difference(num(1.0), num(rule.beta_1**t))
    )
    yield Statement(Symbol("rate", r"\eta_t"), corrected, correction)
    symbols = Symbol("−rate·m/(√v + ε)", r"-\eta_t\, m / (\sqrt{v} + \varepsilon)")
    below = total([root(num(v.value)), num(rule.epsilon)])
    step = negative(quotient(product(num(corrected), num(m.value)), below))
    yield Statement(Symbol("change", r"\Delta"), change, step, symbols)
