"""Who trains: hillwalker and its peers, each the way it trains fastest, behind one interface.

Each begins at the same weights and shuffles the rows in every epoch. Importing this imports no peer.
"""

from __future__ import annotations

from contenders.base import CannotRun, Contender
from contenders.keras_scripts import (
    Hillwalker,
    KerasJAX,
    KerasJAXTogether,
    KerasTensorFlow,
    KerasTensorFlowTogether,
    KerasTorch,
)
from contenders.plain_numpy import PlainNumPy
from contenders.pytorch import Torch, TorchCompiled, TorchFused
from contenders.scikit_learn import ScikitLearn
from contenders.xla import JAXScan, JAXScanWithoutThunks

__all__ = ["CONTENDERS", "FASTEST", "CannotRun", "Contender"]

CONTENDERS: dict[str, type[Contender]] = {
    contender.label: contender
    for contender in (
        Hillwalker, JAXScan, JAXScanWithoutThunks, PlainNumPy, ScikitLearn, TorchFused, TorchCompiled, Torch,
        KerasJAX, KerasJAXTogether, KerasTensorFlow, KerasTensorFlowTogether, KerasTorch,
    )
}  # fmt: skip
# Those that are the best peer somewhere.
FASTEST = tuple(contender.label for contender in (Hillwalker, JAXScan, TorchFused, ScikitLearn, PlainNumPy))
