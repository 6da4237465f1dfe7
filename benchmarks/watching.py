"""What it costs to watch a training: the progress bar, the history, a CSV file, a Watcher.

The same fit in turns: bare (history alone, which every fit keeps), with the bar (drawn into memory), with
CSVLogger, with both, with a Watcher. The share is of the bare fit's time in the same round; the median is over rounds.
Each training begins with a new model; of short ones there are more rounds.
Timed is the process's own processor time, which stands still while other processes have the core.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import machine
from tables import Rows, table, three_digits

NETWORKS = {  # widths, rows, epochs of a turn, how many times as many rounds
    "8-16-1, 5,120 rows": ((8, 16, 1), 5120, 2000, 1),
    "20-64-32-1, 8,192 rows": ((20, 64, 32, 1), 8192, 150, 1),
    "20-64-32-1, 1,000 rows": ((20, 64, 32, 1), 1000, 1000, 1),
    "the same, 100 epochs each": ((20, 64, 32, 1), 1000, 100, 10),
}
WAYS = {  # verbose, the callbacks' names
    "bare": (0, ()), "bar": (1, ()), "CSV": (0, ("CSVLogger",)), "bar and CSV": (1, ("CSVLogger",)),
    "Watcher": (0, ("Watcher",)),
}  # fmt: skip


def turn_of(widths: tuple[int, ...], rows: int) -> Callable[[str, int], float]:
    """Return a function that trains a new model for some epochs in one of the ways: seconds an epoch."""
    import numpy as np

    import hillwalker as hw

    generator = np.random.default_rng(0)
    x = generator.normal(size=(rows, widths[0])).astype("float32")
    y = np.sin(x[:, :1]) + x[:, 1:2]

    def turn(way: str, epochs: int) -> float:
        hidden = [hw.layers.Dense(width, activation="relu") for width in widths[1:-1]]
        model = hw.Sequential([hw.Input((widths[0],)), *hidden, hw.layers.Dense(widths[-1])])
        model.compile(optimizer="adam", loss="mse")
        verbose, names = WAYS[way]
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            made = {
                "CSVLogger": lambda: hw.callbacks.CSVLogger(str(Path(folder) / "log.csv")),
                "Watcher": lambda: hw.callbacks.Watcher(verbose=0),
            }
            callbacks = [made[name]() for name in names]
            started = time.process_time()
            model.fit(x, y, batch_size=32, epochs=epochs, verbose=verbose, callbacks=callbacks)
            return (time.process_time() - started) / epochs

    return turn


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40, help="how often each way has its turn (default: 40)")
    parser.add_argument("--markdown", action="store_true", help="print the table as docs/performance.md has it")
    given = parser.parse_args()
    if given.rounds < 1:
        parser.error("--rounds must be 1 or more")
    machine.use_one_core()
    for name, value in machine.describe().items():
        print(f"{'- ' if given.markdown else ''}{name}: {value}")
    rows: Rows = [("one core", "bare, µs an epoch", *(f"{way}, % more" for way in list(WAYS)[1:]))]
    for name, (widths, count, epochs, times_as_many) in NETWORKS.items():
        print(name, file=sys.stderr)
        turn = turn_of(widths, count)
        for way in WAYS:
            turn(way, 3)  # imports, first memory
        ways = list(WAYS)
        rounds = []
        for number in range(given.rounds * times_as_many):  # each way is the first as often as the others
            first = number % len(ways)
            rounds.append({way: turn(way, epochs) for way in ways[first:] + ways[:first]})
        shares = [median(100 * (times[way] / times["bare"] - 1) for times in rounds) for way in list(WAYS)[1:]]
        bare = median(times["bare"] for times in rounds)
        rows.append((name, three_digits(1e6 * bare), *(f"{share:.1f}" for share in shares)))
    print("\n" + table(rows, given.markdown))


if __name__ == "__main__":
    main()
