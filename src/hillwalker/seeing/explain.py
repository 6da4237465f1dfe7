"""One number of a trace, spelled out: its formula with the numbers in place, and the way of blame back to the loss.

Every `left = expression = number` can be checked with a calculator: as many digits are printed as that takes. Here is
which number is meant; what is said of it is in `statements.py`.
"""

from __future__ import annotations

import math
import re
import textwrap
from dataclasses import dataclass
from typing import Any

from hillwalker.errors import InputError, InputTypeError, explain, nearest
from hillwalker.seeing.arithmetic import Statement
from hillwalker.seeing.statements import Line, Speaker
from hillwalker.seeing.trace import Trace

WIDTH = 100  # columns of a terminal; longer statements take several lines


@dataclass(frozen=True, repr=False)
class Explanation:
    """One number spelled out.

    `address` says which; `value` is the number; `lines` are the statements and headings as text, one each; `latex` the
    statements as an `aligned` environment, which notebooks show.
    """

    address: str
    value: float
    title: str
    statements: tuple[Line, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """Headings, and statements on one line each."""
        return tuple(line if isinstance(line, str) else line.text for line in self.statements)

    @property
    def text(self) -> str:
        """The whole as text for a terminal."""
        lines = [f"{self.address}: {self.title}"]
        for line in self.statements:
            lines += [f"  {line}"] if isinstance(line, str) else _wrapped(line)
        return "\n".join(lines)

    @property
    def latex(self) -> str:
        """The whole as LaTeX, for mathematics mode."""
        rows = [rf"&\text{{{_plain(line)}}}" if isinstance(line, str) else line.latex for line in self.statements]
        return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {"address": self.address, "value": self.value, "lines": list(self.lines), "latex": self.latex}

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex}$"

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


def _wrapped(statement: Statement) -> list[str]:
    """Return a statement as lines that fit: one, or one for each equal sign, broken between terms where need be."""
    parts, indent = statement.parts, "  "
    if len(statement.text) + len(indent) <= WIDTH or len(parts) < 3:
        return [indent + statement.text]
    hang = indent + " " * len(parts[0]) + " = "
    lines = [f"{indent}{parts[0]} = {parts[1]}", *(f"{hang}{part}" for part in parts[2:])]
    wrapper = textwrap.TextWrapper(
        WIDTH, subsequent_indent=" " * len(hang), break_long_words=False, break_on_hyphens=False
    )
    return [part for line in lines for part in wrapper.wrap(line)]


def _plain(text: str) -> str:
    """Return a heading as LaTeX can set it within text."""
    marks = {"_": r"\_", "∂": r"$\partial$", "Σ": r"$\Sigma$", "≠": r"$\neq$", "·": r"$\cdot$", "−": "-", "%": r"\%"}
    text = "".join(marks.get(letter, letter) for letter in text)
    return re.sub(
        "[₀-₉]+", lambda found: f"$_{{{found[0].translate(str.maketrans('₀₁₂₃₄₅₆₇₈₉', '0123456789'))}}}$", text
    )


# Addresses

_ADDRESS = re.compile(r"(?P<what>[A-Za-z_]+)(?:\[(?P<index>[^\]]*)\])?")
_ALIASES = {"W": "kernel", "b": "bias", "dW": "kernel", "db": "bias", "dkernel": "kernel", "dbias": "bias",
            "dgamma": "gamma", "dbeta": "beta", "x": "input", "dx": "dinput"}  # fmt: skip
_WHOLE = ("loss", "prediction", "dprediction", "input", "dinput")
_BY_ROW = ("input", "z", "a", "da", "dz", "dinput", "scale", "noise", "normal")
_BY_UNIT = ("mean", "variance")


def explained(trace: Trace, address: str) -> Explanation:
    """Return the explanation of an address (see `Trace.explain`)."""
    if not isinstance(address, str):
        raise InputTypeError(explain(f"address {address!r}.", "text.", 'trace.explain("loss")'))
    wanted = address.strip()
    place, rest = _layer_of(trace, wanted)
    found = _ADDRESS.fullmatch(rest)
    if found is None:
        raise _unknown(trace, address)
    what, index = _ALIASES.get(found["what"], found["what"]), _index(address, found["index"])
    speaker = Speaker(trace)
    if place is None:
        if what not in _WHOLE:
            raise _unknown(trace, address)
        return _of_the_whole(speaker, address, what, index)
    layer = trace.layers[place]
    if what in layer.weights:
        if len(index) != layer.weights[what].ndim:
            raise _wrong_index(trace, address, layer.weights[what].shape, what)
        index = _inside(trace, address, index, layer.weights[what].shape, what)
        return Explanation(address, speaker.weight_value(place, what, index), *speaker.weight(place, what, index))
    array = layer.quantities.get(what)
    if array is None or what not in (*_BY_ROW, *_BY_UNIT):
        raise _unknown(trace, address)
    if what in _BY_UNIT:
        index = _inside(trace, address, index, array.shape, what)
        return Explanation(address, float(array[index]), *speaker.statistic(place, what, index[0]))
    index = _inside(trace, address, index, array.shape, what)
    return Explanation(address, float(array[index]), *speaker.quantity(place, what, *index))


