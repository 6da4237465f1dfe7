"""Ordinary Keras scripts, of kinds that people really write, run with only their import lines changed.

Each script in `keras_scripts/` ends by printing its results as `name: number`; here stands what every healthy training
reaches. `parity/scripts.py` runs the same files under Keras itself.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import pytest

from hillwalker.errors import HillwalkerWarning, MistakeWarning

FOLDER = Path(__file__).parent / "keras_scripts"

# Quality that every healthy training reaches: twenty seeds of each script, here and (fewer) in Keras, lay well inside.
BOUNDS: dict[str, dict[str, tuple[float, float]]] = {
    "01_first_network": {"training accuracy": (0.98, 1.0)},
    "02_iris_one_hot": {"test loss": (0.0, 0.5), "test accuracy": (0.88, 1.0)},
    "03_regression_kfold": {"mse": (2900, 3300), "r2": (0.44, 0.52)},
    "04_digits_flatten": {"test loss": (0.2, 0.4), "test accuracy": (0.87, 0.95)},
    "05_regression_pandas": {"test mae": (0.8, 1.4), "test mae by hand": (0.8, 1.4), "test mse": (1.0, 3.0)},
    "06_imbalanced_data": {"recall": (0.8, 1.0), "auc": (0.92, 1.0), "accuracy": (0.94, 1.0)},
    "07_callbacks": {"train accuracy": (0.96, 1.0), "test accuracy": (0.94, 1.0), "difference": (-1e-6, 1e-6)},
    "08_custom_callbacks": {"epochs": (15, 99), "last batch loss": (0.0, 0.2), "f1": (0.93, 1.0)},
    "09_learning_rate_schedules": {"by step": (0.91, 0.96), "by time": (0.91, 0.96), "constant": (0.91, 0.96)},
    "10_custom_loss": {"coverage of the 80% interval": (0.7, 0.88), "mae of the median": (0.31, 0.38)},
    "11_autoencoder": {
        "val mse": (0.012, 0.03),
        "share explained": (0.58, 0.83),
        "accuracy from the code": (0.8, 0.94),
    },
    "12_sine_windows": {"test mse": (0.0003, 0.0012), "rmse": (0.05, 0.1), "persistence": (0.1243, 0.1245)},
    "13_moons_boundary": {"Test loss": (0.05, 0.3), "Test accuracy": (0.9, 1.0)},
    "14_wine_regularized": {"loss": (0.03, 0.2), "acc": (0.94, 1.0)},
    "15_train_on_batch": {"test accuracy": (0.9, 0.97), "largest difference": (0.0, 1e-5)},
    "16_lesson_loss_curves": {
        "train loss fell from": (0.45, 0.85),
        "to": (0.0, 0.01),
        "lowest val loss": (0.1, 0.22),
        "gap": (0.12, 0.35),
    },
    "17_lesson_batch_sizes": {"batch 16": (0.06, 0.11), "batch 64": (0.11, 0.18), "batch 256": (0.18, 0.33)},
    "18_lesson_optimizers": {
        "sgd": (0.6, 0.7),
        "momentum": (0.04, 0.2),
        "nesterov": (0.04, 0.2),
        "rmsprop": (0.07, 0.3),
        "adam": (0.08, 0.3),
    },
    "19_save_and_load": {"loss before": (0.19, 0.24), "loss after": (0.18, 0.215), "mae": (0.48, 0.53)},
    "20_churn_pipeline": {"accuracy": (0.85, 0.95), "auc": (0.92, 0.98)},
    "21_multi_label": {"accuracy": (0.54, 0.7), "mae": (0.04, 0.16)},
}

# What likely mistakes a script is warned of: raw targets of mean 152, which a long training reaches all the same.
MISTAKES = {"03_regression_kfold": {"unscaled-targets"}}


def with_imports_of(package: str, source: str) -> str:
    """Return a Keras script with its import lines changed to another package, and not a character more."""
    rules = {
        r"import (tensorflow\.)?keras( as keras)?": f"import {package} as keras",
        r"from tensorflow import keras": f"import {package} as keras",
        r"import tensorflow as tf": f"import types, {package}; tf = types.SimpleNamespace(keras={package})",
        r"from (tensorflow\.)?keras(?P<rest>\.\S+)? import (?P<names>.+)": rf"from {package}\g<rest> import \g<names>",
    }
    lines = source.split("\n")
    for number, line in enumerate(lines):
        for pattern, replacement in rules.items():
            if match := re.fullmatch(pattern, line):
                lines[number] = match.expand(replacement)
    return "\n".join(lines)


def results(printed: str) -> dict[str, float]:
    """Return the numbers of the last line that a script printed.

    >>> results("Epoch 1\\ntest loss: 0.25, test accuracy: 0.97\\n")
    {'test loss': 0.25, 'test accuracy': 0.97}
    """
    last = printed.rstrip().split("\n")[-1]
    return {name: float(number) for name, number in re.findall(r"([A-Za-z][^:,]*): (-?\d[\d.e-]*|nan|-?inf)", last)}


def test_every_script_has_its_bounds() -> None:
    assert sorted(BOUNDS) == sorted(path.stem for path in FOLDER.glob("[0-9]*.py"))


@pytest.mark.parametrize("script", sorted(BOUNDS))
def test_a_keras_script_runs_with_its_imports_changed(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = with_imports_of("hillwalker", (FOLDER / f"{script}.py").read_text(encoding="utf-8"))
    assert not re.search(r"^\s*(import|from) (keras|tensorflow)", source, re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("ignore", HillwalkerWarning)  # told to old spellings, such as lr=; they still work
        warnings.simplefilter("always", MistakeWarning)
        exec(compile(source, f"{script}.py", "exec"), {"__name__": "__main__"})
    assert {warning.message.name for warning in told} == MISTAKES.get(script, set())
    found = results(capsys.readouterr().out)
    assert found.keys() == BOUNDS[script].keys()
    for name, (low, high) in BOUNDS[script].items():
        assert low <= found[name] <= high, f"{name}: {found[name]}, not between {low} and {high}"
