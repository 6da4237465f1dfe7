"""Functions written with plain NumPy: derivatives against differences, and every way to fail."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

from hillwalker.differentiate import check_gradient, value_and_pull_back
from hillwalker.errors import InputError, InputTypeError

RANDOM = np.random.default_rng(0)
Y = RANDOM.normal(size=(5, 3))
P = RANDOM.uniform(0.1, 0.9, size=(5, 3))

WORKING = {
    "np.mean": lambda y, p: np.mean(np.square(y - p)),
    "np.mean by keyword": lambda y, p: np.mean(a=p * y, axis=0),
    "np.sum with axis": lambda y, p: np.sum(np.abs(y - p), axis=1),
    "np.sum with keepdims": lambda y, p: p / np.sum(p, axis=-1, keepdims=True),
    "np.where": lambda y, p: np.where(y > p, 2 * (y - p) ** 2, (y - p) ** 2),
    "np.maximum": lambda y, p: np.maximum(0.7 * (y - p), -0.3 * (y - p)),
    "np.minimum": lambda y, p: np.minimum(np.maximum(p, 0.2), 0.8),
    "np.clip": lambda y, p: y * np.log(np.clip(p, 0.2, 0.8)),
    "np.log": lambda y, p: -np.log(p),
    "np.exp": lambda y, p: np.expm1(p) + np.log1p(p) + np.exp(-p) + np.sqrt(p),
    "np.logaddexp": lambda y, p: np.logaddexp(0, p),
    "np.linalg.norm": lambda y, p: np.linalg.norm(y - p, axis=1),
    "np.std": lambda y, p: np.std(p, axis=1) + np.var(p),
    "np.max": lambda y, p: np.max(p, axis=1) - np.min(p),
    "np.dot": lambda y, p: np.dot(p, y.T),
    "np.einsum": lambda y, p: np.einsum("ij,ij->i", p, y),
    "np.concatenate": lambda y, p: np.concatenate([p, y * p], axis=1).sum(axis=1),
    "np.stack": lambda y, p: np.stack([p[:, 0], p[:, 1] ** 2], axis=1),
    "np.size and np.shape": lambda y, p: np.sum(p**2) / np.size(p) / np.shape(p)[0],
    "np.isnan": lambda y, p: np.where(np.isnan(p), 0.0, p * p),
    "np.heaviside": lambda y, p: np.heaviside(p - y, 0.5) * (p - y),
    "np.ones_like": lambda y, p: (np.ones_like(p) + np.full_like(p, 2.0)) * p,
    "np.cumsum and np.diff": lambda y, p: np.cumsum(p, axis=1)[:, 1:] * np.diff(p, axis=1),
    "methods": lambda y, p: ((y - p) ** 2).mean(axis=1) + p.sum() + p.T.reshape(-1).max(),
    "slices": lambda y, p: p[:, 0] * y[:, 1] + p[:, -1],
    "a loop over rows": lambda y, p: sum((row * row).sum() for row in p),
    "operators": lambda y, p: p**3 + 2**p + abs(p) - p / (1 + p) + p @ y.T @ y,
}


@pytest.mark.parametrize("name", WORKING)
def test_plain_numpy_is_differentiated(name: str) -> None:
    assert check_gradient(WORKING[name], Y, P) < 1e-6


def test_value_and_derivative_of_a_known_function() -> None:
    value, pull_back = value_and_pull_back(lambda y, p: np.mean((y - p) ** 2, axis=1), Y, P)
    np.testing.assert_array_equal(value, np.mean((Y - P) ** 2, axis=1))
    weights = np.arange(5.0)
    np.testing.assert_allclose(pull_back(weights), weights[:, None] * 2 * (P - Y) / 3)


def test_single_precision_stays_single() -> None:
    p = P.astype(np.float32)
    _, pull_back = value_and_pull_back(lambda p: np.mean(p * np.exp(p)), p)
    assert pull_back(np.float32(1.0)).dtype == np.float32
    np.testing.assert_allclose(pull_back(np.float32(1.0)), (1 + p) * np.exp(p) / p.size, rtol=1e-5)


def assigning(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    p[0] = 0.0
    return p


FAILING = {
    "np.average": (lambda y, p: np.average(p), r"calls np\.average, whose derivative is not known"),
    "a ufunc's method": (lambda y, p: np.add.reduce(p), r"calls np\.add\.reduce"),
    "a ufunc without derivative": (lambda y, p: np.nextafter(p, y), r"calls np\.nextafter"),
    "float": (lambda y, p: float(p[0, 0]), r"Python number .* np\.mean\(y_pred\) for float\(y_pred\)"),
    "math.exp": (lambda y, p: math.exp(p[0, 0]), "Python number"),
    "np.asarray": (lambda y, p: np.asarray(p) ** 2, "new array"),
    "np.array": (lambda y, p: np.array([p[:, 0], p[:, 1]]), "new array"),
    "np.vectorize": (lambda y, p: np.vectorize(lambda v: v * 2)(p), "new array"),
    "assignment": (assigning, "assigns into"),
    "a method unknown to autograd": (lambda y, p: p.item(0), "item"),
    "y_pred unused": (lambda y, p: np.mean(y), "does not depend on"),
}


@pytest.mark.parametrize("name", FAILING)
def test_what_cannot_be_differentiated_is_named(name: str) -> None:
    function, message = FAILING[name]
    for attempt in (value_and_pull_back, check_gradient):
        with pytest.raises(InputError, match=f"(?s)cannot be differentiated: .*{message}"):
            attempt(function, Y, P)


@pytest.mark.parametrize("result", [None, [1.0, 2.0], "text", True, 1j])
def test_a_result_that_is_no_array_is_refused(result: object) -> None:
    for attempt in (value_and_pull_back, check_gradient):
        with pytest.raises(InputTypeError, match="which returned"):
            attempt(lambda y, p: result, Y, P)


def test_nan_is_refused_with_its_row() -> None:
    p = P.copy()
    p[3, 1] = -1.0
    with np.errstate(invalid="ignore"), pytest.raises(InputError, match=r"a value that is NaN .* row 3"):
        check_gradient(lambda y, p: np.sum(np.sqrt(p), axis=1), Y, p)


def test_an_infinite_derivative_is_refused_with_its_row() -> None:
    p = P.copy()
    p[2, 0] = 0.0
    with np.errstate(divide="ignore"), pytest.raises(InputError, match=r"a derivative that is NaN .* row 2"):
        check_gradient(lambda y, p: np.sqrt(p), Y, p)


def test_a_random_function_is_refused() -> None:
    noise = np.random.default_rng(0)
    with pytest.raises(InputError, match="two different values"):
        check_gradient(lambda y, p: p * noise.normal(), Y, P)


def test_a_wrong_derivative_is_refused_with_row_and_column() -> None:
    from autograd.extend import defvjp, primitive

    @primitive
    def triple(p: np.ndarray) -> np.ndarray:
        return 3.0 * p

    mistake = np.full((5, 3), 3.0)
    mistake[4, 1] = 3.03
    defvjp(triple, lambda value, p: lambda dv: dv * mistake)
    with pytest.raises(InputError, match=r"'triple'.* relative error 0\.0099, at row 4, column 1"):
        check_gradient(triple, P)


def test_a_kink_agrees_with_either_side() -> None:
    at_kinks = np.array([[0.0, 1.0, -1.0]])
    assert check_gradient(lambda p: np.abs(p) + np.maximum(p, 1.0) + np.clip(p, -1.0, 5.0), at_kinks) < 1e-6


def test_an_edge_of_the_domain_is_asked_from_inside() -> None:
    assert check_gradient(lambda p: np.sqrt(np.maximum(p, 0.0)) + np.log(p), np.array([[1e-9, 1e-3, 1.0]])) < 1e-4


def test_the_users_own_mistake_is_shown_as_it_is() -> None:
    with pytest.raises(ValueError, match="matmul") as caught:
        check_gradient(lambda y, p: y @ p, Y, P)
    assert not isinstance(caught.value, InputError)


def test_autograd_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, hillwalker.activations, hillwalker.losses; sys.exit('autograd' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_missing_autograd_names_its_install_line() -> None:
    code = (
        "import sys; sys.modules['autograd'] = None\n"
        "import numpy as np\n"
        "from hillwalker.differentiate import value_and_pull_back\n"
        "from hillwalker.errors import MissingDependencyError\n"
        "try: value_and_pull_back(np.tanh, np.ones(2))\n"
        "except MissingDependencyError as error: print(error)\n"
    )
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert "pip install 'hillwalker[custom]'" in printed
