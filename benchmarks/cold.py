"""What is paid before and around training: import, from the shell to a trained model, and each call with few rows.

Every start is a process of its own, with its files in memory and its bytecode written, as on the second day of use. All
of it on one core; libraries take turns, so that whatever else the machine does meets them all alike.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import machine
from tables import Rows, table, three_digits

DATA = """
import numpy as np
random = np.random.default_rng(0)
X = random.standard_normal((8192, 20), dtype=np.float32)
y = np.sin(X @ random.standard_normal((20, 1), dtype=np.float32) / 3)
"""
KERAS = """
from {0}.layers import Dense, Input
from {0}.models import Sequential
model = Sequential([Input((20,)), Dense(64, activation="relu"), Dense(32, activation="relu"), Dense(1)])
model.compile(optimizer="adam", loss="mse"{1})
"""
SCIKIT_LEARN = """
from sklearn.neural_network import MLPRegressor
model = MLPRegressor(
    hidden_layer_sizes=(64, 32), alpha=0.0, batch_size=32, max_iter=100, tol=0.0, n_iter_no_change=100
)
y = y[:, 0]
"""
TORCH = """
import torch
from torch.nn import Linear, ReLU
torch.set_num_threads(1)
model = torch.nn.Sequential(Linear(20, 64), ReLU(), Linear(64, 32), ReLU(), Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), fused=True)
X, y = torch.from_numpy(X), torch.from_numpy(y)
def step(X, y):
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(model(X), y)
    loss.backward()
    optimizer.step()
    return loss.item()
"""
TORCH_TRAINING = """
for epoch in range(100):
    order = torch.randperm(8192)
    for rows in order.split(32):
        step(X[rows], y[rows])
"""
TRAINING = "model.fit(X, y, epochs=100, batch_size=32, verbose=0)"
KERAS_CALLS = {
    "fit, one batch": "model.fit(xs, ys, batch_size=32, verbose=0)",
    "train_on_batch": "model.train_on_batch(xs, ys)",
    "evaluate, one batch": "model.evaluate(xs, ys, verbose=0)",
    "predict, one row": "model.predict(row, verbose=0)",
}


@dataclass(frozen=True)
class Library:
    """The scripts of one library: what is imported, how the model is made and trained, and its calls with few rows."""

    packages: tuple[str, ...]
    imports: str
    model: str
    training: str
    calls: dict[str, str]
    slow: bool = False
    """Whether a whole training takes so long that it is only run when asked for."""

    @property
    def version(self) -> str | None:
        """The versions of its packages, or None where one isn't installed."""
        versions = [machine.version_of(package) for package in self.packages]
        named = zip(self.packages, versions, strict=True)
        return " + ".join(f"{package} {version}" for package, version in named) if all(versions) else None


def _keras(backend: str, package: str, settings: str = "", slow: bool = False) -> Library:
    chosen = f"import os; os.environ['KERAS_BACKEND'] = '{backend}'\n"
    threads = "import torch; torch.set_num_threads(1)\n" if backend == "torch" else ""
    model = chosen + threads + KERAS.format("keras", settings)
    return Library(("keras", package), chosen + "import keras", model, TRAINING, KERAS_CALLS, slow)


LIBRARIES = {
    "hillwalker": Library(
        ("hillwalker",), "from hillwalker import Sequential", KERAS.format("hillwalker", ""), TRAINING, KERAS_CALLS
    ),
    "scikit-learn": Library(
        ("scikit-learn",),
        "from sklearn.neural_network import MLPRegressor",
        SCIKIT_LEARN,
        "model.fit(X, y)",
        {
            "fit, one batch": "model.set_params(max_iter=1).fit(xs, ys)",
            "train_on_batch": "model.partial_fit(xs, ys)",
            "evaluate, one batch": "model.score(xs, ys)",
            "predict, one row": "model.predict(row)",
        },
    ),
    "PyTorch": Library(
        ("torch",),
        "import torch",
        TORCH,
        TORCH_TRAINING,
        {
            "train_on_batch": "step(xs, ys)",
            "evaluate, one batch": "with torch.no_grad(): torch.nn.functional.mse_loss(model(xs), ys).item()",
            "predict, one row": "with torch.no_grad(): model(row).numpy()",
        },
    ),
    "Keras, JAX": _keras("jax", "jax", ", steps_per_execution=32"),
    "Keras, torch": _keras("torch", "torch", slow=True),
}
CALLS = tuple(KERAS_CALLS)
START, TRAINED = "import beyond NumPy", "shell to trained model"


class Start(NamedTuple):
    """Seconds from before a script's start to after its end, and of the processor, which a busy machine spares."""

    wall: float
    processor: float

    def beyond(self, other: Start) -> Start:
        return Start(self.wall - other.wall, self.processor - other.processor)


