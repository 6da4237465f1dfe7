"""Makes the golden files: small networks trained by Keras (JAX) and by PyTorch in float64, for tests/test_golden.py.

Needs the extra `parity`, which scripts/parity installs: `.venv-parity/bin/python tests/golden/make.py`. The files are
remade only when a network is added, never to make a test pass. Each holds the network as text, in which `k` is the
library; data and starting weights; and for each length of training its loss and the weights it came to.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_ENABLE_X64"] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"
sys.path.insert(0, str(Path(__file__).parents[1] / "parity"))

import against_pytorch
import keras
import numpy as np
import torch
from cases import Array, data
from keras.src.backend.common import dtypes

FOLDER = Path(__file__).parent
ROWS, INPUTS, BATCH_SIZE = 64, 5, 6
LENGTHS = {"1 step": 6, "10 steps": 60, "1 epoch": 64}  # by rows; the epoch's last batch is a part of one
DENSE = "k.layers.Dense"

# name: layers, loss, optimizer, the targets' kind, outputs, whether rows are weighted
KERAS: dict[str, tuple[list[str], str, str, str, int, bool]] = {
    "sgd": ([f"{DENSE}(16, 'relu')", f"{DENSE}(1)"], "'mse'", "k.optimizers.SGD(0.05)", "real", 1, False),
    "momentum": (
        [f"{DENSE}(17, 'tanh')", f"{DENSE}(3)"],
        "k.losses.Huber(delta=0.5)",
        "k.optimizers.SGD(0.05, momentum=0.9, nesterov=True)",
        "real",
        3,
        True,
    ),
    "adam": (
        [f"{DENSE}(9, 'elu')", f"{DENSE}(1, 'sigmoid')"],
        "'binary_crossentropy'",
        "k.optimizers.Adam(0.01)",
        "binary",
        1,
        False,
    ),
    "amsgrad": (
        [f"{DENSE}(9, 'gelu')", f"{DENSE}(3, 'softmax')"],
        "k.losses.CategoricalCrossentropy(label_smoothing=0.1)",
        "k.optimizers.Adam(0.01, amsgrad=True, clipnorm=0.1)",
        "one_hot",
        3,
        True,
    ),
    "adamw": (
        [f"{DENSE}(9, 'silu')", f"{DENSE}(4)"],
        "k.losses.SparseCategoricalCrossentropy(from_logits=True)",
        "k.optimizers.AdamW(0.01, weight_decay=0.1)",
        "labels",
        4,
        False,
    ),
    "rmsprop": (
        [f"{DENSE}(9, 'selu')", f"{DENSE}(2)"],
        "'mae'",
        "k.optimizers.RMSprop(0.01, momentum=0.5, centered=True)",
        "real",
        2,
        False,
    ),
    "adagrad": (
        [f"{DENSE}(9, 'softplus')", f"{DENSE}(2, 'softplus')"],
        "'msle'",
        "k.optimizers.Adagrad(0.05)",
        "positive",
        2,
        True,
    ),
    "adadelta": (
        [f"{DENSE}(9, 'softsign')", f"{DENSE}(2)"],
        "'log_cosh'",
        "k.optimizers.Adadelta(1.0)",
        "real",
        2,
        False,
    ),
    "adamax": (
        [f"{DENSE}(9, 'sigmoid')", f"{DENSE}(1, 'exponential')"],
        "'poisson'",
        "k.optimizers.Adamax(0.01, clipvalue=0.05)",
        "counts",
        1,
        False,
    ),
    "nadam": (
        [f"{DENSE}(9, 'mish')", f"{DENSE}(3, 'softmax')"],
        "'kl_divergence'",
        "k.optimizers.Nadam(0.01)",
        "shares",
        3,
        False,
    ),
    "lion": (
        [f"{DENSE}(9, 'leaky_relu')", f"{DENSE}(1, 'tanh')"],
        "'hinge'",
        "k.optimizers.Lion(0.001)",
        "binary",
        1,
        True,
    ),
    "normalised": (
        [
            f"{DENSE}(9, use_bias=False)",
            "k.layers.BatchNormalization(momentum=0.8)",
            "k.layers.Activation('relu6')",
            "k.layers.BatchNormalization(scale=False)",
            f"{DENSE}(1)",
        ],
        "'mse'",
        "k.optimizers.SGD(0.05, global_clipnorm=0.5)",
        "real",
        1,
        True,
    ),
    "penalised": (
        [
            f"{DENSE}(9, 'hard_sigmoid', kernel_regularizer=k.regularizers.L1L2(0.01, 0.02), bias_regularizer='l1')",
            f"{DENSE}(2, kernel_regularizer=k.regularizers.L2(0.05))",
        ],
        "'mape'",
        "k.optimizers.SGD(0.0001)",
        "positive",
        2,
        True,
    ),
    "scheduled": (
        [f"{DENSE}(9)", "k.layers.LeakyReLU()", "k.layers.Dropout(0.0)", f"{DENSE}(1)"],
        "k.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1)",
        "k.optimizers.Adam(k.optimizers.schedules.CosineDecay(0.0, 5, 0.0, 'decay', 0.02, 3), weight_decay=0.1)",
        "binary",
        1,
        False,
    ),
    "frozen": (
        [f"{DENSE}(9, 'tanh')", f"{DENSE}(9, 'tanh', trainable=False)", "k.layers.ELU()", f"{DENSE}(1)"],
        "'squared_hinge'",
        "k.optimizers.SGD(0.05)",
        "signs",
        1,
        False,
    ),
    "margins": (
        [f"{DENSE}(9)", "k.layers.ReLU(max_value=1.0, negative_slope=0.1)", "k.layers.Softmax()", f"{DENSE}(3)"],
        "'categorical_hinge'",
        "k.optimizers.SGD(0.05)",
        "one_hot",
        3,
        False,
    ),
    "angles": (
        [f"{DENSE}(9, 'log_softmax')", f"{DENSE}(3)"],
        "'cosine_similarity'",
        "k.optimizers.SGD(0.5)",
        "real",
        3,
        False,
    ),
}

# name: widths and activations, which loss and optimizer of tests/parity/against_pytorch.py, outputs, whether weighted
PYTORCH: dict[str, tuple[list[tuple[int, str]], int, int, int, bool]] = {
    "pytorch_momentum": ([(9, "relu")], 7, 1, 4, False),
    "pytorch_adam": ([(9, "gelu"), (5, "softplus")], 4, 3, 1, True),
    "pytorch_adamw": ([(9, "silu")], 6, 4, 3, False),
    "pytorch_rmsprop": ([(9, "selu")], 2, 7, 2, True),
    "pytorch_adadelta": ([(9, "mish"), (9, "tanh")], 0, 9, 2, False),
}


def main() -> None:
    """Write every file."""
    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"  # or Keras multiplies float64 in float32
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    for seed, (name, (layers, loss, optimizer, kind, outputs, weighted)) in enumerate(KERAS.items()):
        text = f"k.Sequential([k.layers.Input(({INPUTS},)), {', '.join(layers)}])"
        x, y, weight = data(kind, ROWS, INPUTS, outputs, seed)
        keras.utils.set_random_seed(seed)
        start = starting_weights(eval(text, {"k": keras}).get_weights(), seed)
        results: dict[str, Any] = {}
        for length, rows in LENGTHS.items():
            model = eval(text, {"k": keras})
            model.compile(eval(optimizer, {"k": keras}), eval(loss, {"k": keras}))
            model.set_weights(start)
            chosen = weight[:rows] if weighted else None
            fitted = model.fit(x[:rows], y[:rows], BATCH_SIZE, shuffle=False, sample_weight=chosen, verbose=0)
            results[length] = (fitted.history["loss"][0], model.get_weights())
        write(name, (text, loss, optimizer), (x, y, weight if weighted else None), start, results)

    for seed, (name, (hidden, number, rule, outputs, weighted)) in enumerate(PYTORCH.items()):
        loss, activation, kind, their_loss = against_pytorch.LOSSES[number]
        optimizer, their_optimizer = against_pytorch.OPTIMIZERS[rule]
        widths, names = zip(*hidden, (outputs, activation), strict=True)
        layers = [f"{DENSE}({width}, {name!r})" for width, name in zip(widths, names, strict=True)]
        text = f"k.Sequential([k.layers.Input(({INPUTS},)), {', '.join(layers)}])"
        x, y, weight = data(kind, ROWS, INPUTS, outputs, seed)
        keras.utils.set_random_seed(seed)
        start = starting_weights(eval(text, {"k": keras}).get_weights(), seed)
        results = {}
        for length, rows in LENGTHS.items():
            arrays = [torch.tensor(array[:rows].astype(np.float64)) for array in (x, y, weight)]
            found = against_pytorch.train(
                start, list(names), their_loss, their_optimizer, arrays, BATCH_SIZE, weighted, epochs=1
            )
            weights = [found[f"weights[{part}]"] for part in range(len(start))]
            results[length] = (found["history['loss']"][0], weights)
        spelled = (text, loss.replace("hw.", "k."), optimizer.replace("hw.", "k."))
        write(name, spelled, (x, y, weight if weighted else None), start, results)


def starting_weights(weights: list[Array], seed: int) -> list[Array]:
    """Return Keras's own as float32 holds them, with noise on biases and normalisation, which start alike."""
    random = np.random.default_rng(seed)
    moved = [weight + (random.uniform(0.0, 0.3, size=weight.shape) if weight.ndim == 1 else 0.0) for weight in weights]
    return [weight.astype(np.float32) for weight in moved]


def write(
    name: str, text: tuple[str, str, str], arrays: tuple[Any, ...], start: list[Array], results: dict[str, Any]
) -> None:
    """Write one file."""
    x, y, weight = arrays
    kept: dict[str, Any] = {"text": np.array(text), "x": x, "y": y, "batch_size": np.array(BATCH_SIZE)}
    kept |= {} if weight is None else {"weight": weight}
    kept |= {f"start/{number}": value for number, value in enumerate(start)}
    for length, (loss, weights) in results.items():
        assert np.isfinite(loss)
        kept |= {f"{length}/rows": np.array(LENGTHS[length]), f"{length}/loss": np.array(loss)}
        kept |= {f"{length}/{number}": np.asarray(value) for number, value in enumerate(weights)}
    np.savez_compressed(FOLDER / f"{name}.npz", **kept)
    print(f"{name}.npz: {(FOLDER / f'{name}.npz').stat().st_size} bytes, loss {results['1 epoch'][0]:.6f}")


if __name__ == "__main__":
    main()
