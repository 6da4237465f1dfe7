"""What the gradient noise scale says of the batch size, against the steps that trainings really needed.

    python benchmarks/batch_size.py [--optimizer adam] [--seeds 10] [--share 0.95] [--json FILE] [NAME ...]

For each problem and batch size an optimizer trains at many learning rates; the steps to a training loss at the best of
them are fitted by steps = S_min (1 + B_crit / B), as in McCandlish et al. (2018). B_crit with its interval (seeds drawn
anew) stands beside the noise scale predicted by `hw.gradient_noise`: before training, over it (moments averaged, then
divided), and where the loss is reached.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from problems import Problem, problems

import hillwalker as hw

CHOSEN = ("digits", "breast cancer", "classification", "four classes", "large batches", "moons", "friedman 1",
          "swiss roll", "linear", "sine")  # fmt: skip
RATES = {  # of the grid, by optimizer
    "sgd": tuple(float(f"{rate:.3g}") for rate in 10.0 ** np.arange(-2.5, 0.76, 0.25)),
    "adam": tuple(float(f"{rate:.3g}") for rate in 10.0 ** np.arange(-3.5, -0.24, 0.25)),
}
DRAWS = 300


def sizes_for(rows: int) -> list[int]:
    """Return powers of two from 4 to a third of the rows."""
    return [2**power for power in range(2, 10) if 2**power <= rows / 3]


def sweep(
    problem: Problem, optimizer: str, seeds: int, steps: int, threads: int | None
) -> tuple[Any, list[int], np.ndarray]:
    """Return the comparison of all sizes and rates, the sizes, and the losses before training, (seeds,)."""
    model, rows = problem.model(optimizer), len(problem.X)
    sizes = sizes_for(rows)
    vary = [
        {"batch_size": size, "learning_rate": rate, "epochs": max(3, round(steps / math.ceil(rows / size)))}
        for size in sizes
        for rate in RATES[optimizer]
    ]
    found = hw.compare(
        model, problem.X, problem.y, vary, seeds=seeds, validation_data=(problem.X, problem.y), threads=threads,
        verbose=0,
    )  # fmt: skip
    first = [copy.evaluate(problem.X, problem.y, verbose=0) for copy in hw.copies(model, seeds)]
    return found, sizes, np.array(first, dtype=float)


def steps_to(target: float, curve: np.ndarray, first: float, an_epoch: int) -> float:
    """Return the steps until a curve of losses by epoch falls to the target, between epochs along a straight line."""
    losses = np.concatenate([[first], curve])
    below = np.flatnonzero(losses <= target)
    if not below.size:
        return math.inf
    at = int(below[0])
    if at == 0:
        return 0.0
    part = (losses[at - 1] - target) / (losses[at - 1] - losses[at])
    return (at - 1 + float(part)) * an_epoch


def fitted(sizes: np.ndarray, steps: np.ndarray) -> tuple[float, float]:
    """Return S_min and B_crit of steps = S_min (1 + B_crit / B), by least squares of the logarithms."""
    known = np.isfinite(steps) & (steps > 0)
    if known.sum() < 3:
        return math.nan, math.nan
    candidates = np.geomspace(0.5, 8192, 600)
    shapes = np.log1p(candidates[:, np.newaxis] / sizes[known])
    errors = np.log(steps[known]) - shapes
    spread = errors.var(axis=1)
    best = int(spread.argmin())
    return float(np.exp(errors[best].mean())), float(candidates[best])


def measured(
    found: Any, sizes: list[int], rates: tuple[float, ...], first: np.ndarray, rows: int, target: float
) -> dict[str, Any]:
    """Return the steps of each size at its best rate, and the critical batch size with its interval."""
    curves = found.curves["val_loss"][:, :, 0]
    shape = (len(sizes), len(rates), len(first))
    steps = np.full(shape, math.inf)
    for place in np.ndindex(*shape):
        size, rate, seed = place
        an_epoch = math.ceil(rows / sizes[size])
        steps[place] = steps_to(target, curves[size * len(rates) + rate, seed], first[seed], an_epoch)

    def at_best_rates(seeds: np.ndarray) -> np.ndarray:
        ordered = np.sort(steps[:, :, seeds], axis=-1)
        return ordered[:, :, len(seeds) // 2].min(axis=1)

    everyone = np.arange(len(first))
    needed = at_best_rates(everyone)
    fewest, critical = fitted(np.array(sizes), needed)
    random = np.random.default_rng(0)
    drawn = [fitted(np.array(sizes), at_best_rates(random.choice(everyone, len(first))))[1] for _ in range(DRAWS)]
    known = [value for value in drawn if math.isfinite(value)]
    low, high = np.percentile(known, [2.5, 97.5]) if known else (math.nan, math.nan)
    middle = np.sort(steps, axis=-1)[:, :, len(first) // 2]
    chosen = [rates[int(place)] for place in middle.argmin(axis=1)]
    return {"steps": needed.tolist(), "rates": chosen, "fewest": fewest, "critical": critical,
            "interval": [float(low), float(high)]}  # fmt: skip


def predicted(problem: Problem, make: Callable[[], Any], size: int, steps: float, seeds: int) -> dict[str, float]:
    """Return the noise scale before, over and at the end of a training to the target, geometric means over seeds."""
    an_epoch = math.ceil(len(problem.X) / size)
    epochs = max(2, math.ceil(steps / an_epoch))
    told: dict[str, list[float]] = {"start": [], "over": [], "end": []}
    for seed in range(seeds):
        (model,) = hw.copies(problem.model(make()), [seed])
        recorder = hw.callbacks.Recorder(every=max(1, epochs // 40))
        model.fit(problem.X, problem.y, batch_size=size, epochs=epochs, verbose=0, callbacks=[recorder])
        noise = hw.gradient_noise(model, problem.X, problem.y, [8], draws=1, recording=recorder.recording, verbose=0)
        assert noise.course is not None
        told["start"].append(float(noise.course.noise_scale[0]))
        told["over"].append(noise.course.over())
        told["end"].append(float(noise.course.noise_scale[-1]))
    return {name: float(np.exp(np.median(np.log(values)))) for name, values in told.items()}


def judge(
    problem: Problem, optimizer: str, seeds: int, steps: int, share: float, threads: int | None
) -> dict[str, Any]:
    """Return what was predicted and what was measured on one problem."""
    rows = len(problem.X)
    found, sizes, first = sweep(problem, optimizer, seeds, steps, threads)
    curves = found.curves["val_loss"][:, :, 0]
    at_end = np.where(np.isfinite(curves), curves, np.inf).min(axis=-1)  # (variants, seeds)
    lowest = np.median(at_end, axis=1).reshape(len(sizes), -1).min(axis=1)  # each size at its best rate
    reachable = float(lowest.max())  # by every size
    start = float(np.median(first))
    target = start - share * (start - reachable)
    result = measured(found, sizes, RATES[optimizer], first, rows, target)
    place = len(sizes) // 2
    result |= {"name": problem.name, "rows": rows, "sizes": sizes, "target": target}
    kind, rate = type(hw.optimizers.get(optimizer)), result["rates"][place]
    result["predicted"] = predicted(problem, lambda: kind(rate), sizes[place], result["steps"][place], seeds)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", default=list(CHOSEN))
    parser.add_argument("--optimizer", choices=list(RATES), default="sgd")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--share", type=float, default=0.95, help="of the way from the first loss to the lowest that "
                        "all sizes reach: the target")  # fmt: skip
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", metavar="FILE")
    told = parser.parse_args()
    known = {problem.name: problem for problem in problems()}
    print(f"{'problem':<18}{'rows':>6}{'measured B_crit':>18}{'95 %':>16}{'start':>8}{'over':>8}{'end':>8}  "
          "over / measured; steps by batch size")  # fmt: skip
    results = []
    for name in told.names:
        result = judge(known[name], told.optimizer, told.seeds, told.steps, told.share, told.threads)
        results.append(result)
        low, high = result["interval"]
        guess = result["predicted"]
        steps = " ".join(f"{size}:{count:.0f}" for size, count in zip(result["sizes"], result["steps"], strict=True))
        print(f"{name:<18}{result['rows']:>6}{result['critical']:>18.3g}{f'{low:.3g} - {high:.3g}':>16}"
              f"{guess['start']:>8.3g}{guess['over']:>8.3g}{guess['end']:>8.3g}  "
              f"{guess['over'] / result['critical']:.2f}; {steps}", flush=True)  # fmt: skip
    ratios = {
        name: np.array([result["predicted"][name] / result["critical"] for result in results])
        for name in ("start", "over", "end")
    }
    for name, ratio in ratios.items():
        logs = np.log2(ratio[np.isfinite(ratio) & (ratio > 0)])
        if not len(logs):
            continue
        order = np.corrcoef(
            np.argsort(np.argsort([result["predicted"][name] for result in results])),
            np.argsort(np.argsort([result["critical"] for result in results])),
        )[0, 1] if len(results) > 2 else math.nan  # fmt: skip
        print(f"{name:<6} median ratio {2 ** np.median(logs):.2f}, within a factor 2: {np.mean(abs(logs) <= 1):.0%}, "
              f"within 4: {np.mean(abs(logs) <= 2):.0%}, rank correlation {order:.2f}")  # fmt: skip
    if told.json:
        Path(told.json).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
