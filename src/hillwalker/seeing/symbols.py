"""What numbers are called in explanations, as text and as LaTeX: z₁, W[0,1], ∂L/∂z₁.

No numbers here.
"""

from __future__ import annotations

from hillwalker.seeing.arithmetic import Symbol, subscript


def symbol_of(name: str, *index: int) -> Symbol:
    """Return z₁, or W[0,1].

    >>> symbol_of("z", 1)
    Symbol(text='z₁', latex='z_{1}')
    """
    if len(index) == 1:
        return Symbol(name + subscript(index[0]), f"{_greek(name)}_{{{index[0]}}}")
    inside = ",".join(map(str, index))
    return Symbol(f"{name}[{inside}]", f"{_greek(name)}_{{{inside}}}")


def _greek(name: str) -> str:
    return {"γ": r"\gamma", "β": r"\beta", "μ": r"\mu", "σ²": r"\sigma^2", "x̂": r"\hat{x}"}.get(name, name)


def slope_by(symbol: Symbol) -> Symbol:
    """Return ∂L/∂ of a symbol."""
    return Symbol(f"∂L/∂{symbol.text}", rf"\frac{{\partial L}}{{\partial {symbol.latex}}}")


LETTERS = {"kernel": "W", "bias": "b", "gamma": "γ", "beta": "β"}


def weight_symbol(name: str, index: tuple[int, ...]) -> Symbol:
    """Return W[0,1] of a kernel, b₁ of a bias."""
    return symbol_of(LETTERS.get(name, name), *index)