def _of_the_whole(speaker: Speaker, address: str, what: str, index: tuple[int, ...]) -> Explanation:
    trace, last = speaker.trace, len(speaker.trace.layers) - 1
    if what == "loss":
        if not index:
            return Explanation(address, trace.loss, "the loss of the batch", tuple(speaker.loss()))
        index = _inside(trace, address, index, (trace.rows,), what)
        return Explanation(address, float(trace.row_losses[index]), "the loss of a row", (speaker.row_loss(index[0]),))
    place, name = {
        "prediction": (last, "a"),
        "dprediction": (last, "da"),
        "input": (0, "input"),
        "dinput": (0, "dinput"),
    }[what]
    array = trace.layers[place].quantities[name]
    index = _inside(trace, address, index, array.shape, what)
    return Explanation(address, float(array[index]), *speaker.quantity(place, name, *index))


def _layer_of(trace: Trace, address: str) -> tuple[int | None, str]:
    """Return the number of the layer that an address begins with, and the rest; None without one."""
    numbered = re.match(r"layers\[(-?\d+)\]\.", address)
    if numbered:
        number = int(numbered[1])
        if not -len(trace.layers) <= number < len(trace.layers):
            raise _unknown(trace, address)
        return number % len(trace.layers), address[numbered.end() :]
    named = [place for place, layer in enumerate(trace.layers) if address.startswith(f"{layer.name}.")]
    if not named:
        return None, address
    place = max(named, key=lambda each: len(trace.layers[each].name))
    return place, address[len(trace.layers[place].name) + 1 :]


def _index(address: str, text: str | None) -> tuple[int, ...]:
    try:
        return () if text is None else tuple(int(part) for part in text.split(","))
    except ValueError:
        expected = "whole numbers between the brackets, counted from 0."
        raise InputError(explain(f"the address {address!r}.", expected, 'trace.explain("dense.z[0,1]")')) from None


def _inside(trace: Trace, address: str, index: tuple[int, ...], shape: tuple[int, ...], what: str) -> tuple[int, ...]:
    """Return an index that fits the shape; the row may be left out where there is one."""
    if len(index) == len(shape) - 1 and shape[0] == 1 and trace.rows == 1 and what not in ("kernel", "bias"):
        index = (0, *index)
    if not index and math.prod(shape) == 1:
        index = (0,) * len(shape)
    if len(index) != len(shape) or any(not -size <= part < size for part, size in zip(index, shape, strict=True)):
        raise _wrong_index(trace, address, shape, what)
    return tuple(part % size for part, size in zip(index, shape, strict=True))


def _wrong_index(trace: Trace, address: str, shape: tuple[int, ...], what: str) -> InputError:
    names = {"kernel": ["input", "unit"], "loss": ["row"]}.get(what, ["row", "unit"] if len(shape) == 2 else ["unit"])
    ranges = ", ".join(f"{name} 0 to {size - 1}" for name, size in zip(names, shape, strict=True))
    stem = address.split("[")[0] if not address.startswith("layers[") else address.partition(".")[0] + "." + what
    fix = f'trace.explain("{stem}[{",".join("0" * len(shape))}]")'
    return InputError(explain(f"the address {address!r}.", f"{stem}[{','.join(names)}] with {ranges}.", fix))


def _unknown(trace: Trace, address: str) -> InputError:
    there = [*_WHOLE]
    for layer in trace.layers:
        named = [*layer.weights, *(name for name in (*_BY_ROW, *_BY_UNIT) if name in layer.quantities)]
        there += [f"{layer.name}.{name}" for name in named]
    near = nearest(str(address).split("[")[0], there)
    shown = there if len(there) <= 60 else [*there[:59], "..."]
    fix = f'trace.explain("{near}")' if near else 'trace.explain("loss")'
    return InputError(explain(f"the address {address!r}.", f"one of {', '.join(shown)}, with [row,unit].", fix))
