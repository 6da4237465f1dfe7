"""Many models at once: copies of one model, and one call that trains them all on all cores.

What the user passes is checked here, for all models, before any of them is trained; `training/many.py` does the rest.
"""

from __future__ import annotations

import copy
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from hillwalker import checks, config
from hillwalker.errors import HillwalkerWarning, InputError, InputTypeError, explain
from hillwalker.models import edge, stack
from hillwalker.models.files import clone_model
from hillwalker.models.sequential import Sequential
from hillwalker.training import loop, many
from hillwalker.training.batches import Data
from hillwalker.training.callbacks import EarlyStopping
from hillwalker.training.history import History
from hillwalker.training.job import Chosen, Job, RowNumbers
from hillwalker.training.progress import Shown, display

QUIET = 1.0  # seconds that a run may take before it shows anything

CALL = "fit_many(models, X, y, {})"


def copies(model: Sequential, seeds: int | Iterable[int]) -> list[Sequential]:
    """Return new models of the same architecture, compiled like this one, each with weights drawn from its own seed.

    `seeds` is a list of whole numbers, or how many: 10 means the seeds 0 to 9. A copy is the model that would be made
    after `hw.utils.set_random_seed(seed)`, whatever the other seeds; its row orders and dropout masks follow from its
    seed too. The global generator is left as it is.

    >>> from hillwalker.layers import Dense, Input
    >>> model = Sequential([Input((2,)), Dense(4, activation="relu"), Dense(1)])
    >>> model.compile(optimizer="adam", loss="mse")
    >>> three = copies(model, 3)
    >>> len(three), bool((three[2].get_weights()[0] == copies(model, [2])[0].get_weights()[0]).all())
    (3, True)
    """
    if not isinstance(model, Sequential):
        raise InputTypeError(explain(f"copies of {model!r}.", "a model.", "copies(model, 10)"))
    if isinstance(seeds, (int, np.integer)):
        seeds = range(checks.positive_integer("seeds", seeds, "copies(model, 10)"))
    return [_copy(model, seed) for seed in seeds]


def _copy(model: Sequential, seed: int) -> Sequential:
    with config.seeded(seed):
        made = clone_model(model)
    made._told = model._told  # a mistake that is in all of them is told once
    if model.optimizer is not None:
        optimizer = copy.copy(model.optimizer)
        optimizer.owner = None
        metrics, weighted = copy.deepcopy((model._metrics, model._weighted_metrics))
        made.compile(optimizer, model.loss, metrics=metrics, weighted_metrics=weighted)
    made.preprocessing = copy.deepcopy(model.preprocessing)
    return made


