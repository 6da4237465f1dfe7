"""How many models a second are trained, one after another and side by side, on one core and on several.

The same network from as many seeds, Adam, mean squared error, each model with its own order of rows (in lanes, one
order for all); beside scikit-learn under joblib and JAX's vmap where installed. Every contender has a process of its
own for each number of cores, and they take turns. What one step costs is measured in the other files.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
import warnings
from collections.abc import Callable
from datetime import date
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import machine

NETWORKS = {"XS": ((8, 16, 1), 32, 2048, 20), "S": ((20, 64, 32, 1), 32, 2048, 20)}  # widths, batch, rows, epochs
COUNTS = (1, 10, 100, 1000)
LEARNING_RATE, BETA_1, BETA_2, EPSILON = 0.001, 0.9, 0.999, 1e-7

# Trains so many models; returns the seconds that took, without making them, and their mean loss after the last epoch.
Train = Callable[[int], tuple[float, float]]


def rows(network: str) -> tuple[Any, Any]:
    """Return X (rows, inputs) and y (rows,)."""
    import numpy as np

    widths, _, count, _ = NETWORKS[network]
    random = np.random.default_rng(0)
    x = random.standard_normal((count, widths[0]), dtype=np.float32)
    return x, np.sin(2 * x[:, 0]) + x[:, 1] + np.float32(0.3) * random.standard_normal(count, dtype=np.float32)


def hillwalker(how: str) -> Callable[[str, int], Train]:
    """Return our contender: "fit" one after another, "fit_many", or in "lanes"."""

    def make(network: str, cores: int) -> Train:
        import hillwalker as hw
        from hillwalker.layers import Dense, Input

        widths, batch_size, _, epochs = NETWORKS[network]
        x, y = rows(network)
        hidden = [Dense(width, activation="relu") for width in widths[1:-1]]
        first = hw.Sequential([Input((widths[0],)), *hidden, Dense(1)])
        first.compile(hw.optimizers.Adam(LEARNING_RATE), "mse")

        def train(count: int) -> tuple[float, float]:
            models = hw.copies(first, count)
            began = time.perf_counter()
            told = {"batch_size": batch_size, "epochs": epochs, "verbose": 0}
            if how == "fit":
                histories = [model.fit(x, y, **told) for model in models]
            else:
                histories = hw.fit_many(models, x, y, threads=cores, lanes=how == "lanes", **told)
            seconds = time.perf_counter() - began
            return seconds, sum(history.history["loss"][-1] for history in histories) / count

        return train

    return make


def scikit_learn(network: str, cores: int) -> Train:
    """Return scikit-learn's models, in joblib's processes."""
    from joblib import Parallel, delayed
    from sklearn.neural_network import MLPRegressor

    widths, batch_size, _, epochs = NETWORKS[network]
    x, y = rows(network)

    def one(seed: int) -> float:
        warnings.simplefilter("ignore")  # that so many epochs may not suffice
        told = {"hidden_layer_sizes": widths[1:-1], "alpha": 0.0, "batch_size": batch_size, "max_iter": epochs}
        model = MLPRegressor(**told, tol=0.0, n_iter_no_change=epochs + 1, random_state=seed).fit(x, y)
        return 2 * float(model.loss_)

    def train(count: int) -> tuple[float, float]:
        began = time.perf_counter()
        losses = Parallel(n_jobs=cores)(delayed(one)(seed) for seed in range(count))
        return time.perf_counter() - began, sum(losses) / count

    return train


def jax_vmap(network: str, cores: int) -> Train:
    """Return JAX's models: an epoch of all of them in one jitted scan, vmapped."""
    import jax
    import numpy as np

    jnp = jax.numpy
    widths, batch_size, count_of_rows, epochs = NETWORKS[network]
    x, y = map(jnp.asarray, rows(network))

    def loss(parameters: Any, x: Any, y: Any) -> Any:
        for kernel, bias in parameters[:-1]:
            x = jax.nn.relu(x @ kernel + bias)
        return jnp.mean(((x @ parameters[-1][0] + parameters[-1][1])[:, 0] - y) ** 2)

    def step(state: Any, chosen: Any) -> Any:
        parameters, m, v, t = state
        value, gradient = jax.value_and_grad(loss)(parameters, x[chosen], y[chosen])
        rate = LEARNING_RATE * jnp.sqrt(1 - BETA_2 ** (t + 1)) / (1 - BETA_1 ** (t + 1))
        m = jax.tree.map(lambda m, g: BETA_1 * m + (1 - BETA_1) * g, m, gradient)
        v = jax.tree.map(lambda v, g: BETA_2 * v + (1 - BETA_2) * g * g, v, gradient)
        moved = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + EPSILON), parameters, m, v)
        return (moved, m, v, t + 1), value

    epoch = jax.jit(jax.vmap(lambda state, order: jax.lax.scan(step, state, order)), donate_argnums=0)

    def train(count: int) -> tuple[float, float]:
        random = np.random.default_rng(0)
        parameters = []
        for inputs, outputs in pairwise(widths):
            limit = np.sqrt(6 / (inputs + outputs))
            kernel = random.uniform(-limit, limit, (count, inputs, outputs)).astype(np.float32)
            parameters.append((jnp.asarray(kernel), jnp.zeros((count, outputs), jnp.float32)))
        zeros = jax.tree.map(jnp.zeros_like, parameters)
        state = parameters, zeros, jax.tree.map(jnp.zeros_like, parameters), jnp.zeros(count, jnp.float32)
        losses: Any = 0
        began = time.perf_counter()
        for _ in range(epochs):
            order = random.permuted(
                np.broadcast_to(np.arange(count_of_rows, dtype=np.int32), (count, count_of_rows)), axis=1
            )
            whole = order[:, : count_of_rows // batch_size * batch_size]  # a batch that is not full is left out
            state, losses = epoch(state, whole.reshape(count, -1, batch_size))
        loss = float(losses.mean())
        return time.perf_counter() - began, loss

    return train


CONTENDERS: dict[str, tuple[tuple[str, ...], Callable[[str, int], Train]]] = {
    "hillwalker, fit one after another": (("hillwalker",), hillwalker("fit")),
    "hillwalker, fit_many": (("hillwalker",), hillwalker("fit_many")),
    "hillwalker, fit_many(lanes=True)": (("hillwalker",), hillwalker("lanes")),
    "scikit-learn, joblib": (("scikit-learn", "joblib"), scikit_learn),
    "JAX, vmap of a scan": (("jax",), jax_vmap),
}


def use_cores(count: int) -> None:
    """Hold this process to so many cores; must be called before NumPy or a peer is imported."""
    os.environ.update(dict.fromkeys(machine.THREAD_COUNTS, str(count)))
    for name in machine.BLAS_OVERRIDES:
        os.environ.pop(name, None)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-count:])


