"""What can be said of a trace's numbers, statement by statement: forward, loss, backward, weights.

Formulas of activations and losses are in `formulas.py`, what an optimizer does in `steps.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from hillwalker.losses.base import MEAN, ColumnwiseLoss
from hillwalker.seeing import formulas, steps
from hillwalker.seeing.arithmetic import (
    Expression,
    Statement,
    Symbol,
    difference,
    num,
    product,
    quotient,
    root,
    square,
    subscript,
    total,
)
from hillwalker.seeing.symbols import slope_by, symbol_of, weight_symbol
from hillwalker.seeing.trace import Array, LayerTrace, Trace

FOLLOWED = 3  # units of each later layer whose blame is traced on, those that matter most

Line = Statement | str


class Speaker:
    """What can be said of a trace, statement by statement; places are numbers of layers."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    # Forward

    def heading(self, place: int, row: int, more: str = "") -> str:
        layer = self.trace.layers[place]
        of_row = f", row {row}" if self.trace.rows > 1 else ""
        activation = f", {layer.activation}" if layer.activation else ""
        return f"{layer.name} ({layer.kind}{activation}){of_row}{more}:"

    def z(self, place: int, row: int, k: int) -> Statement:
        layer = self.trace.layers[place]
        assert layer.z is not None
        value, left = float(layer.z[row, k]), symbol_of("z", k)
        if layer.W is None:
            return Statement(left, value, None, symbol_of("x", k))
        x, w = layer.input[row], layer.W[:, k]
        terms = total([product(num(a), num(b)) for a, b in zip(x, w, strict=True)])
        names = [(symbol_of("x", i), symbol_of("W", i, k)) for i in range(len(x))]
        symbols = Symbol("Σ xᵢ·" + f"W[i,{k}]", rf"\sum_i x_i W_{{i,{k}}}")
        if len(names) <= 3:
            symbols = Symbol(
                " + ".join(f"{a.text}·{b.text}" for a, b in names), " + ".join(f"{a.latex} {b.latex}" for a, b in names)
            )
        if layer.b is not None:
            b = symbol_of("b", k)
            symbols = Symbol(f"{symbols.text} + {b.text}", f"{symbols.latex} + {b.latex}")
            terms = _plus(terms, num(layer.b[k]))
        return Statement(left, value, terms, symbols)

    def a(self, place: int, row: int, k: int) -> Statement:
        layer = self.trace.layers[place]
        left, value, x = symbol_of("a", k), float(layer.a[row, k]), float(layer.input[row, k % layer.input.shape[1]])
        if layer.function is not None and layer.z is not None:
            if layer.function.kind == "linear":
                return Statement(left, value, None, symbol_of("z", k))
            return Statement(left, value, formulas.activation_value(layer.function, layer.z[row], k))
        if "scale" in layer.values:
            scale = float(layer.values["scale"][row, k])
            kept = num(1.0) if layer.numbers.get("rate", 0.0) == 0 or not self.trace.training else None
            factor = (
                num(0.0) if scale == 0 else kept or quotient(num(1.0), difference(num(1.0), num(layer.numbers["rate"])))
            )
            return Statement(left, value, product(num(x), factor))
        if "noise" in layer.values:
            return Statement(left, value, total([num(x), num(layer.values["noise"][row, k])]))
        if "normal" not in layer.values:
            return Statement(left, value, None, symbol_of("x", k))
        expression, symbols = num(layer.values["normal"][row, k]), [symbol_of("x̂", k)]
        if "gamma" in layer.weights:
            expression = product(num(layer.weights["gamma"][k]), expression)
            symbols.insert(0, symbol_of("γ", k))
        text, latex = "·".join(one.text for one in symbols), " ".join(one.latex for one in symbols)
        if "beta" in layer.weights:
            expression = _plus(expression, num(layer.weights["beta"][k]))
            text, latex = f"{text} + {symbol_of('β', k).text}", f"{latex} + {symbol_of('β', k).latex}"
        return Statement(left, value, expression, Symbol(text, latex))

    def normal(self, place: int, row: int, k: int) -> Statement:
        layer = self.trace.layers[place]
        deviation = root(total([num(layer.values["variance"][k]), num(layer.numbers["epsilon"])]))
        distance = difference(num(layer.input[row, k]), num(layer.values["mean"][k]))
        symbols = Symbol(
            f"({symbol_of('x', k).text} − {symbol_of('μ', k).text})/√({symbol_of('σ²', k).text} + ε)",
            rf"\frac{{x_{{{k}}} - \mu_{{{k}}}}}{{\sqrt{{\sigma^2_{{{k}}} + \varepsilon}}}}",
        )
        value = float(layer.values["normal"][row, k])
        return Statement(symbol_of("x̂", k), value, quotient(distance, deviation), symbols)

    def statistic(self, place: int, what: str, k: int) -> tuple[str, tuple[Line, ...]]:
        layer = self.trace.layers[place]
        left, value = symbol_of("μ" if what == "mean" else "σ²", k), float(layer.values[what][k])
        title = f"the {what} of column {k} " + ("of the batch" if "dnormal_mean" in layer.values else "so far (moving)")
        if "dnormal_mean" not in layer.values or self.trace.is_part:
            return title, (Statement(left, value),)
        column = layer.input[:, k]
        each = [num(x) for x in column]
        if what == "variance":
            each = [square(difference(num(x), num(layer.values["mean"][k]))) for x in column]
        return title, (Statement(left, value, quotient(total(each), num(len(column))) if len(each) > 1 else each[0]),)

    # The loss

    def _pair(self, row: int) -> tuple[Array, Array]:
        """Return a row's targets and outputs, labels of hinge losses as -1 and 1."""
        y, p = self.trace.targets[row], self.trace.prediction[row]
        if self.trace.loss_function.kind in ("hinge", "squared_hinge"):
            is_bits = bool(np.isin(self.trace.targets, (0.0, 1.0)).all())
            y = 2.0 * y - 1.0 if is_bits else y
        return y, p

    def row_loss(self, row: int) -> Statement:
        left = Symbol("l", r"\ell") if self.trace.rows == 1 else symbol_of("l", row)
        left = Symbol(left.text, left.latex.replace("l_", r"\ell_"))
        expression = formulas.loss_value(self.trace.loss_function, *self._pair(row))
        return Statement(left, float(self.trace.row_losses[row]), expression)

    def loss(self) -> Iterator[Line]:
        trace = self.trace
        yield f"{trace.loss_function.name}, " + ("the row's:" if trace.rows == 1 else "each row's (first ones):")
        for row in range(min(trace.rows, 3)):
            yield self.row_loss(row)
        yield "the batch's:" if not trace.is_part else f"the row's part of the batch of {trace.batch}:"
        yield Statement(Symbol("L", "L"), trace.loss, self._batch_loss())

    def _batch_loss(self) -> Expression:
        trace = self.trace
        each = []
        columns = trace.row_parts / np.where(trace.row_losses == 0, 1.0, trace.row_losses)
        for row in range(trace.rows):
            weight = 1.0 if trace.sample_weight is None else float(trace.sample_weight[row])
            one = num(trace.row_losses[row])
            each.append(product(num(weight), one) if weight != 1.0 else one)
        expression = total(each)
        if trace.loss_function.reduction == MEAN and trace.batch > 1:
            expression = quotient(expression, num(trace.batch))
        elif trace.loss_function.reduction != MEAN and not trace.loss_function.kind:
            expression = total([product(num(c), num(v)) for c, v in zip(columns, trace.row_losses, strict=True)])
        return _plus(expression, num(trace.penalty)) if trace.penalty else expression

    def dprediction(self, row: int, k: int) -> Statement:
        trace, loss = self.trace, self.trace.loss_function
        value, left = float(trace.dprediction[row, k]), slope_by(symbol_of("a", k))
        y, p = self._pair(row)
        slope = formulas.loss_slope(loss, y, p, k) if loss.kind else None
        if slope is None:
            return Statement(left, value)
        weight = 1.0 if trace.sample_weight is None else float(trace.sample_weight[row])
        if weight != 1.0:
            slope = product(num(weight), slope)
        count = trace.batch if loss.reduction == MEAN else 1
        if isinstance(loss, ColumnwiseLoss):
            count *= len(p)
        return Statement(left, value, quotient(slope, num(count)) if count > 1 else slope)

    # Backward

    def da(self, place: int, row: int, k: int) -> Statement:
        """Return what reaches a unit's output: from the loss, or from the layer that comes next."""
        if place == len(self.trace.layers) - 1:
            return self.dprediction(row, k)
        return self.dinput(place + 1, row, k, slope_by(symbol_of("a", k)))

    def dinput(self, place: int, row: int, j: int, left: Symbol | None = None) -> Statement:
        layer = self.trace.layers[place]
        left, value = left or slope_by(symbol_of("x", j)), float(layer.dinput[row, j])
        if layer.W is not None and layer.dz is not None:
            terms = [product(num(d), num(w)) for d, w in zip(layer.dz[row], layer.W[j], strict=True)]
            names = [(slope_by(symbol_of("z", k)), symbol_of("W", j, k)) for k in range(len(terms))]
            symbols = Symbol(f"Σ ∂L/∂zₖ·W[{j},k]", rf"\sum_k \frac{{\partial L}}{{\partial z_k}} W_{{{j},k}}")
            if len(names) <= 2:
                symbols = Symbol(
                    " + ".join(f"{a.text}·{b.text}" for a, b in names),
                    " + ".join(f"{a.latex} {b.latex}" for a, b in names),
                )
            return Statement(left, value, total(terms), symbols)
        if layer.function is not None:
            return Statement(left, value, self._dz(layer, row, j))
        da = num(layer.da[row, j])
        if "scale" in layer.values:
            return Statement(left, value, product(da, num(layer.values["scale"][row, j])))
        if "normal" not in layer.values:
            return Statement(left, value, None, slope_by(symbol_of("a", j)))
        dnormal, inverse = num(layer.values["dnormal"][row, j]), num(layer.values["inverse"][j])
        if "dnormal_mean" not in layer.values:
            return Statement(left, value, product(dnormal, inverse))
        own = product(num(layer.values["normal"][row, j]), num(layer.values["dnormal_normal_mean"][j]))
        inside = difference(difference(dnormal, num(layer.values["dnormal_mean"][j])), own)
        symbols = Symbol(
            "(∂L/∂x̂ − mean ∂L/∂x̂ − x̂·mean (∂L/∂x̂·x̂))/√(σ² + ε)",
            r"\frac{1}{\sqrt{\sigma^2+\varepsilon}}\left(\frac{\partial L}{\partial \hat x}"
            r" - \overline{\frac{\partial L}{\partial \hat x}}"
            r" - \hat x\,\overline{\frac{\partial L}{\partial \hat x}\hat x}\right)",
        )
        return Statement(left, value, product(inside, inverse), symbols)

    def _dz(self, layer: LayerTrace, row: int, k: int) -> Expression | None:
        """Return ∂L/∂z_k from ∂L/∂a."""
        assert layer.z is not None
        assert layer.function is not None
        da, a = layer.da[row], layer.a[row]
        slope = formulas.activation_slope(layer.function, float(layer.z[row, k]), float(a[k]))
        if slope is not None:
            return product(num(da[k]), slope)
        if layer.function.kind == "softmax":
            mean = total([product(num(d), num(p)) for d, p in zip(da, a, strict=True)])
            return product(num(a[k]), _minus(num(da[k]), mean))
        if layer.function.kind == "log_softmax":
            return _minus(num(da[k]), product(num(math.exp(a[k])), total([num(d) for d in da])))
        return None

    def dz(self, place: int, row: int, k: int) -> list[Line]:
        """Return what reaches a unit's sum, by its activation's slope, and the short way where there is one."""
        layer = self.trace.layers[place]
        assert layer.function is not None
        assert layer.dz is not None
        left, value = slope_by(symbol_of("z", k)), float(layer.dz[row, k])
        da, kind = slope_by(symbol_of("a", k)), layer.function.kind
        if kind == "linear":
            return [Statement(left, value, None, da)]
        symbols = Symbol(f"{da.text}·f′({symbol_of('z', k).text})", rf"{da.latex} f'(z_{{{k}}})")
        if kind == "softmax":
            inside = rf"{da.latex} - \sum_j \frac{{\partial L}}{{\partial a_j}} a_j"
            text = f"a{subscript(k)}·({da.text} − Σ ∂L/∂aⱼ·aⱼ)"
            symbols = Symbol(text, rf"a_{{{k}}} \left({inside}\right)")
        elif kind == "log_softmax":
            whole = r"\sum_j \frac{\partial L}{\partial a_j}"
            symbols = Symbol(f"{da.text} − e^a{subscript(k)}·Σ ∂L/∂aⱼ", rf"{da.latex} - e^{{a_{{{k}}}}} {whole}")
        lines: list[Line] = [Statement(left, value, self._dz(layer, row, k), symbols)]
        short = self._simplified(place, row, k)
        return [*lines, "or at once, since loss and activation belong together:", short] if short else lines

    def _simplified(self, place: int, row: int, k: int) -> Statement | None:
        """Return ∂L/∂z = p − y of a crossentropy on its own activation, where clipping did not come between."""
        trace, loss, layer = self.trace, self.trace.loss_function, self.trace.layers[place]
        pairs = {("sigmoid", "binary_crossentropy"), ("softmax", "categorical_crossentropy"),
                 ("softmax", "sparse_categorical_crossentropy")}  # fmt: skip
        assert layer.function is not None
        is_last = place == len(trace.layers) - 1 and (layer.function.kind, loss.kind) in pairs
        if not is_last or getattr(loss, "from_logits", False):
            return None
        y, p = self._pair(row)
        smoothing = float(getattr(loss, "label_smoothing", 0.0))
        wanted = np.asarray(y * (1.0 - smoothing) + smoothing / 2.0)
        if layer.function.kind == "softmax":
            wanted = formulas.wanted(loss, y, p)
            if abs(float(wanted.sum()) - 1.0) > 1e-12:
                return None
        expression = difference(num(p[k]), num(wanted[k]))
        if trace.sample_weight is not None and trace.sample_weight[row] != 1.0:
            expression = product(num(trace.sample_weight[row]), expression)
        count = (trace.batch if loss.reduction == MEAN else 1) * (len(p) if layer.function.kind == "sigmoid" else 1)
        expression = quotient(expression, num(count)) if count > 1 else expression
        value = float(trace.layers[place].dz[row, k])  # type: ignore[index]
        if not math.isclose(expression.value, value, rel_tol=1e-6):
            return None  # clipped
        return Statement(
            slope_by(symbol_of("z", k)),
            value,
            expression,
            None if count > 1 else Symbol(f"p{subscript(k)} − y{subscript(k)}", f"p_{{{k}}} - y_{{{k}}}"),
        )

    # Quantities by row

    def quantity(self, place: int, what: str, row: int, k: int) -> tuple[str, tuple[Line, ...]]:
        layer = self.trace.layers[place]
        match what:
            case "input" if place == 0:
                return f"input {k}, as given", (Statement(symbol_of("x", k), float(layer.input[row, k])),)
            case "input":
                previous = self.trace.layers[place - 1].name
                return f"input {k}, the output of {previous}", self.forward(place - 1, row, k)
            case "z":
                return f"what unit {k} adds up", (self.z(place, row, k),)
            case "a":
                return f"the output of unit {k}", self.forward(place, row, k)
            case "normal":
                return f"column {k}, normalised", (self.normal(place, row, k),)
            case "scale" | "noise":
                value = float(layer.values[what][row, k])
                return f"the {what} of unit {k}, drawn for step {self.trace.iteration}", (
                    Statement(symbol_of(what, k), value),
                )
            case "da":
                lines = [self.da(place, row, k), *self.onward(place, row, [k])]
                return f"the blame that reaches the output of unit {k}", tuple(lines)
            case "dinput":
                lines = [self.dinput(place, row, k), *self._from_inside(place, row, k)]
                return f"the blame passed on to input {k}", tuple(lines)
        lines = [*self.dz(place, row, k), self.da(place, row, k), *self.onward(place, row, [k])]
        return f"the blame that reaches the sum of unit {k}", tuple(lines)

    def forward(self, place: int, row: int, k: int) -> tuple[Line, ...]:
        layer = self.trace.layers[place]
        before: list[Line] = []
        if layer.z is not None:
            before = [self.z(place, row, k)]
        elif "normal" in layer.values:
            before = [self.normal(place, row, k)]
        return (*before, self.a(place, row, k))

    def _from_inside(self, place: int, row: int, j: int) -> Iterator[Line]:
        layer = self.trace.layers[place]
        if layer.W is not None and layer.dz is not None:
            parts = np.abs(layer.dz[row] * layer.W[j])
            units = sorted(int(k) for k in np.argsort(-parts, kind="stable")[:FOLLOWED])
            yield from self._of_units(place, row, units)
        else:
            yield self.da(place, row, j)
            yield from self.onward(place, row, [j])

    def _of_units(self, place: int, row: int, units: list[int]) -> Iterator[Line]:
        """Trace the blame of some units of a layer with an activation on to the loss."""
        count = self.trace.layers[place].units
        yield self.heading(place, row, f" {len(units)} of {count} units" if len(units) < count else "")
        for k in units:
            yield from self.dz(place, row, k)
            yield self.da(place, row, k)
        yield from self.onward(place, row, units)

    def onward(self, place: int, row: int, units: list[int]) -> Iterator[Line]:
        """Trace the blame for outputs of a layer through the layers that come next, to the loss."""
        following = place + 1
        if following == len(self.trace.layers):
            yield self.row_loss(row)
            return
        layer = self.trace.layers[following]
        if layer.W is not None and layer.dz is not None:
            parts = np.abs(layer.W[units] * layer.dz[row]).sum(axis=0)
            chosen = sorted(int(k) for k in np.argsort(-parts, kind="stable")[:FOLLOWED])
            yield from self._of_units(following, row, chosen)
            return
        yield self.heading(following, row)
        for k in units:
            yield self.da(following, row, k)
        yield from self.onward(following, row, units)

    # Weights

    def weight_value(self, place: int, name: str, index: tuple[int, ...]) -> float:
        layer = self.trace.layers[place]
        return float(layer.gradients[name][index] if name in layer.gradients else layer.weights[name][index])

    def weight(self, place: int, name: str, index: tuple[int, ...]) -> tuple[str, tuple[Line, ...]]:
        """Return the chain rule of one weight: its gradient, the blame behind it, and its update."""
        layer, symbol = self.trace.layers[place], weight_symbol(name, index)
        w = Statement(symbol, float(layer.weights[name][index]))
        if name not in layer.gradients:
            return "a moving statistic, which follows no gradient", (
                w,
                *steps.of_weight(self.trace, layer, name, index, symbol),
            )
        lines: list[Line] = [w, *self._gradient(place, name, index, slope_by(symbol))]
        unit = index[-1]
        blame = layer.da if layer.dz is None else layer.dz
        amounts = np.abs(blame[:, unit] * (layer.input[:, index[0]] if name == "kernel" else 1.0))
        row = int(amounts.argmax())
        which = f" unit {unit}" + (", the row that adds most" if self.trace.rows > 1 else "")
        lines.append(self.heading(place, row, which))
        if layer.dz is not None:
            lines += self.dz(place, row, unit)
        lines += [
            self.da(place, row, unit),
            *self.onward(place, row, [unit]),
            *steps.of_weight(self.trace, layer, name, index, symbol),
        ]
        return "the chain rule, from this weight to the loss", tuple(lines)

    def _gradient(self, place: int, name: str, index: tuple[int, ...], left: Symbol) -> Iterator[Line]:
        layer, unit = self.trace.layers[place], index[-1]
        value = float(layer.gradients[name][index])
        if name in ("kernel", "bias"):
            assert layer.dz is not None
            blame, way = layer.dz[:, unit], slope_by(symbol_of("z", unit))
        else:
            blame, way = layer.da[:, unit], slope_by(symbol_of("a", unit))
        terms, with_symbol = [num(d) for d in blame], None
        if name in ("kernel", "gamma"):
            column = layer.input[:, index[0]] if name == "kernel" else layer.values["normal"][:, unit]
            with_symbol = symbol_of("x", index[0]) if name == "kernel" else symbol_of("x̂", unit)
            terms = [product(num(d), num(x)) for d, x in zip(blame, column, strict=True)]
        text, latex = way.text, way.latex
        if with_symbol is not None:
            text, latex = f"{text}·{with_symbol.text}", rf"{latex} \cdot {with_symbol.latex}"
        if self.trace.rows > 1:
            text, latex = f"Σ over rows {text}", rf"\sum_{{\text{{rows}}}} {latex}"
        expression, penalty = total(terms), layer.penalties.get(name)
        if penalty is not None:
            w = float(layer.weights[name][index])
            text, latex = f"{text} + ∂penalty", rf"{latex} + \partial\,\text{{penalty}}"
            expression = _plus(expression, _penalty_slope(penalty.l1, penalty.l2, w))
        yield Statement(left, value, expression, Symbol(text, latex))


def _plus(a: Expression, b: Expression) -> Expression:
    """Return a + b, without eliding what a holds."""
    return total([a, b], elide=False)


def _minus(a: Expression, b: Expression) -> Expression:
    return difference(a, b)


def _penalty_slope(l1: float, l2: float, w: float) -> Expression:
    parts = [num(l1 * float(np.sign(w)))] if l1 else []
    parts += [product(num(2.0), num(l2), num(w))] if l2 else []
    return total(parts) if parts else num(0.0)
