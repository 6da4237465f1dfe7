"""Keras's place for callbacks; they are written in `training/callbacks.py`."""

from hillwalker.training.callbacks import *  # noqa: F403
