"""Derivatives of functions that the user wrote with plain NumPy, by HIPS autograd, and their check by differences.

It will not differentiate what NumPy does not see (SciPy, `float(y_pred)`, assignment into an array): it says so.
Autograd is imported when the first such function is differentiated, never before.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker.errors import InputError, InputTypeError, explain, missing_dependency

FloatArray = NDArray[np.floating[Any]]

TOLERANCE = 1e-4  # the relative error at which a derivative is called wrong

# Their values do not depend on the array's values, or only by jumps: the derivative is zero.
_WITHOUT_SLOPE = (np.full_like, np.empty_like, np.heaviside)
# Autograd writes these, which take a list of arrays, in terms of others.
_OF_LISTS = ("append", "column_stack", "concatenate", "hstack", "stack", "vstack")


class _NotDifferentiable(Exception):
    """What stopped autograd, in words that finish the sentence "the function f ..."."""


def function_name(function: Callable[..., Any]) -> str:
    """Return the name by which a user knows a function.

    >>> function_name(np.mean)
    'mean'
    """
    return getattr(function, "__name__", type(function).__name__)


def qualified(function: Callable[..., Any], name: str) -> dict[str, str]:
    """Return what a file remembers of a user's function: its name and where it was defined, never its code."""
    place = getattr(function, "__qualname__", type(function).__qualname__)
    return {"name": name, "function": f"{getattr(function, '__module__', None) or 'unknown'}.{place}"}


def restored(what: str, config: Any, custom_objects: Mapping[str, Any] | None) -> Any:
    """Return a user's function for what `qualified` wrote, or raise the InputError that says how to pass it."""
    remembered: Mapping[str, Any] = config if isinstance(config, Mapping) else {}
    name, place = str(remembered.get("name")), remembered.get("function")
    if custom_objects and name in custom_objects:
        return custom_objects[name]
    raise InputError(
        explain(
            f"the {what} {name!r}, a function of your own ({place}); files hold its name, never its code.",
            "the function itself.",
            f"load_model(path, custom_objects={{{name!r}: your_function}})",
        )
    )


def value_and_pull_back(
    function: Callable[..., Any], *arguments: FloatArray
) -> tuple[FloatArray, Callable[[FloatArray], FloatArray]]:
    """Return `function(*arguments)` and what carries a derivative back to the last argument x.

    pull_back(dv)[i] = sum over k of dv[k] * d value[k] / d x[i]   (the vector-Jacobian product)

    The function may use operators, slices, methods such as `.mean()`, and the NumPy functions that have a derivative.
    `dv` has the value's shape, the result has x's shape and dtype. Raises InputError if the function cannot be
    differentiated or does not use x. Source: Maclaurin, Duvenaud, Adams, "Autograd", 2015.

    >>> y_true, y_pred = np.array([1.0, 2.0]), np.array([3.0, 3.0])
    >>> value, pull_back = value_and_pull_back(lambda y, p: np.mean((y - p) ** 2), y_true, y_pred)
    >>> float(value), pull_back(np.array(1.0)).tolist()
    (2.5, [2.0, 1.0])
    """
    make_vjp, isbox = _autograd()
    *fixed, x = arguments

    def traced(box: Any) -> Any:
        result = function(*fixed, box)
        if not isbox(result):
            _as_value(function, result)
            raise _NotDifferentiable("returned a value that does not depend on its last argument")
        return result

    try:
        pull_back, value = make_vjp(traced, x)
    except (InputError, InputTypeError):
        raise
    except _NotDifferentiable as error:
        raise _cannot(function, str(error)) from None
    except Exception as error:
        raise _cannot(function, f"stopped with {type(error).__name__}: {error}") from error

    def pull(dvalue: FloatArray) -> FloatArray:
        return np.asarray(pull_back(np.asarray(dvalue, dtype=np.result_type(value))), dtype=x.dtype)

    return np.asarray(value), pull