def fit_many(
    models: Sequence[Sequential],
    x: Any,
    y: Any,
    batch_size: Any = None,
    epochs: Any = 1,
    verbose: Any = "auto",
    validation_split: Any = 0.0,
    validation_data: Any = None,
    shuffle: Any = True,
    sample_weight: Any = None,
    *,
    rows: Any = None,
    validation_rows: Any = None,
    early_stopping: Any = None,
    order_seed: int | None = None,
    lanes: bool = False,
    threads: int | None = None,
) -> list[History]:
    """Train independent models side by side, one on each core, and return their curves.

    Every model ends with the weights and the curves that `model.fit` would give it alone, bit for bit: they depend
    neither on the number of threads nor on the other models. The models may differ in everything: layers, optimizer,
    learning rate, loss. Where an argument below may differ, pass a list with one value for each model.

    Args:
        models: built or not, all compiled.
        x, y: data for all models, never copied for each; or a list of arrays, one for each model.
        batch_size, epochs, shuffle: as in `fit`; or a list.
        verbose: "auto" (a bar, if it takes over a second), 0 (nothing) or 1.
        validation_split: the last part of a model's rows; or a list.
        validation_data: (x, y) or (x, y, sample_weight); or a list of them.
        sample_weight: one weight a row of x; or a list of arrays.
        rows: the numbers of the rows of x that are trained on, in this order, repeats allowed: an array of whole
            numbers or of booleans, a range or a slice; or a list of them.
        validation_rows: the rows of x that are validated on; or a list.
        early_stopping: an `EarlyStopping` callback, whose settings hold for each model by itself; or a list.
        order_seed: the seed of the rows' order for all models; None: each model's own.
        lanes: whether small models of one shape are trained side by side in the lanes of a vector, several times as
            fast. They share the rows and their order (`order_seed`, 0 if it is None), and sums run in another order,
            so the numbers differ from those of `fit` by rounding; they still depend on no other model.
        threads: how many trainings run at a time; None: `config.threads()`.

    Ctrl-C ends the run: what is finished stays, and the others keep what they have learned, as after `fit`. A model
    whose loss is no longer finite goes back to its last finite epoch, and the others go on; `stop_reason` tells. Models
    with metrics or with functions written in Python are trained too, but take turns while Python runs.
    Raises InputError or InputTypeError before anything is trained.

    >>> import numpy as np
    >>> from hillwalker.layers import Dense, Input
    >>> model = Sequential([Input((2,)), Dense(8, activation="tanh"), Dense(1)])
    >>> model.compile(optimizer="adam", loss="mse")
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0]]); y = np.array([1.0, -1.0])
    >>> models = copies(model, seeds=20)
    >>> histories = fit_many(models, X, y, epochs=300, verbose=0)
    >>> len(histories), all(history.history["loss"][-1] < history.history["loss"][0] for history in histories)
    (20, True)
    """
    checked = _checked_models(models)
    display(verbose, sys.stdout)  # may refuse
    threads = _threads(threads)
    if order_seed is not None:
        order_seed = edge.not_negative_integer("order_seed", order_seed, CALL.format("order_seed=0"))
    elif lanes:
        order_seed = 0
    told = _Told(
        len(checked),
        x=(x, _is_one_table),
        y=(y, _is_one_column),
        sample_weight=(sample_weight, _is_one_column),
        batch_size=(batch_size, _is_plain),
        epochs=(epochs, _is_plain),
        shuffle=(shuffle, _is_plain),
        validation_split=(validation_split, _is_plain),
        validation_data=(validation_data, _is_one_pair),
        rows=(rows, _is_one_choice),
        validation_rows=(validation_rows, _is_one_choice),
        early_stopping=(early_stopping, _is_plain),
    )
    unbuilt = [model for model in checked if not model.built]
    try:
        jobs = told.jobs(checked, order_seed, verbose)
        _warn_of_mistakes(jobs)
    except BaseException:
        for model in unbuilt:
            model._unbuild()
        raise
    shown = Shown("fit_many", verbose, QUIET)
    try:
        many.train(jobs, threads, bool(lanes), shown)
    finally:
        shown.close()
    _warn_of_failures(checked)
    return [model.history for model in checked if model.history is not None]


def _checked_models(models: Any) -> list[Sequential]:
    if isinstance(models, Sequential) or not isinstance(models, (list, tuple)):
        kind = type(models).__name__
        raise InputTypeError(explain(f"models of type {kind}.", "a list of models.", CALL.format("...")))
    seen: set[int] = set()
    for number, model in enumerate(models):
        if not isinstance(model, Sequential):
            passed = f"{model!r} as model {number}."
            raise InputTypeError(explain(passed, "a Sequential.", "fit_many(copies(model, 10), X, y)"))
        if id(model) in seen:
            passed = f"the model {model.name!r} twice, as model {number} again."
            raise InputError(explain(passed, "each model once.", "fit_many(copies(model, 10), X, y)"))
        seen.add(id(model))
    return list(models)


def _threads(threads: Any) -> int:
    if threads is not None:
        return checks.positive_integer("threads", threads, CALL.format("threads=4"))
    return config.threads()


