"""How time and memory grow: with rows, epochs, width, depth, models, and with the number of fits gone by.

Twice as much should take twice as long, and the ten-thousandth fit as long as the first. Seconds are those of the
processor, so that waiting for other processes does not count. Each point is the quickest of several turns, the points
of a sweep taking turns; all on one core.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

import machine

machine.use_one_core()  # before NumPy

import numpy as np  # noqa: E402
from tables import Rows, table, three_digits  # noqa: E402

import hillwalker.engine  # noqa: E402
from hillwalker.layers import Dense, Input  # noqa: E402

MOST_ROWS = 2**18
AT_LEAST = 0.05  # seconds of a turn
RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((MOST_ROWS, 20), dtype=np.float32)
Y = np.sin(X @ RANDOM.standard_normal((20, 1), dtype=np.float32) / 3)


def new_model(*hidden: int) -> Any:
    """Return a compiled network 20-...-1 of relu layers."""
    model = hillwalker.Sequential([Input((20,)), *(Dense(units, activation="relu") for units in hidden), Dense(1)])
    model.compile(optimizer="adam", loss="mse")
    return model


def fit(model: Any, rows: int, epochs: int = 1) -> None:
    model.fit(X[:rows], Y[:rows], epochs=epochs, batch_size=32, verbose=0)


@dataclass
class Sweep:
    """One thing that grows: its values, and for each what is done, and in how many parts of equal work."""

    name: str
    what: str
    unit: str
    points: list[tuple[int, Callable[[], None], float]]
    seconds: list[float] = field(default_factory=list)
    """The least for each value."""
    megabytes: list[float] = field(default_factory=list)
    """By how much the process has grown when a value's first turn is over."""

    def run(self, rounds: int) -> None:
        """Measure all points in turns."""
        self.seconds = [float("inf")] * len(self.points)
        for number in range(rounds):
            for place, (_, work, _) in enumerate(self.points):
                before, ends = resident_megabytes(), time.process_time() + AT_LEAST
                while (began := time.process_time()) < ends:
                    work()
                    self.seconds[place] = min(self.seconds[place], time.process_time() - began)
                if number == 0:
                    self.megabytes.append(resident_megabytes() - before)

    @property
    def microseconds(self) -> list[float]:
        """Microseconds a part, by value: all equal where growth is linear."""
        return [1e6 * seconds / parts for seconds, (_, _, parts) in zip(self.seconds, self.points, strict=True)]


def resident_megabytes() -> float:
    """Return how much memory this process holds, or has held at most where the system only tells that."""
    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def many_models(count: int) -> None:
    """Make, train and keep so many models."""
    models = [new_model(16) for _ in range(count)]
    for model in models:
        fit(model, 256)


def work_of(*widths: int) -> float:
    """Return how many million multiplications a row takes: forward, dW, and dX but for the first layer."""
    products = [a * b for a, b in itertools.pairwise(widths)]
    return (3 * sum(products) - products[0]) / 1e6


def sweeps() -> list[Sweep]:
    """Return what is measured; none takes more than some seconds."""
    small, tiny = new_model(64, 32), new_model(16)
    wide = {units: new_model(units, units) for units in (8, 16, 32, 64, 128, 256, 512, 1024)}
    deep = {layers: new_model(*[64] * layers) for layers in (1, 2, 4, 8, 16, 32)}
    return [
        Sweep("rows", "20-64-32-1, one epoch", "row",
              [(rows, lambda n=rows: fit(small, n), rows) for rows in 2 ** np.arange(8, 19, 2)]),
        Sweep("epochs", "20-16-1, 256 rows", "epoch",
              [(epochs, lambda n=epochs: fit(tiny, 256, n), epochs) for epochs in (10, 100, 1000, 10_000)]),
        Sweep("width", "20-width-width-1, 1,024 rows", "million multiplications",
              [(units, lambda m=model: fit(m, 1024), 1024 * work_of(20, units, units, 1))
               for units, model in wide.items()]),
        Sweep("depth", "20-64-...-64-1, 1,024 rows", "million multiplications",
              [(layers, lambda m=model: fit(m, 1024), 1024 * work_of(20, *[64] * layers, 1))
               for layers, model in deep.items()]),
        Sweep("models", "20-16-1, made, trained on 256 rows, kept", "model",
              [(count, lambda n=count: many_models(n), count) for count in (1, 10, 100, 1000)]),
    ]  # fmt: skip