def work(label: str, network: str, cores: int, connection: Connection) -> None:
    """Be one contender: train as many models as told, and answer with the seconds that took and the loss."""
    use_cores(cores)
    train = CONTENDERS[label][1](network, cores)
    train(2)  # compiles, starts processes
    while (count := connection.recv()) is not None:
        if label.startswith("JAX"):
            train(count)  # compiled anew for each number of models
        connection.send(train(count))


def race(network: str, labels: list[str], cores: int, rounds: int, most_seconds: float) -> list[dict[str, Any]]:
    """Let the contenders train in turns, each on one core and on several; return a record for each and each number."""
    context = multiprocessing.get_context("spawn")
    runners: dict[tuple[str, int], Connection] = {}
    for label in labels:
        for count in sorted({1, cores}):
            if "one after another" in label and count > 1:
                continue
            ours, theirs = context.Pipe()
            context.Process(target=work, args=(label, network, count, theirs)).start()  # not a daemon: joblib forks
            theirs.close()
            runners[label, count] = ours
    records: dict[tuple[str, int, int], dict[str, Any]] = {}
    last: dict[tuple[str, int], float] = {}  # seconds a model
    for models in COUNTS:
        for _ in range(rounds):
            for (label, count), connection in runners.items():
                if last.get((label, count), 0.0) * models > most_seconds:
                    continue
                connection.send(models)
                seconds, loss = connection.recv()
                last[label, count] = seconds / models
                start = {"label": label, "cores": count, "models": models, "seconds": [], "loss": loss}
                records.setdefault((label, count, models), start)["seconds"].append(seconds)
    for connection in runners.values():
        connection.send(None)
    _, batch_size, rows_, epochs = NETWORKS[network]
    for record in records.values():
        steps = record["models"] * epochs * (rows_ // batch_size)
        record["models_a_second"] = record["models"] / median(record["seconds"])
        record["best_us_a_model_step"] = 1e6 * min(record["seconds"]) / steps
        record["us_a_model_step"] = 1e6 * median(record["seconds"]) / steps
        alone = records.get((record["label"], 1, record["models"]))
        if alone is not None and record["cores"] > 1:
            pairs = zip(alone["seconds"], record["seconds"], strict=False)
            record["times_one_core"] = median(one / several for one, several in pairs)
            record["best_times_one_core"] = min(alone["seconds"]) / min(record["seconds"])
    return list(records.values())


def digits(value: float | None) -> str:
    return "" if value is None else f"{value:,.{0 if value >= 100 else 1 if value >= 10 else 2}f}"


def table(records: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Return a network's table, head first."""
    head = (
        "contender",
        "cores",
        "models",
        "models/s",
        "µs a model-step",
        "best",
        "times one core",
        "best",
        "mean loss",
    )
    names = ("models_a_second", "us_a_model_step", "best_us_a_model_step", "times_one_core", "best_times_one_core")
    lines = [
        (r["label"], str(r["cores"]), f"{r['models']:,}", *(digits(r.get(name)) for name in names), f"{r['loss']:.4f}")
        for r in sorted(records, key=lambda r: (r["models"], r["us_a_model_step"]))
    ]
    return [head, *lines]


def arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS), help="which (default: all)")
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1, help="how many beside one (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each contender's turn comes (default: 5)")
    parser.add_argument("--most-seconds", type=float, default=10.0, help="longer turns are left out (default: 10)")
    parser.add_argument("--without-peers", action="store_true", help="hillwalker alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number to FILE too")
    parser.add_argument("--markdown", action="store_true", help="print the tables as docs/performance.md has them")
    given = parser.parse_args()
    if given.rounds < 1 or given.cores < 1 or given.most_seconds <= 0:
        parser.error("--rounds and --cores must be 1 or more, and --most-seconds more than 0")
    if given.json and not given.json.parent.is_dir():
        parser.error(f"--json {given.json}: the folder {given.json.parent} does not exist")
    return given