class _Told:
    """The arguments, by model; data that several models share are checked once for all that check them alike.

    Each argument comes with the function that says whether it is one value for all models.
    """

    def __init__(self, count: int, **arguments: tuple[Any, Callable[[Any], bool]]) -> None:
        self.count = count
        self.checked: dict[tuple[Any, ...], Data] = {}
        self.numbered: dict[tuple[Any, ...], RowNumbers] = {}
        self.keep: list[Any] = []  # what `checked` and `numbered` know by its address
        self.each = {name: self._each(name, value, is_one) for name, (value, is_one) in arguments.items()}

    def _each(self, name: str, value: Any, is_one: Callable[[Any], bool]) -> list[Any]:
        if is_one(value):
            return [value] * self.count
        if len(value) != self.count:
            passed = f"{name} with {len(value)} values for {self.count} models."
            raise InputError(explain(passed, "one value for all models, or one for each.", CALL.format(f"{name}=...")))
        return list(value)

    def jobs(self, models: list[Sequential], order_seed: int | None, verbose: Any) -> list[Job]:
        """Return the trainings, everything checked."""
        return [
            self._job(model, {name: values[number] for name, values in self.each.items()}, order_seed, verbose)
            for number, model in enumerate(models)
        ]

    def _job(self, model: Sequential, told: dict[str, Any], order_seed: int | None, verbose: Any) -> Job:
        size = edge.batch_size(told["batch_size"], "fit")
        epochs = edge.not_negative_integer("epochs", told["epochs"], CALL.format("epochs=10"))
        settings = loop.Settings(epochs, size, bool(told["shuffle"]), 1, size)
        data = self._data(model, told["x"], told["y"], told["sample_weight"])
        sample, validation = self._parts(model, data, told)
        state = model._ready(told["x"], data)
        edge.check_own_functions(state, data)
        early_stopping = _early_stopping(told["early_stopping"], model, validation is not None)
        assert model._loss is not None
        params = {
            "verbose": verbose,
            "epochs": epochs,
            "steps": -(-len(sample) // size),
            "batch_size": size,
            "samples": len(sample),
            "validation_freq": 1,
            "loss": model._loss.kind or model._loss.name,
        }
        return Job(model, state, sample, validation, settings, early_stopping, order_seed, params)

    def _data(self, model: Sequential, x: Any, y: Any, weight: Any, prefix: str = "") -> Data:
        """Return checked data; the same arrays for the same kind of model are looked at once."""
        own, loss = model._edge, model._loss  # of a model not built yet, only its layers know what it puts out
        outputs = model.plan.output_width if model.built else id(model)
        kind = None if loss is None else (loss.kind or loss.name, getattr(loss, "from_logits", False))
        labels = outputs, stack.output_activation(model._layers), kind
        key = (id(x), id(y), id(weight), own.dtype, own.row_shape, labels, prefix)
        if key not in self.checked:
            self.checked[key] = own.data(x, y, weight, call="fit", prefix=prefix)
            self.keep += [x, y, weight]
        return self.checked[key]

    def _parts(self, model: Sequential, data: Data, told: dict[str, Any]) -> tuple[Chosen, Chosen | None]:
        """Return what a model trains on, and what it validates on."""
        rows = self._rows(told["rows"], len(data), "rows")
        given = told["validation_data"], told["validation_rows"]
        share = told["validation_split"]
        if sum(value is not None for value in given) + bool(share) > 1:
            passed = "more than one of validation_split, validation_data and validation_rows."
            raise InputError(explain(passed, "one of them.", CALL.format("validation_split=0.2")))
        if given[0] is not None:
            pair = given[0]
            if not isinstance(pair, (tuple, list)) or len(pair) not in (2, 3):
                passed = f"validation_data of type {type(pair).__name__}."
                fix = CALL.format("validation_data=(X_validation, y_validation)")
                raise InputError(explain(passed, "(X, y) or (X, y, sample_weight).", fix))
            held_out = self._data(model, pair[0], pair[1], pair[2] if len(pair) == 3 else None, "validation ")
            if held_out.x.shape[1] != data.x.shape[1]:
                passed = f"validation X of shape {held_out.x.shape} beside X of shape {data.x.shape}."
                raise InputError(explain(passed, "the same columns."))
            return Chosen(data, rows), Chosen(held_out)
        if given[1] is not None:
            return Chosen(data, rows), Chosen(data, self._rows(given[1], len(data), "validation_rows"))
        count = len(data) if rows is None else len(rows)
        kept = checks.validation_split(share, count)
        if kept == count:
            return Chosen(data, rows), None
        if rows is None:
            return Chosen(data[:kept]), Chosen(data[kept:])
        return Chosen(data, rows[:kept]), Chosen(data, rows[kept:])

    def _rows(self, chosen: Any, count: int, name: str) -> RowNumbers | None:
        if chosen is None:
            return None
        if (id(chosen), count) not in self.numbered:
            self.numbered[id(chosen), count] = row_numbers(chosen, count, name)
            self.keep.append(chosen)
        return self.numbered[id(chosen), count]


def row_numbers(chosen: Any, count: int, name: str) -> RowNumbers:
    """Return chosen rows of `count` as row numbers; they may be numbers, booleans, a range or a slice.

    >>> row_numbers(slice(-2, None), 5, "rows"), row_numbers([True, False, True], 3, "rows")
    (array([3, 4], dtype=uint32), array([0, 2], dtype=uint32))
    """
    numbers = np.arange(count)[chosen] if isinstance(chosen, slice) else np.asarray(chosen)
    if numbers.dtype == bool and numbers.shape == (count,):
        numbers = np.flatnonzero(numbers)
    fix = CALL.format(f"{name}=range({count})")
    if numbers.ndim != 1 or numbers.size == 0 or numbers.dtype.kind not in "iu":
        passed = f"{name} of shape {numbers.shape} and dtype {numbers.dtype}."
        raise InputError(explain(passed, f"row numbers, shape (n,), or {count} booleans; at least one row.", fix))
    wrong = numbers[(numbers < 0) | (numbers >= count)]
    if wrong.size:
        raise InputError(explain(f"{name} with {wrong[0]}.", f"row numbers from 0 to {count - 1}.", fix))
    return np.ascontiguousarray(numbers, dtype=np.uint32)


# Whether an argument is one value for all models, and not a list of one for each. Only a list of arrays or frames is
# such a list of data; a list of lists of numbers is data for all, as in `fit`.


def _is_plain(value: Any) -> bool:
    return not isinstance(value, (list, tuple))


def _is_one_table(value: Any) -> bool:
    return _is_plain(value) or not value or not all(len(getattr(part, "shape", ())) > 1 for part in value)


def _is_one_column(value: Any) -> bool:
    return _is_plain(value) or not value or not all(len(getattr(part, "shape", ())) > 0 for part in value)


def _is_one_pair(value: Any) -> bool:
    return not isinstance(value, list) or not value or not all(pair is None or type(pair) is tuple for pair in value)


def _is_one_choice(value: Any) -> bool:
    return _is_plain(value) or not value or all(isinstance(part, (int, np.generic)) for part in value)


def _early_stopping(value: Any, model: Sequential, validates: bool) -> EarlyStopping | None:
    if value is None:
        return None
    if type(value) is not EarlyStopping:
        fix = CALL.format("early_stopping=hw.callbacks.EarlyStopping(patience=10)")
        raise InputTypeError(explain(f"early_stopping={value!r}.", "an EarlyStopping callback, or None.", fix))
    names = ["loss", *model.state.tracker.names]
    known = [*names, *(f"val_{name}" for name in names if validates)]
    if value.monitor not in known:
        passed = f"EarlyStopping(monitor={value.monitor!r}), which is not measured."
        has_split = CALL.format("validation_split=0.2, early_stopping=...")
        raise InputError(
            explain(passed, f"one of {', '.join(known)}.", has_split if value.monitor.startswith("val_") else None)
        )
    return value


def _warn_of_mistakes(jobs: Sequence[Job]) -> None:
    """Look at each kind of model on each data once, and tell each mistake once."""
    told: set[str] = set()
    seen: set[tuple[Any, ...]] = set()
    for job in jobs:
        data, model = job.sample.data, job.model
        assert data.y is not None
        addresses = [array.__array_interface__["data"][0] for array in (data.x, data.y)]
        kind = edge.kind(model._loss), stack.output_activation(model._layers), *map(type, model._layers)
        if (key := (*addresses, len(data), *kind)) not in seen:
            seen.add(key)
            told |= model._told
            model._warn_of_mistakes(data, told, stacklevel=5)
    for job in jobs:
        job.model._told |= told


def _warn_of_failures(models: list[Sequential]) -> None:
    """Say once how many trainings failed; the ordinary loop has said it for those it ran."""
    failed = [(number, model) for number, model in enumerate(models) if model.stop_reason and not model.interrupted]
    if failed:
        number, first = failed[0]
        passed = f"{len(models)} trainings, {len(failed)} of which failed; model {number}: {first.stop_reason}."
        fix = "a smaller learning rate, standardised inputs, or clipnorm=1.0"
        warnings.warn(explain(passed, "a finite loss.", fix), HillwalkerWarning, stacklevel=3)
