"""A sweep of 1,000 networks (10 learning rates, 100 seeds): hw.compare, beside what people sweep with.

Each is 20-64-32-1, trained by Adam for 100 epochs of 1,000 rows in batches of 32. hw.compare also validates each epoch
on 250 rows and makes its table; the others only train, all with one rate. Slow contenders train fewer and are scaled.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import machine
import many
from tables import Rows, table, three_digits

NETWORK = "sweep"
EPOCHS, ROWS, BATCH = 100, 1000, 32
many.NETWORKS[NETWORK] = ((20, 64, 32, 1), BATCH, ROWS, EPOCHS)
MODELS = 1000
RATES = [10.0 ** (-4 + 2 * number / 9) for number in range(10)]  # 0.0001 to 0.01

# Trains so many models; returns the seconds by the clock.
Train = Callable[[int], float]


def compare(lanes: bool) -> Callable[[int], Train]:
    """Return hw.compare, each model by itself or in the lanes of vectors."""

    def make(cores: int) -> Train:
        import numpy as np

        import hillwalker as hw
        from hillwalker.layers import Dense, Input

        x, y = many.rows(NETWORK)
        x, y = np.concatenate([x, x[:250]]), np.concatenate([y, y[:250]])
        model = hw.Sequential([Input((20,)), Dense(64, activation="relu"), Dense(32, activation="relu"), Dense(1)])
        model.compile("adam", "mse")

        def train(count: int) -> float:
            began = time.perf_counter()
            seeds = max(1, count // len(RATES))
            told = {"batch_size": BATCH, "epochs": EPOCHS, "threads": cores, "lanes": lanes, "verbose": 0}
            compared = hw.compare(model, x, y, vary={"learning_rate": RATES}, seeds=seeds, **told)
            assert compared.best in str(compared)  # the table is a part of the work
            return time.perf_counter() - began

        return train

    return make


def peer(make: Callable[[str, int], many.Train]) -> Callable[[int], Train]:
    """Return a contender of many.py's, whose models all have one rate."""
    return lambda cores: (lambda trains: lambda count: trains(count)[0])(make(NETWORK, cores))


def keras_on_jax(cores: int) -> Train:
    """Return Keras's fit, one model after another, 31 steps in each call of JAX."""
    os.environ["KERAS_BACKEND"] = "jax"
    import keras

    x, y = many.rows(NETWORK)

    def train(count: int) -> float:
        began = time.perf_counter()
        for _ in range(count):
            layers = [keras.Input((20,)), keras.layers.Dense(64, activation="relu"),
                      keras.layers.Dense(32, activation="relu"), keras.layers.Dense(1)]  # fmt: skip
            model = keras.Sequential(layers)
            model.compile("adam", "mse", steps_per_execution=32)
            model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0)
        return time.perf_counter() - began

    return train


@dataclass(frozen=True)
class Contender:
    """What it needs, what makes it, and how many models it trains for the figure."""

    needs: tuple[str, ...]
    make: Callable[[int], Train]
    models: int
    cores: tuple[int, ...] = (1, 2)


CONTENDERS = {
    "hw.compare(lanes=True)": Contender(("hillwalker",), compare(True), MODELS),
    "hw.compare": Contender(("hillwalker",), compare(False), MODELS),
    "JAX, vmap of a scan": Contender(("jax",), peer(many.jax_vmap), 100),
    "scikit-learn, joblib": Contender(("scikit-learn", "joblib"), peer(many.scikit_learn), 20),
    "Keras on JAX, fit one after another": Contender(("keras", "jax"), keras_on_jax, 2, (1,)),
}


@dataclass
class Record:
    """A contender's turns: seconds by the clock, and of its own process's processor time."""

    label: str
    cores: int
    models: int
    clock: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def scaled(self, seconds: list[float], of: Callable[[list[float]], float]) -> float:
        return of(seconds) * MODELS / self.models