def check_gradient(function: Callable[..., Any], *arguments: FloatArray, elements: int = 64) -> float:
    """Compare the derivative of `function` by its last argument with central differences; return the worst error.

    error = |analytic - numeric| / max(|analytic|, |numeric|), at up to `elements` elements of the last argument, in
    float64; at a kink anything between the slopes on its two sides agrees. Raises InputError if an error is above
    1e-4, if a value or derivative is not finite, or if the function cannot be differentiated.

    >>> check_gradient(lambda z: z * np.tanh(z), np.array([[-1.0, 0.5]])) < 1e-6
    True
    """
    *fixed, last = (np.asarray(argument, dtype=np.float64) for argument in arguments)
    name = function_name(function)
    value = _as_value(function, function(*fixed, last.copy()))
    _refuse_non_finite(name, "a value", value)
    traced_value, pull_back = value_and_pull_back(function, *fixed, last)
    if not np.allclose(traced_value, value, rtol=1e-9, atol=0.0):
        raise InputError(
            explain(
                f"the function {name!r}, which returned two different values for the same arguments.",
                "a function of its arguments alone: no random numbers, no counters.",
            )
        )
    weights = np.random.default_rng(0).uniform(0.5, 1.5, value.shape)  # uneven, so that a mixed-up element shows
    analytic = pull_back(weights)
    _refuse_non_finite(name, "a derivative", analytic)

    flat = np.unique(np.linspace(0, last.size - 1, min(elements, last.size)).astype(int))
    worst, worst_at = 0.0, (0.0, 0.0, 0)
    for index in flat:
        found = float(analytic.flat[index])
        error, numeric = _error_at(lambda x: weights * np.asarray(function(*fixed, x)), last, int(index), found)
        if error > worst:
            worst, worst_at = error, (found, numeric, int(index))
    if worst > TOLERANCE:
        position = tuple(int(i) for i in np.unravel_index(worst_at[2], last.shape))
        where = ", ".join(f"{word} {i}" for word, i in zip(("row", "column"), position, strict=False))
        raise InputError(
            explain(
                f"the function {name!r}, whose derivative is {worst_at[0]:.6g} and should be {worst_at[1]:.6g} "
                f"by central differences (worst relative error {worst:.3g}, at {where}).",
                "a function whose derivative agrees with central differences to 1e-4.",
                "write it with NumPy functions of the arguments alone, without random numbers or jumps",
            )
        )
    return worst


def _error_at(
    weighted: Callable[[FloatArray], FloatArray], x: FloatArray, index: int, analytic: float
) -> tuple[float, float]:
    """Return the relative error of one derivative, and the central difference it was compared with."""
    at = float(x.flat[index])
    step = float(np.cbrt(np.finfo(np.float64).eps)) * (abs(at) if abs(at) > 1e-300 else 1.0)

    def moved(distance: float) -> FloatArray:
        copy = x.copy()
        copy.flat[index] = at + distance
        return weighted(copy)

    with np.errstate(all="ignore"):  # a step may leave the function's domain; that side is then not asked
        middle, right, left = moved(0.0), moved(step), moved(-step)
        slopes = [float(np.sum(right - middle)) / step, float(np.sum(middle - left)) / step]
        central = float(np.sum(right - left)) / (2 * step)
    slopes = [slope for slope in slopes if np.isfinite(slope)]
    if not slopes:
        return 0.0, analytic
    numeric = central if np.isfinite(central) else slopes[0]
    scale = max(abs(analytic), abs(numeric))
    distance = abs(analytic - numeric)
    if distance > TOLERANCE * scale:  # a kink, or differences lost in rounding?
        rounding = 8 * np.finfo(np.float64).eps * float(np.sum(np.abs(middle))) / step
        distance = max(min(slopes) - analytic - rounding, analytic - max(slopes) - rounding, 0.0)
    return distance / scale if scale > 0 else 0.0, numeric


def _as_value(function: Callable[..., Any], result: Any) -> FloatArray:
    """Return what the user's function returned as a float array, or refuse it."""
    if not isinstance(result, (np.ndarray, np.generic, float, int)) or np.asarray(result).dtype.kind not in "fiu":
        raise InputTypeError(
            explain(
                f"the function {function_name(function)!r}, which returned {type(result).__name__}.",
                "a NumPy array or a number.",
                "return np.mean(np.square(y_true - y_pred), axis=-1)",
            )
        )
    return np.asarray(result, dtype=np.float64)


