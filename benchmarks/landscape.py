"""How long a loss surface of 101 x 101 places takes: hw.landscape, and the loops that people write.

Each contender has its turn in each round; the best and the median of the rounds are shown, in seconds a surface. The
loops are so slow that they do a part of the places, each as costly as any other, and are scaled to all of them.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from statistics import median
from typing import Any

import machine
from tables import Rows, table, three_digits

NETWORKS = {  # widths, activation of the hidden layers
    "2-2-1, tanh": ((2, 2, 1), "tanh"),
    "20-32-16-1, relu": ((20, 32, 16, 1), "relu"),
    "20-64-32-1, relu": ((20, 64, 32, 1), "relu"),
    "20-64-32-1, tanh": ((20, 64, 32, 1), "tanh"),
}
COUNT_OF_ROWS = 1000
SIDE = 101
PLACES = SIDE * SIDE
Turn = Callable[[], float]  # returns the seconds of a surface


def rows_of(inputs: int) -> tuple[Any, Any]:
    """Return inputs and targets, the same for all contenders."""
    import numpy as np

    x = np.random.default_rng(0).normal(size=(COUNT_OF_ROWS, inputs)).astype("float32")
    return x, (np.sin(x[:, :1]) + x[:, 1:2]).astype("float32")


def ours(widths: tuple[int, ...], activation: str) -> Any:
    import hillwalker as hw

    hidden = [hw.layers.Dense(width, activation=activation) for width in widths[1:-1]]
    model = hw.Sequential([hw.Input((widths[0],)), *hidden, hw.layers.Dense(widths[-1])])
    model.compile(loss="mse")
    return model


def landscape(threads: int) -> Callable[[tuple[int, ...], str], Turn]:
    """Return hw.landscape on so many threads."""

    def make(widths: tuple[int, ...], activation: str) -> Turn:
        import hillwalker as hw

        model, (x, y) = ours(widths, activation), rows_of(widths[0])

        def turn() -> float:
            began = time.perf_counter()
            hw.landscape(model, x, y, SIDE, threads=threads, verbose=0)
            return time.perf_counter() - began

        return turn

    return make


def numpy_by_hand(widths: tuple[int, ...], activation: str) -> Turn:
    """Return the forward pass of each place, written with NumPy."""
    import numpy as np

    x, y = rows_of(widths[0])
    random = np.random.default_rng(0)
    center = [random.normal(size=shape).astype("float32") * 0.3 for shape in pairwise(widths)]
    first, second = ([random.normal(size=w.shape).astype("float32") for w in center] for _ in range(2))
    f = np.tanh if activation == "tanh" else lambda z: np.maximum(z, 0)

    def turn(places: int = PLACES // 10) -> float:
        began = time.perf_counter()
        for number in range(places):
            a, b = np.float32(number / places), np.float32(0.5)
            out = x
            for layer, (w, d, e) in enumerate(zip(center, first, second, strict=True)):
                out = out @ (w + a * d + b * e)
                out = f(out) if layer < len(center) - 1 else out
            np.mean(np.square(out - y))
        return (time.perf_counter() - began) * PLACES / places

    return turn


def loop_of(model: Any, x: Any, y: Any, measure: Callable[[Any, Any], Any], places: int) -> Turn:
    """Return a loop of set_weights and a call that measures, as for any Keras model."""
    import numpy as np

    center = [np.array(weight) for weight in model.get_weights()]
    random = np.random.default_rng(0)
    first, second = ([random.normal(size=w.shape).astype("float32") for w in center] for _ in range(2))

    def turn() -> float:
        began = time.perf_counter()
        for number in range(places):
            a, b = np.float32(number / places), np.float32(0.5)
            model.set_weights([w + a * d + b * e for w, d, e in zip(center, first, second, strict=True)])
            measure(x, y)
        return (time.perf_counter() - began) * PLACES / places

    return turn


def our_loop(widths: tuple[int, ...], activation: str) -> Turn:
    """Return the loop with hillwalker's own model."""
    model, (x, y) = ours(widths, activation), rows_of(widths[0])
    return loop_of(model, x, y, model.test_on_batch, PLACES // 10)


def keras_loop(widths: tuple[int, ...], activation: str) -> Turn:
    """Return the loop with Keras on JAX, all rows in one batch."""
    os.environ["KERAS_BACKEND"] = "jax"
    import keras

    hidden = [keras.layers.Dense(width, activation=activation) for width in widths[1:-1]]
    model = keras.Sequential([keras.Input((widths[0],)), *hidden, keras.layers.Dense(widths[-1])])
    model.compile(loss="mse")
    x, y = rows_of(widths[0])
    return loop_of(model, x, y, model.test_on_batch, 100)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="how often each contender has its turn (default: 7)")
    parser.add_argument("--threads", type=int, default=2, help="how many beside one (default: 2)")
    parser.add_argument("--markdown", action="store_true", help="print the table as docs/performance.md has it")
    parser.add_argument("--without-peers", action="store_true", help="without Keras")
    given = parser.parse_args()
    if given.rounds < 1 or given.threads < 1:
        parser.error("--rounds and --threads must be 1 or more")
    machine.limit_threads(1)  # of BLAS; hillwalker is told its threads
    machine.pin(max(1, given.threads))
    contenders = {
        "hw.landscape, 1 thread": landscape(1),
        f"hw.landscape, {given.threads} threads": landscape(given.threads),
        "NumPy by hand": numpy_by_hand,
        "hillwalker, set_weights and test_on_batch": our_loop,
    }
    if not given.without_peers and machine.version_of("keras") and machine.version_of("jax"):
        contenders["Keras on JAX, set_weights and test_on_batch"] = keras_loop
    for name, value in machine.describe().items():
        print(f"{'- ' if given.markdown else ''}{name}: {value}")
    rows: Rows = [(f"{PLACES:,} places, {COUNT_OF_ROWS:,} rows", "best, s", "median, s", "µs a place")]
    for network, (widths, activation) in NETWORKS.items():
        print(network, file=sys.stderr)
        turns = {label: make(widths, activation) for label, make in contenders.items()}
        for turn in turns.values():
            turn()  # imports, compiles, first memory
        seconds: dict[str, list[float]] = {label: [] for label in turns}
        for _ in range(given.rounds):
            for label, turn in turns.items():
                seconds[label].append(turn())
        for label, times in seconds.items():
            best = min(times)
            cells = (three_digits(best), three_digits(median(times)), three_digits(1e6 * best / PLACES))
            rows.append((f"{network}: {label}", *cells))
    print("\n" + table(rows, given.markdown))


if __name__ == "__main__":
    main()
