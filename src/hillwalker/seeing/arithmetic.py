"""Small expressions that know their text, their LaTeX and their value, with as many digits as make the text true.

A statement prints `left = expression = number`: whoever types the expression into a calculator gets the number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

RESULT_DIGITS = 4  # significant digits of what comes out
MOST_DIGITS = 17  # with these a float64 is itself
SUM, PRODUCT, ATOM = 0, 1, 2  # how tightly an expression binds
SHOWN = 5  # terms of a long sum


def number(value: float, digits: int = RESULT_DIGITS) -> str:
    """Return a number with so many significant digits, without needless zeros.

    >>> number(0.37750001), number(-1234.5678), number(1.5e-9)
    ('0.3775', '−1235', '1.5e−9')
    """
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else f"{value}".replace("-", "−")
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    power = int(exponent)
    if -5 < power < 7:
        text = f"{float(f'{value:.{digits - 1}e}'):.{max(0, digits - 1 - power)}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        text = f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{power}"
    return text.replace("-", "−")


def read(text: str) -> float:
    """Return the number that `number` wrote."""
    return float(text.replace("−", "-"))


def subscript(index: object) -> str:
    """Return an index as text below the line.

    >>> subscript(12)
    '₁₂'
    """
    return str(index).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


@dataclass(frozen=True)
class Symbol:
    """A name, as text and as LaTeX."""

    text: str
    latex: str


@dataclass(frozen=True)
class Expression:
    """An expression: `write(digits, latex)` is its text, `compute(digits)` its value from the numbers printed."""

    write: Callable[[int, bool], str]
    compute: Callable[[int], float]
    binds: int = ATOM
    is_number: bool = False

    def within(self, digits: int, latex: bool, binding: int) -> str:
        """Return its text inside of something that binds this tightly, in brackets where it needs them."""
        text = self.write(digits, latex)
        loose = self.binds < binding or text.startswith(("−", "-"))
        return (rf"\left({text}\right)" if latex else f"({text})") if loose else text

    @property
    def value(self) -> float:
        """The value, unrounded."""
        return self.compute(MOST_DIGITS)


def num(value: float) -> Expression:
    """Return a number."""
    value = float(value)

    def write(digits: int, latex: bool) -> str:
        text = number(value, digits)
        if not latex:
            return text
        text = text.replace("−", "-")
        mantissa, _, power = text.partition("e")
        return rf"{mantissa} \cdot 10^{{{power}}}" if power else text

    return Expression(write, lambda digits: read(number(value, digits)), is_number=True)


def total(terms: Sequence[Expression], elide: bool = True) -> Expression:
    """Return a sum; of a long one the largest terms are shown, and what the others sum to."""
    if len(terms) == 1:
        return terms[0]
    shown, rest = list(terms), 0.0
    count = len(terms) - SHOWN
    if elide and count > 1:
        values = [term.value for term in terms]
        largest = set(sorted(range(len(terms)), key=lambda place: -abs(values[place]))[:SHOWN])
        shown = [terms[place] for place in sorted(largest)]
        rest = math.fsum(value for place, value in enumerate(values) if place not in largest)

    def write(digits: int, latex: bool) -> str:
        text = shown[0].write(digits, latex)
        for term in shown[1:]:
            part = term.write(digits, latex)
            sign = part[0] if part[0] in "−-" else ""
            text += f" {sign or '+'} {part[1:] if sign else part}"
        if len(shown) < len(terms):
            left = num(rest).write(digits, latex)
            text += (
                rf" + \underbrace{{{left}}}_{{{count}\text{{ more}}}}" if latex else f" + ({count} more terms: {left})"
            )
        return text

    def compute(digits: int) -> float:
        return math.fsum([term.compute(digits) for term in shown]) + (num(rest).compute(digits) if rest else 0.0)

    return Expression(write, compute, SUM)


def product(*factors: Expression) -> Expression:
    """Return a product."""
    if len(factors) == 1:
        return factors[0]

    def write(digits: int, latex: bool) -> str:
        first = factors[0].write(digits, latex)
        first = factors[0].within(digits, latex, PRODUCT) if factors[0].binds < PRODUCT else first
        others = [factor.within(digits, latex, PRODUCT) for factor in factors[1:]]
        return (r" \cdot " if latex else "·").join([first, *others])

    return Expression(write, lambda digits: math.prod(factor.compute(digits) for factor in factors), PRODUCT)


def quotient(above: Expression, below: Expression) -> Expression:
    """Return a quotient."""

    def write(digits: int, latex: bool) -> str:
        if latex:
            return rf"\frac{{{above.write(digits, latex)}}}{{{below.write(digits, latex)}}}"
        first = above.write(digits, latex) if above.binds >= PRODUCT else f"({above.write(digits, latex)})"
        return f"{first}/{below.within(digits, latex, ATOM)}"

    def compute(digits: int) -> float:
        divisor = below.compute(digits)
        return above.compute(digits) / divisor if divisor else math.nan

    return Expression(write, compute, PRODUCT)


def difference(a: Expression, b: Expression) -> Expression:
    """Return a − b."""

    def write(digits: int, latex: bool) -> str:
        return f"{a.write(digits, latex)} {'-' if latex else '−'} {b.within(digits, latex, PRODUCT)}"

    return Expression(write, lambda digits: a.compute(digits) - b.compute(digits), SUM)


def negative(a: Expression) -> Expression:
    """Return −a."""
    return Expression(
        lambda digits, latex: f"{'-' if latex else '−'}{a.within(digits, latex, PRODUCT)}",
        lambda digits: -a.compute(digits),
        PRODUCT,
    )


def square(a: Expression) -> Expression:
    """Return a²."""
    return Expression(
        lambda digits, latex: a.within(digits, latex, ATOM) + ("^2" if latex else "²"),
        lambda digits: a.compute(digits) ** 2,
    )


def exponential(a: Expression) -> Expression:
    """Return e to the power of a."""

    def write(digits: int, latex: bool) -> str:
        text = a.write(digits, latex)
        if latex:
            return f"e^{{{text}}}"
        return f"e^{text}" if a.is_number else f"e^({text})"

    def compute(digits: int) -> float:
        try:
            return math.exp(a.compute(digits))
        except OverflowError:
            return math.inf

    return Expression(write, compute)


def absolute(a: Expression) -> Expression:
    """Return |a|."""
    return Expression(lambda digits, latex: f"|{a.write(digits, latex)}|", lambda digits: abs(a.compute(digits)))


def root(a: Expression) -> Expression:
    """Return √a."""
    return Expression(
        lambda digits, latex: rf"\sqrt{{{a.write(digits, latex)}}}" if latex else f"√({a.write(digits, latex)})",
        lambda digits: math.sqrt(max(a.compute(digits), 0.0)),
    )


def function(name: str, compute: Callable[..., float], *arguments: Expression) -> Expression:
    """Return a function by its name, of its arguments."""

    def write(digits: int, latex: bool) -> str:
        inside = ", ".join(argument.write(digits, latex) for argument in arguments)
        if not latex:
            return f"{name}({inside})"
        named = name.replace("′", "").replace("_", r"\_")
        prime = "'" if "′" in name else ""
        return rf"\operatorname{{{named}}}{prime}\left({inside}\right)"

    def computed(digits: int) -> float:
        try:
            return float(compute(*(argument.compute(digits) for argument in arguments)))
        except (ValueError, OverflowError):
            return math.nan

    return Expression(write, computed)


def logarithm(a: Expression) -> Expression:
    """Return ln(a)."""
    return function("ln", math.log, a)


@dataclass(frozen=True)
class Statement:
    """`left = symbols = expression = number`, where symbols and expression may be missing."""

    left: Symbol
    value: float
    expression: Expression | None = None
    symbols: Symbol | None = None

    @property
    def digits(self) -> int:
        """The fewest significant digits with which the printed expression has the printed value."""
        if self.expression is None:
            return RESULT_DIGITS
        wanted = number(self.value)
        for digits in range(RESULT_DIGITS, MOST_DIGITS):
            if number(self.expression.compute(digits)) == wanted:
                return digits
        return MOST_DIGITS

    @property
    def parts(self) -> list[str]:
        """What stands between the equal signs, as text."""
        expression = "" if self.expression is None else self.expression.write(self.digits, False)
        parts = [self.left.text, "" if self.symbols is None else self.symbols.text, expression]
        value = number(self.value)
        return [part for part in parts if part and part != value] + [value]

    @property
    def text(self) -> str:
        """The statement on one line."""
        return " = ".join(self.parts)

    @property
    def latex(self) -> str:
        """The statement as a row of an `aligned` environment."""
        expression = "" if self.expression is None else self.expression.write(self.digits, True)
        value = num(self.value).write(RESULT_DIGITS, True)
        parts = ["" if self.symbols is None else self.symbols.latex, expression]
        return f"{self.left.latex} &= " + " = ".join([part for part in parts if part and part != value] + [value])
