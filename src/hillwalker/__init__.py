"""hillwalker: dense networks on a CPU, trained at the speed the CPU can go, with Keras 3's names and numbers.

Rooms are imported when they are first used, so that `import hillwalker` stays quick.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what an editor sees; at run time `__getattr__` imports it
    from hillwalker import activations as activations
    from hillwalker import backend as backend
    from hillwalker import callbacks as callbacks
    from hillwalker import choosing as choosing
    from hillwalker import config as config
    from hillwalker import diagnosis as diagnosis
    from hillwalker import errors as errors
    from hillwalker import finance as finance
    from hillwalker import hills as hills
    from hillwalker import initializers as initializers
    from hillwalker import layers as layers
    from hillwalker import lesson as lesson
    from hillwalker import losses as losses
    from hillwalker import metrics as metrics
    from hillwalker import models as models
    from hillwalker import optimizers as optimizers
    from hillwalker import plots as plots
    from hillwalker import quiz as quiz
    from hillwalker import regularizers as regularizers
    from hillwalker import schedules as schedules
    from hillwalker import seeing as seeing
    from hillwalker import utils as utils
    from hillwalker.choosing import compare as compare
    from hillwalker.choosing import compare_batch_sizes as compare_batch_sizes
    from hillwalker.choosing import find_learning_rate as find_learning_rate
    from hillwalker.choosing import gradient_noise as gradient_noise
    from hillwalker.diagnosis import diagnose as diagnose
    from hillwalker.engine import show_config as show_config
    from hillwalker.layers import Input as Input
    from hillwalker.models import Sequential as Sequential
    from hillwalker.models import copies as copies
    from hillwalker.models import fit_many as fit_many
    from hillwalker.seeing.blame import blame as blame
    from hillwalker.seeing.descent import descend as descend
    from hillwalker.seeing.gradient_check import check_gradients as check_gradients
    from hillwalker.seeing.landscape import landscape as landscape

_ROOMS = (
    "activations", "backend", "callbacks", "choosing", "config", "diagnosis", "errors", "finance", "hills",
    "initializers", "layers", "lesson", "losses", "metrics", "models", "optimizers", "plots", "quiz", "regularizers",
    "schedules", "seeing", "utils",
)  # fmt: skip
_NAMES = {
    "Input": "layers",
    "Sequential": "models",
    "blame": "seeing.blame",
    "check_gradients": "seeing.gradient_check",
    "compare": "choosing",
    "compare_batch_sizes": "choosing",
    "copies": "models",
    "descend": "seeing.descent",
    "diagnose": "diagnosis",
    "find_learning_rate": "choosing",
    "fit_many": "models",
    "gradient_noise": "choosing",
    "landscape": "seeing.landscape",
    "show_config": "engine",
}

__all__ = [*_ROOMS, *_NAMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"hillwalker.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(f"hillwalker.{_NAMES[name]}"), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("hillwalker")
    if name == "_core" or any((Path(__file__).parent / f"{name}{end}").exists() for end in ("", ".py")):
        raise AttributeError(name)  # `from hillwalker import checks` asks first, and then imports the room

    from hillwalker.errors import nearest

    near = nearest(name, __all__)
    raise AttributeError(
        f"module 'hillwalker' has no attribute {name!r}" + (f"; did you mean {near!r}?" if near else "")
    )


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
