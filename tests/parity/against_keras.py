"""One case on both engines and in Keras, in both precisions; run.py says how many."""

from __future__ import annotations

import os
from typing import Any

import keras
import numpy as np
from cases import Case, draw
from judge import ROUNDING, Numbers, disagreements, nearly, numbers, spread
from keras.src.backend.common import dtypes

import hillwalker

# Keras with JAX or torch multiplies float64 in float32, because of this entry; nothing exact would be left to compare.
dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"

if keras.backend.backend() == "torch":
    import against_pytorch
    from keras.src.backend.torch import nn

    nn.hard_sigmoid, nn.softplus = against_pytorch.exact_hard_sigmoid, against_pytorch.exact_softplus


def check(seed: int, number: int) -> tuple[list[str], str]:
    """Return what disagrees in a case (nothing, it is hoped), and its script."""
    for attempt in range(20):
        case = draw(seed, number, attempt)
        weights = _starting_weights(case)
        theirs = {kind: _train(keras, case, weights, kind) for kind in ("float64", "float32")}
        if all(np.isfinite(value).all() for value in theirs["float32"].values()):
            break  # what overflows is no question of rounding: another case in its place
    found: list[str] = []
    center = _ours(case, weights, "float64", "compiled")
    rounding = {
        kind: spread(center, [_ours(case, nearly(weights, by, change), "float64", "compiled") for change in range(4)])
        for kind, by in ROUNDING.items()
    }
    rows = case.data[1]
    for engine in ("reference", "compiled"):
        ours = _ours(case, weights, "float64", engine)
        found += [
            f"{engine}: {line}" for line in disagreements(ours, theirs["float64"], rounding["float64"], "float64", rows)
        ]
    ours = _ours(case, weights, "float32", "compiled")
    samples = [theirs["float32"]]
    while True:  # Keras is asked for more samples of its own rounding only where the first does not explain ours
        own = spread(theirs["float64"], samples)
        allowed = {name: max(own[name], rounding["float32"].get(name, 0.0)) for name in own}
        lines = disagreements(ours, theirs["float64"], allowed, "float32", rows)
        if not lines or len(samples) > 4:
            return [*found, *lines], case.script()
        samples.append(_train(keras, case, nearly(weights, ROUNDING["float32"], len(samples)), "float32"))


def _starting_weights(case: Case) -> list[Any]:
    """Return Keras's own, with noise on those that start alike (biases, normalisation): no fault hides behind zero."""
    keras.utils.set_random_seed(case.number)
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    model = _built(keras, case)["model"]
    random = np.random.default_rng(case.number)
    weights = [np.asarray(weight) for weight in model.get_weights()]
    return [
        (weight + random.uniform(0.0, 0.3, size=weight.shape)).astype(np.float32) if weight.ndim == 1 else weight
        for weight in weights
    ]


def _built(library: Any, case: Case) -> dict[str, Any]:
    names: dict[str, Any] = {"k": library, "np": np}
    exec("from cases import data\n" + case.preparation() + "\n" + case.model, names)
    return names


def _ours(case: Case, weights: list[Any], floatx: str, engine: str) -> Numbers:
    os.environ["HILLWALKER_ENGINE"] = engine
    return _train(hillwalker, case, weights, floatx)


def _train(library: Any, case: Case, weights: list[Any], floatx: str) -> Numbers:
    """Return what one library's training of a case came to."""
    library.config.set_floatx(floatx)
    if library is keras:  # it keeps the policy of its first layer
        keras.config.set_dtype_policy(floatx)
        keras.utils.clear_session(free_memory=False)  # or a metric is called recall_6
    names = _built(library, case)
    exec(case.compile, names)
    model = names["model"]
    model.set_weights([weight.astype(floatx) for weight in weights])
    history: dict[str, Any] = {}
    if case.epochs:
        call = (
            f"model.fit(x, y, epochs={case.epochs}, batch_size={case.batch_size}, shuffle=False, verbose=0{case.fit})"
        )
        history = eval(call, names).history
    if (
        keras.backend.backend() == "torch"
    ):  # there Keras's counts are overwritten by the validation before they are recorded
        history = {name: values for name, values in history.items() if not ("tives" in name and name[:4] != "val_")}
    evaluated = eval("model.evaluate(x, y, batch_size=24, sample_weight=weight, verbose=0, return_dict=True)", names)
    predicted = eval("model.predict(x_validation, batch_size=10, verbose=0)", names)
    return numbers(history, evaluated, predicted, model.get_weights())