def _refuse_non_finite(name: str, what: str, values: FloatArray) -> None:
    bad = np.argwhere(~np.isfinite(np.atleast_1d(values)))
    if len(bad):
        where = "" if np.ndim(values) == 0 else f" The first is in row {int(bad[0][0])}."
        raise InputError(
            explain(
                f"the function {name!r}, which gave {what} that is NaN or infinite ({len(bad)} in all).{where}",
                "finite numbers on the first batch.",
                "keep arguments of np.log, np.sqrt and of divisions away from zero: np.log(np.maximum(y_pred, 1e-7))",
            )
        )


def _cannot(function: Callable[..., Any], reason: str) -> InputError:
    return InputError(
        explain(
            f"the function {function_name(function)!r}, which cannot be differentiated: it {reason}.",
            "operators, slices, and NumPy functions that have a derivative (np.mean, np.sum, np.where, np.abs, np.exp, "
            "np.log, np.maximum, np.clip, ...), applied to the argument itself.",
            "replace that by such functions: np.mean(y_pred) for float(y_pred), np.where for `if` and for assignment",
        )
    )


@functools.cache
def _autograd() -> tuple[Callable[..., Any], Callable[[Any], bool]]:
    """Teach autograd's box the plain `np.` functions; return autograd's make_vjp and isbox.

    Autograd's own box follows ufuncs (np.exp) but not the other functions (np.where, np.sum). The box here is
    registered in its place and does all that it does.
    """
    try:
        import autograd.numpy as autograd_numpy
        from autograd.core import VJPNode, make_vjp, primitive_vjps
        from autograd.numpy.numpy_boxes import ArrayBox
        from autograd.tracer import Box, isbox, notrace_primitives, trace_primitives_map
    except ImportError as error:
        raise missing_dependency("autograd", "a loss or activation of your own", "custom") from error

    def bare(value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return type(value)(bare(item) for item in value)
        return bare(value._value) if isbox(value) else value

    def apply(function: Any, arguments: Any, keywords: dict[str, Any], **dispatch: Any) -> Any:
        if any(isbox(value) for value in keywords.values()):  # autograd follows positional arguments only
            bound = inspect.signature(function).bind(*arguments, **keywords)
            arguments, keywords = bound.args, bound.kwargs
        traced = trace_primitives_map.get(function)
        if traced in primitive_vjps or traced in notrace_primitives[VJPNode]:
            return traced(*arguments, **keywords, **dispatch)
        if getattr(function, "__name__", "") in _OF_LISTS:
            return getattr(autograd_numpy, function.__name__)(*arguments, **keywords)
        result = function(*bare(arguments), **{name: bare(value) for name, value in keywords.items()})
        if function in _WITHOUT_SLOPE or np.asarray(result).dtype.kind not in "fc":
            return result
        prefix = "np." if getattr(np, function.__name__, None) is function else ""
        raise _NotDifferentiable(f"calls {prefix}{function.__name__}, whose derivative is not known")

    class NumpyBox(ArrayBox):  # type: ignore[misc]
        """A value on autograd's tape that plain NumPy functions accept."""

        __slots__ = ()

        def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
            if method != "__call__":
                raise _NotDifferentiable(f"calls np.{ufunc.__name__}.{method}, whose derivative is not known")
            return apply(ufunc, inputs, keywords, called_by_autograd_dispatcher=True)

        def __array_function__(self, function: Any, types: Any, arguments: Any, keywords: dict[str, Any]) -> Any:
            return apply(function, arguments, keywords)

        def __array__(self, *arguments: Any, **keywords: Any) -> Any:
            raise _NotDifferentiable("makes a new array of the argument (np.array, or a function outside NumPy)")

        def __float__(self) -> float:
            raise _NotDifferentiable("makes a Python number of the argument (float(...) or a function of `math`)")

        __int__ = __float__

        def __setitem__(self, index: Any, value: Any) -> None:
            raise _NotDifferentiable("assigns into the argument")

    for value_type in [kind for kind, box in Box.type_mappings.items() if box is ArrayBox]:
        NumpyBox.register(value_type)
    return make_vjp, isbox