def main() -> None:
    """Measure, print, and write the file asked for."""
    given = arguments()
    import hillwalker.engine

    versions = {label: [machine.version_of(name) for name in needs] for label, (needs, _) in CONTENDERS.items()}
    labels = [
        label
        for label, (needs, _) in CONTENDERS.items()
        if all(versions[label]) and (needs == ("hillwalker",) or not given.without_peers)
    ]
    about = machine.describe() | {
        "instruction_set": hillwalker.engine.instruction_set(),
        "date": date.today().isoformat(),
        "load_before": machine.load(),
    }
    about["versions"] = "; ".join(dict.fromkeys(f"{CONTENDERS[label][0][0]} {versions[label][0]}" for label in labels))
    mark = "- " if given.markdown else ""
    for name, value in about.items():
        print(f"{mark}{name.replace('_', ' ')}: {value}")
    for label in [label for label in CONTENDERS if not all(versions[label])]:
        print(f"{mark}not here: {label} (pip install {' '.join(CONTENDERS[label][0])})")
    report: dict[str, Any] = {"machine": about, "rounds": given.rounds, "networks": {}}
    for network in given.networks:
        widths, batch_size, count, epochs = NETWORKS[network]
        task = f"{network}: {'-'.join(map(str, widths))}, batch {batch_size}, {count:,} rows, {epochs} epochs"
        records = race(network, labels, given.cores, given.rounds, given.most_seconds)
        lines = table(records)
        if given.markdown:
            rules = ["|---|" + "---:|" * (len(lines[0]) - 1)]
            text = ["| " + " | ".join(line) + " |" for line in lines]
            print(f"\n**{task}**\n\n" + "\n".join(text[:1] + rules + text[1:]), flush=True)
        else:
            widest = [max(map(len, column)) for column in zip(*lines, strict=True)]
            padded = ("  ".join(cell.rjust(w) for cell, w in zip(line, widest, strict=True)) for line in lines)
            print(f"\n{task}\n\n" + "\n".join(padded), flush=True)
        report["networks"][network] = {"task": task, "records": records}
    about["load_after"] = machine.load()
    print(f"\n{mark}load after: {about['load_after']}")
    if given.json:
        given.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
        print(f"written: {given.json}")


if __name__ == "__main__":
    main()