@dataclass
class Fits:
    """One model, trained again and again: seconds of each fit, and the memory held by then."""

    seconds: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)

    def run(self, count: int) -> None:
        """Train; the first hundred fits, in which memory is taken for the first time, are not counted."""
        model = new_model(64, 32)
        for _ in range(100):
            fit(model, 256)
        gc.collect()
        for number in range(count):
            began = time.process_time()
            fit(model, 256)
            self.seconds.append(time.process_time() - began)
            if number % max(1, count // 100) == 0 or number == count - 1:
                self.megabytes.append(resident_megabytes())

    @property
    def tenths(self) -> list[float]:
        """For each tenth of the fits, microseconds that a quarter of them are below: the rest met other processes."""
        size = max(1, len(self.seconds) // 10)
        parts = [sorted(self.seconds[start : start + size]) for start in range(0, len(self.seconds), size)]
        return [1e6 * part[len(part) // 4] for part in parts]


def rows_of(sweep: Sweep) -> Rows:
    head = (f"{sweep.name}: {sweep.what}", "seconds", f"µs per {sweep.unit}", "of the last", "memory, MB more")
    last = sweep.microseconds[-1]
    return [head] + [
        (f"{value:,}", f"{seconds:.3g}", three_digits(part), f"{part / last:.2f}", f"{memory:.1f}")
        for (value, *_), seconds, part, memory in zip(
            sweep.points, sweep.seconds, sweep.microseconds, sweep.megabytes, strict=True
        )
    ]


def draw(done: list[Sweep], fits: Fits, file: Path) -> None:
    """Draw every sweep in double logarithmic axes beside a line of slope 1, and the fits one after another."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(12, 7), layout="constrained")
    for sweep, ax in zip(done, axes.flat, strict=False):
        parts = [parts for _, _, parts in sweep.points]
        ax.loglog(parts, sweep.seconds, "o-", label="measured")
        slope = sweep.seconds[-1] / parts[-1]
        ax.loglog(parts, [slope * part for part in parts], "--", color="gray", label="linear")
        ax.set(title=f"{sweep.name}: {sweep.what}", xlabel=sweep.unit.removesuffix("s") + "s", ylabel="seconds")
        ax.title.set_fontsize("medium")
        ax.legend()
    ax, memory = axes.flat[-1], axes.flat[-1].twinx()
    ax.plot(1e6 * np.array(fits.seconds), ",", color="C0")
    ax.set(title="fits of one model, 256 rows", xlabel="fits before", ylabel="µs")
    ax.title.set_fontsize("medium")
    ax.set_ylim(0, 3e6 * median(fits.seconds))
    memory.plot(np.linspace(0, len(fits.seconds), len(fits.megabytes)), fits.megabytes, color="C1")
    memory.set_ylabel("resident memory, MB", color="C1")
    memory.set_ylim(0, 1.5 * max(fits.megabytes))
    figure.savefig(file)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="turns of each point (default: 3)")
    parser.add_argument("--fits", type=int, default=10_000, help="how often one model is trained (default: 10,000)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number to FILE too")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw them, as .png, .svg or .pdf (matplotlib)")
    parser.add_argument("--markdown", action="store_true", help="print the tables as docs/performance.md has them")
    given = parser.parse_args()
    if given.rounds < 1 or given.fits < 10:
        parser.error("--rounds must be 1 or more, and --fits 10 or more")
    for file in (given.json, given.picture):
        if file and not file.parent.is_dir():
            parser.error(f"{file}: the folder {file.parent} does not exist")
    return given


def main() -> None:
    """Measure, print, and write the files asked for."""
    given = arguments()
    about = machine.describe() | {
        "instruction set": hillwalker.engine.instruction_set(),
        "date": date.today().isoformat(),
        "hillwalker": hillwalker.__version__,
        "load before": machine.load(),
    }
    fits, done = Fits(), sweeps()
    fits.run(given.fits)
    for sweep in done:
        sweep.run(given.rounds)
    about["load after"] = machine.load()
    for name, value in about.items():
        print(f"{'- ' if given.markdown else ''}{name}: {value}")
    for sweep in done:
        print("\n" + table(rows_of(sweep), given.markdown))
    first, last = fits.tenths[0], fits.tenths[-1]
    rows: Rows = [("fits: 20-64-32-1, one epoch of 256 rows", "first tenth", "last tenth", "ratio")]
    rows.append(("µs a fit, lower quartile", three_digits(first), three_digits(last), f"{last / first:.3f}"))
    memory = fits.megabytes[0], fits.megabytes[-1]
    rows.append(("resident memory, MB", *(f"{size:.1f}" for size in memory), f"{memory[1] / memory[0]:.3f}"))
    print("\n" + table(rows, given.markdown))
    if given.json:
        report = {
            "machine": about,
            "sweeps": [
                asdict(sweep) | {"points": [(int(value), float(parts)) for value, _, parts in sweep.points]}
                for sweep in done
            ],
            "fits": asdict(fits) | {"tenths": fits.tenths},
        }
        given.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
        print(f"\nwritten: {given.json}")
    if given.picture:
        draw(done, fits, given.picture)
        print(f"drawn: {given.picture}")


if __name__ == "__main__":
    main()
