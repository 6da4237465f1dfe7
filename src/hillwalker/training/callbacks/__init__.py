"""Callbacks: code of one's own at fixed points of a training, and Keras's ready ones.

Names, arguments, defaults and decisions are Keras 3's.
"""

from hillwalker.training.callbacks.base import Callback
from hillwalker.training.callbacks.files import BackupAndRestore, CSVLogger, ModelCheckpoint
from hillwalker.training.callbacks.monitors import EarlyStopping, ReduceLROnPlateau
from hillwalker.training.callbacks.recorder import Recorder
from hillwalker.training.callbacks.several import CallbackList
from hillwalker.training.callbacks.simple import LambdaCallback, LearningRateScheduler, ProgbarLogger, TerminateOnNaN
from hillwalker.training.callbacks.watcher import Watcher

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ProgbarLogger",
    "Recorder",
    "ReduceLROnPlateau",
    "TerminateOnNaN",
    "Watcher",
]
