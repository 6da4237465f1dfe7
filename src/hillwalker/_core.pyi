"""The compiled core (core/bindings.cpp). Only engine.py imports it; its docstrings say what the calls mean."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

class _Network:
    def __init__(self, input_width: int, output_width: int, target_columns: int, seed: int) -> None: ...
    def add_dense(
        self, inputs: int, units: int, kernel: int, bias: int, kind: str, numbers: Sequence[float], trainable: bool, /
    ) -> None: ...
    def add_activation(self, width: int, kind: str, numbers: Sequence[float], /) -> None: ...
    def add_function(self, width: int, value: Callable[..., None], blame: Callable[..., None], /) -> None: ...
    def add_random(self, dropout: bool, width: int, rate: float, stream: int, seed: int | None, /) -> None: ...
    def add_normalization(
        self,
        width: int,
        gamma: int,
        beta: int,
        mean: int,
        variance: int,
        momentum: float,
        epsilon: float,
        trainable: bool,
        /,
    ) -> None: ...
    def set_loss(self, kind: str, numbers: Sequence[float], sum: bool, /) -> None: ...
    def set_loss_function(self, function: Callable[..., float], /) -> None: ...
    def set_optimizer(
        self, kind: str | None, settings: Mapping[str, float], trained: Sequence[tuple[int, int, bool, float, float]], /
    ) -> None: ...
    def set_memory(
        self, parameters: NDArray[Any], gradient: NDArray[Any], slots: Sequence[NDArray[Any] | None]
    ) -> None: ...
    def train(
        self,
        x: NDArray[Any],
        y: NDArray[Any],
        sample_weight: NDArray[Any] | None,
        order: NDArray[np.uint32] | None,
        batch_size: int,
        learning_rates: NDArray[np.float64],
        first_iteration: int,
        predictions: NDArray[Any] | None,
        threads: int,
    ) -> tuple[float, int, int, bool]: ...
    def evaluate(
        self,
        x: NDArray[Any],
        y: NDArray[Any],
        sample_weight: NDArray[Any] | None,
        batch_size: int,
        predictions: NDArray[Any] | None,
        threads: int,
    ) -> float: ...
    def predict(self, x: NDArray[Any], predictions: NDArray[Any], batch_size: int, threads: int) -> None: ...
    def gradients(self, x: NDArray[Any], y: NDArray[Any], sample_weight: NDArray[Any] | None) -> float: ...

class Network32(_Network): ...
class Network64(_Network): ...

def shuffle(order: NDArray[np.uint32], key: int) -> None: ...
def instruction_set() -> str: ...
def instruction_sets() -> list[str]: ...
def choose_instruction_set(name: str) -> None: ...
