"""`hw.compare`: variants × seeds, trained side by side, and what their difference is worth.

The one mechanism that retrains: whatever else asks "what if" asks it here.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import checks, losses
from hillwalker.choosing import backends, splits
from hillwalker.choosing.comparison import Comparison
from hillwalker.choosing.runs import Ledger, Outcome, Run, Task, in_portions
from hillwalker.choosing.variants import Variant, is_default, of_models, of_settings, stopping
from hillwalker.errors import HillwalkerWarning, InputError, InputTypeError, explain
from hillwalker.models import Sequential, edge
from hillwalker.training.callbacks import EarlyStopping
from hillwalker.training.progress import Shown

CALL = 'compare(model, X, y, vary={{"batch_size": [16, 64]}}, {})'


def compare(
    model: Sequential | Mapping[str, Sequential],
    X: Any,
    y: Any,
    vary: Any = None,
    seeds: int | Iterable[int] = 10,
    epochs: int = 100,
    batch_size: int | None = None,
    validation_split: float = 0.2,
    validation_data: Any = None,
    *,
    folds: int | Sequence[splits.Split] | None = None,
    cut_anew: bool = False,
    time_ordered: bool = False,
    sample_weight: Any = None,
    shuffle: bool = True,
    early_stopping: EarlyStopping | int | None = None,
    metric: str = "val_loss",
    reference: str | None = None,
    draws: int | None = None,
    draws_seed: int = 0,
    folder: Any = None,
    lanes: bool = False,
    threads: int | None = None,
    backend: Any = None,
    verbose: Any = "auto",
) -> Comparison:
    """Train variants of a model from several seeds each, and return all curves and what they say.

    Seeds are paired: from seed s every variant starts with the weights that `hw.copies(model, [s])` has, where shapes
    allow, and sees the rows in the same order, on the same split. So the differences of two variants' scores are free
    of what both share, and intervals are theirs. The numbers depend on neither threads nor what else is compared.

    Args:
        model: compiled; or several by label, `{"small": ..., "large": ...}`, and then no `vary`. It is left as it is.
        X, y: data for all.
        vary: a setting's name -> the values to try (all combinations), or a list of such choices. Settings of `fit`:
            batch_size, epochs, shuffle, early_stopping (or a patience); of `compile`: optimizer, learning_rate (or a
            schedule), loss, and the optimizer's numbers (momentum, weight_decay, clipnorm, ...); of the hidden layers:
            units (64, or (64, 32)), depth, activation, dropout, kernel_initializer; of all dense layers: l1, l2.
        seeds: how many, or which.
        epochs, batch_size, shuffle, early_stopping: what a variant is told that says nothing else.
        validation_split: the last part of the rows, which is validated on.
        validation_data: (X, y) or (X, y, sample_weight) to validate on instead.
        folds: cross-validation on so many parts drawn at random (stratified for classes) instead of one split; with
            `time_ordered`, each part is validated on after training on all rows before it. Or the splits themselves:
            pairs of row numbers (trained on, validated on), as scikit-learn's cross-validators yield them.
        cut_anew: whether each seed has random parts of its own: then results depend less on where it was cut.
        metric: what runs are judged by; "val_loss", or a metric the model measures. It counts at the run's last epoch,
            or where early stopping went back to.
        reference: the label that others are compared with; the model as it is, if it is
            among them, else the first.
        draws: so many variants drawn at random from `vary`, whose values may be functions of a NumPy generator.
        folder: where each run is written down as it is done; the same call with the same folder goes on there.
        lanes: whether small models of one shape share vectors; several times as fast, differing by rounding.
        threads: how many trainings run at a time.
        backend: None (threads of this process), or a joblib backend, such as "loky" (processes), "dask" (the cluster of
            the client in this process) or "ray"; one that `joblib.parallel_config` puts in force is used too. The
            numbers are the same to the bit; what a worker that dies had not handed over is done again. See
            docs/clusters.md.
        verbose: "auto" (a bar, if it takes over a second), 0 or 1.

    Ctrl-C returns the comparison of what is done. A run whose loss is not finite is marked failed, and its score is
    infinitely bad. Raises InputError or InputTypeError before anything is trained.

    >>> from hillwalker.layers import Dense, Input
    >>> model = Sequential([Input((1,)), Dense(8, activation="tanh"), Dense(1)])
    >>> model.compile(optimizer="sgd", loss="mse")
    >>> X = np.linspace(-1, 1, 64).reshape(-1, 1)[np.random.default_rng(0).permutation(64)]
    >>> comparison = compare(model, X, X**2, vary={"learning_rate": [0.001, 0.1]}, seeds=5, epochs=30, verbose=0)
    >>> comparison.best
    'learning_rate=0.1'
    """
    told = {
        "batch_size": edge.batch_size(batch_size, "fit"),
        "epochs": checks.positive_integer("epochs", epochs, CALL.format("epochs=50")),
        "shuffle": bool(shuffle),
        "early_stopping": stopping(early_stopping, CALL.format("early_stopping=20")),
    }
    variants = _variants(model, vary, draws, draws_seed)
    numbers = _seeds(seeds)
    if threads is not None:
        threads = checks.positive_integer("threads", threads, CALL.format("threads=4"))
    backends.require(backend)
    first = variants[0].model
    data = first._edge.data(X, y, sample_weight, call="compare")
    first._warn_of_mistakes(data)
    if validation_data is not None and (folds is not None or time_ordered):
        raise InputError(explain("validation_data and folds.", "one of them.", CALL.format("folds=5")))
    cuts = len(numbers) if cut_anew else 1
    if cut_anew and (time_ordered or not isinstance(folds, (int, np.integer))):
        passed = f"cut_anew with folds={folds!r}, time_ordered={time_ordered}."
        raise InputError(explain(passed, "parts drawn at random.", CALL.format("folds=5, cut_anew=True")))
    parts = None
    if validation_data is None:
        parts = parts_of(first, data, folds, time_ordered, validation_split, cuts)
        if folds is None:
            _warn_of_sorted(np.asarray(data.y)[:, 0], time_ordered)
    task = Task(variants, X, y, sample_weight, validation_data, parts, told, lanes)
    place = _reference(variants, reference, model, told)
    if metric.removeprefix("val_") == "loss" and len({losses.get(variant.model.loss).kind for variant in variants}) > 1:
        passed = "variants with different losses, compared by their loss."
        fix = 'model.compile(..., metrics=["mae"]) and compare(..., metric="val_mae")'
        raise InputError(explain(passed, "a metric that means the same for all.", fix))
    known = ["loss", *(name for name in _measured(first))]
    if metric.removeprefix("val_") not in known:
        raise InputError(explain(f"metric={metric!r}.", f"one of {', '.join(f'val_{name}' for name in known)}."))

    per_seed = 1 if parts is None else len(parts) // cuts
    runs = [
        Run(variant, seed, split + (per_seed * place_of_seed if cut_anew else 0))
        for place_of_seed, seed in enumerate(numbers)
        for split in range(per_seed)
        for variant in range(len(variants))
    ]
    ledger = Ledger(folder, task, numbers)
    done: dict[Run, Outcome] = {run: found for run in runs if (found := ledger.find(run)) is not None}
    missing = [run for run in runs if run not in done]
    shown, interrupted = Shown("compare", verbose), False
    try:
        for run, outcome in _done(task, missing, threads, backend, shown):
            ledger.add(run, outcome)
            done[run] = outcome
    except KeyboardInterrupt:
        interrupted = True
    finally:
        shown.close()
    if interrupted and not done:
        raise KeyboardInterrupt
    return _recorded(task, numbers, per_seed, done, metric, place, interrupted)


def _done(
    task: Task, runs: Sequence[Run], threads: int | None, backend: Any, show: Callable[[float], None]
) -> Iterator[tuple[Run, Outcome]]:
    if backends.is_wanted(backend):
        return backends.in_portions(task, runs, backend, threads, show)
    return in_portions(task, runs, threads, show)


def _variants(model: Any, vary: Any, draws: int | None, seed: int) -> list[Variant]:
    if isinstance(model, Mapping):
        if vary is not None or not model:
            passed = "models by label, and vary." if model else "no models."
            raise InputError(explain(passed, "one of them.", 'compare({"small": model_1, "large": model_2}, X, y)'))
        return of_models(model)
    if draws is not None:
        draws = checks.positive_integer("draws", draws, CALL.format("draws=20"))
    return of_settings(model, [{}] if vary is None else vary, draws, seed)


def _seeds(seeds: Any) -> list[int]:
    if isinstance(seeds, (int, np.integer)) and not isinstance(seeds, bool):
        return list(range(checks.positive_integer("seeds", seeds, CALL.format("seeds=10"))))
    if isinstance(seeds, (str, bytes)) or not isinstance(seeds, Iterable):
        raise InputTypeError(
            explain(f"seeds={seeds!r}.", "how many, or a list of whole numbers.", CALL.format("seeds=10"))
        )
    numbers = [edge.not_negative_integer("seeds", seed, CALL.format("seeds=[1, 2, 3]")) for seed in seeds]
    if not numbers or len(set(numbers)) < len(numbers):
        raise InputError(explain(f"seeds={numbers}.", "at least one, each once.", CALL.format("seeds=[1, 2, 3]")))
    return numbers


def parts_of(
    model: Sequential, data: Any, count: Any, time_ordered: bool, share: float, cuts: int = 1
) -> list[splits.Split]:
    """Return the splits that runs take: one without `count`, else folds, stratified for classes, cut so many times."""
    if count is None:
        return [splits.one_split(len(data), share)]
    if isinstance(count, Iterable) and not isinstance(count, (str, bytes)):
        return splits.given(count, len(data), CALL.format("folds=5"))
    count = checks.positive_integer("folds", count, CALL.format("folds=5"))
    if time_ordered:
        return splits.folds_in_time(len(data), count)
    kind = losses.get(model.loss).kind
    classes = None
    if "crossentropy" in kind:
        classes = data.y.argmax(axis=1) if data.y.shape[1] > 1 else data.y[:, 0]
    return [part for cut in range(cuts) for part in splits.folds(len(data), count, [0, cut] if cut else 0, classes)]


def _warn_of_sorted(y: NDArray[Any], time_ordered: bool) -> None:
    """Say it where the last rows are of other values than the rest: sorted data make any comparison worthless."""
    steps = np.diff(y)
    if not time_ordered and len(y) > 20 and (np.all(steps >= 0) or np.all(steps <= 0)) and np.any(steps != 0):
        passed = "rows that are sorted by y, of which the last part is validated on."
        message = explain(passed, "rows in no order, or in time.", CALL.format("folds=5"))
        warnings.warn(message, HillwalkerWarning, stacklevel=3)


def _reference(variants: Sequence[Variant], label: str | None, model: Any, told: dict[str, Any]) -> int:
    labels = [variant.label for variant in variants]
    if label is not None:
        if label not in labels:
            raise InputError(
                explain(f"reference={label!r}.", f"one of {', '.join(labels)}.", CALL.format("reference=..."))
            )
        return labels.index(label)
    if isinstance(model, Mapping):
        return 0
    return next((place for place, variant in enumerate(variants) if is_default(variant, model, told)), 0)


def _measured(model: Sequential) -> list[str]:
    model_metrics = [*model._metrics, *model._weighted_metrics]
    return [name if isinstance(name, str) else getattr(name, "name", None) or name.__name__ for name in model_metrics]


def _recorded(
    task: Task, seeds: Sequence[int], parts: int, done: Mapping[Run, Outcome], metric: str, reference: int,
    interrupted: bool,
) -> Comparison:  # fmt: skip
    shape = (len(task.variants), len(seeds), parts)
    longest = max((len(outcome.curves["loss"]) for outcome in done.values()), default=1)
    names = list(dict.fromkeys(name for outcome in done.values() for name in outcome.curves))
    curves = {name: np.full((*shape, longest), np.nan) for name in names}
    epochs, kept = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    failed, is_done = np.zeros(shape, bool), np.zeros(shape, bool)
    seconds, penalties = np.full(shape, np.nan), np.zeros(shape)
    for run, outcome in done.items():
        place = (run.variant, seeds.index(run.seed), run.split % parts)
        for name, values in outcome.curves.items():
            curves[name][(*place, slice(len(values)))] = values
        epochs[place], kept[place] = len(outcome.curves["loss"]), outcome.kept
        failed[place], is_done[place], seconds[place] = outcome.failed, True, outcome.seconds
        penalties[place] = outcome.penalty
    rows = [(len(task.x) if task.splits is None else float(np.mean([len(part[0]) for part in task.splits])))]
    operations = np.array(
        [_operations(variant, rows[0], float(epochs[n].mean())) for n, variant in enumerate(task.variants)]
    )
    overlap = 0.0
    if task.splits is not None and parts > 1:
        overlap = float(np.mean([len(held_out) / len(trained) for trained, held_out in task.splits]))
    return Comparison(
        tuple(variant.label for variant in task.variants),
        tuple(variant.settings for variant in task.variants),
        tuple(seeds), metric, reference, curves, epochs, kept, failed, is_done, seconds, penalties, operations,
        overlap, interrupted,
    )  # fmt: skip


def _operations(variant: Variant, rows: float, epochs: float) -> float:
    """Return the floating-point operations of a training in the three products: 6 a weight, row and epoch."""
    model = variant.model
    weights = sum(math.prod(s.shape) for s in model.plan.segments if len(s.shape) == 2) if model.built else math.nan
    return 6.0 * weights * rows * epochs