def work(label: str, cores: int, connection: Connection) -> None:
    """Be one contender: train as many models as told, and answer with the seconds that took."""
    many.use_cores(cores)
    train = CONTENDERS[label].make(cores)
    count = connection.recv()
    train(count if label.startswith("JAX") else 2 if label.startswith(("Keras", "scikit")) else 20)  # compiles
    while count is not None:
        used = time.process_time()
        clock = train(count)
        connection.send((clock, time.process_time() - used))
        count = connection.recv()


def race(labels: list[str], rounds: int, share: float) -> list[Record]:
    """Let the contenders train in turns, each on one core and on two."""
    context = multiprocessing.get_context("spawn")
    runners: list[tuple[Record, Connection]] = []
    for label in labels:
        contender = CONTENDERS[label]
        for cores in contender.cores:
            ours, theirs = context.Pipe()
            context.Process(target=work, args=(label, cores, theirs)).start()
            theirs.close()
            least = 2 if contender.models < MODELS else len(RATES)
            runners.append((Record(label, cores, max(least, round(contender.models * share))), ours))
    for _ in range(rounds):
        for record, connection in runners:
            connection.send(record.models)
            clock, processor = connection.recv()
            record.clock.append(clock)
            record.processor.append(processor)
    for _, connection in runners:
        connection.send(None)
    return [record for record, _ in runners]


def lines(records: list[Record]) -> Rows:
    """Return the table, head first."""
    head = ("contender", "cores", "models trained", "s for 1,000, best", "median", "processor s", "times hw.compare")
    ours = {record.cores: record for record in records if record.label == "hw.compare"}
    rows: Rows = [head]
    for record in records:
        best = record.scaled(record.clock, min)
        own = ours.get(record.cores)
        times = "" if own is None else three_digits(best / own.scaled(own.clock, min))
        in_one_process = record.cores == 1 or not record.label.startswith("scikit")
        processor = three_digits(record.scaled(record.processor, min)) if in_one_process else ""
        told = f"{record.models:,}", three_digits(best), three_digits(record.scaled(record.clock, median))
        rows.append((record.label, str(record.cores), *told, processor, times))
    return rows


def arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="how often each contender's turn comes (default: 3)")
    parser.add_argument("--share", type=float, default=1.0, help="train this part of the models, and scale")
    parser.add_argument("--without-peers", action="store_true", help="hillwalker alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number to FILE too")
    parser.add_argument("--markdown", action="store_true", help="print the table as docs/choosing.md has it")
    given = parser.parse_args()
    if given.rounds < 1 or not 0 < given.share <= 1:
        parser.error("--rounds must be 1 or more, and --share above 0 and at most 1")
    if given.json and not given.json.parent.is_dir():
        parser.error(f"--json {given.json}: the folder {given.json.parent} does not exist")
    return given


def main() -> None:
    """Measure, print, and write the file asked for."""
    given = arguments()
    versions = {name: machine.version_of(name) for contender in CONTENDERS.values() for name in contender.needs}
    labels = [
        label
        for label, contender in CONTENDERS.items()
        if all(versions[name] for name in contender.needs)
        and (contender.needs == ("hillwalker",) or not given.without_peers)
    ]
    about = machine.describe() | {"date": date.today().isoformat(), "load_before": machine.load()}
    about["versions"] = "; ".join(f"{name} {found}" for name, found in versions.items() if found)
    records = race(labels, given.rounds, given.share)
    about["load_after"] = machine.load()
    for name, value in about.items():
        print(f"{'- ' if given.markdown else ''}{name.replace('_', ' ')}: {value}")
    for label in [label for label in CONTENDERS if not all(versions[name] for name in CONTENDERS[label].needs)]:
        print(f"{'- ' if given.markdown else ''}not here: {label}")
    print("\n" + table(lines(records), given.markdown))
    if given.json:
        told = {"machine": about, "records": [asdict(record) for record in records]}
        given.json.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
        print(f"written: {given.json}")


if __name__ == "__main__":
    main()