def start(script: str) -> Start:
    """Run a script in a fresh interpreter."""
    before, began = os.times(), time.perf_counter()
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - began, os.times()
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    return Start(wall, processor)


def starts(labels: list[str], rounds: int, everything: bool) -> dict[str, dict[str, list[Start]]]:
    """Return, by library, what importing it takes beyond NumPy, and all from the shell to a trained model."""
    scripts = {label: "import numpy\n" + LIBRARIES[label].imports for label in labels}
    for script in ("import numpy", *scripts.values()):
        start(script)  # writes the bytecode, and reads the files into memory
    found: dict[str, dict[str, list[Start]]] = {label: {START: [], TRAINED: []} for label in labels}
    for _ in range(rounds):
        bare = start("import numpy")
        for label in labels:
            found[label][START].append(start(scripts[label]).beyond(bare))
    for number in range(rounds):
        for label in labels:
            library = LIBRARIES[label]
            if (number == 0 or label == "hillwalker" or everything) and (not library.slow or everything):
                found[label][TRAINED].append(start(DATA + library.model + library.training))
    return found


def calls_of(label: str) -> dict[str, list[float]]:
    """Return, by call, seconds of one call, many times measured; everything is compiled and warm."""
    library, names = LIBRARIES[label], dict[str, Any]()
    exec(DATA + library.model + "xs, ys, row = X[:32], y[:32], X[:1]\n", names)
    exec(library.calls["train_on_batch"], names)
    found: dict[str, list[float]] = {}
    for name, call in library.calls.items():
        exec(f"def call():\n    {call}\n", names)
        found[name] = _many(names["call"])
    return found


def _many(call: Callable[[], object], seconds: float = 1.0) -> list[float]:
    for _ in range(3):
        call()
    times: list[float] = []
    ends = time.perf_counter() + seconds
    while (began := time.perf_counter()) < ends:
        call()
        times.append(time.perf_counter() - began)
    return times


def calls(labels: list[str]) -> dict[str, dict[str, list[float]]]:
    """Return what `calls_of` does for each library, each in a process of its own: [least, median, how many]."""
    found = {}
    for label in labels:
        command = [sys.executable, "-W", "ignore", __file__, "--calls-of", label]
        answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found[label] = json.loads(answer.splitlines()[-1])
    return found


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="how many starts of each (default: 5)")
    parser.add_argument("--all", action="store_true", help="also whole trainings that take a minute, in every round")
    parser.add_argument("--alone", action="store_true", help="hillwalker without its peers")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number to FILE too")
    parser.add_argument("--markdown", action="store_true", help="print the tables as docs/performance.md has them")
    parser.add_argument("--calls-of", choices=LIBRARIES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.rounds < 1:
        parser.error("--rounds must be 1 or more")
    if given.json and not given.json.parent.is_dir():
        parser.error(f"--json {given.json}: the folder {given.json.parent} does not exist")
    return given


def main() -> None:
    """Measure, print, and write the file asked for."""
    given = arguments()
    machine.use_one_core()
    if given.calls_of:
        print(json.dumps({name: [min(t), median(t), len(t)] for name, t in calls_of(given.calls_of).items()}))
        return
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    labels = [label for label, library in LIBRARIES.items() if library.version]
    labels = labels[:1] if given.alone else labels
    about = machine.describe() | {
        "date": date.today().isoformat(),
        "load before": machine.load(),
        "versions": "; ".join(str(LIBRARIES[label].version) for label in labels),
    }
    with tempfile.TemporaryDirectory() as bytecode:
        os.environ["PYTHONPYCACHEPREFIX"] = bytecode
        started = starts(labels, given.rounds, given.all)
        called = calls(labels)
    about["load after"] = machine.load()
    for name, value in about.items():
        print(f"{'- ' if given.markdown else ''}{name}: {value}")
    rows: Rows = [("one core, median", f"{START}, ms", "processor", f"{TRAINED}, s", "processor")]
    for label in labels:
        cells = []
        for name, unit, digits in ((START, 1e3, 0), (TRAINED, 1.0, 2)):
            times = zip(*started[label][name], strict=True) if started[label][name] else ()
            cells += [f"{unit * median(column):,.{digits}f}" for column in times] or ["not run", ""]
        rows.append((label, *cells))
    print("\n" + table(rows, given.markdown) + "\n")
    rows = [("one core, µs a call, median (least)", *CALLS)]
    for label in labels:
        shown = {name: f"{three_digits(1e6 * t[1])} ({three_digits(1e6 * t[0])})" for name, t in called[label].items()}
        rows.append((label, *(shown.get(name, "-") for name in CALLS)))
    print(table(rows, given.markdown))
    if given.json:
        report = {"machine": about, "starts": started, "calls": called}
        given.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
        print(f"\nwritten: {given.json}")


if __name__ == "__main__":
    main()
