"""Keras's `backend`, as far as a script on dense networks needs it: `from keras import backend as K`.

Tensor functions are not here: write losses and metrics with NumPy.
"""

from hillwalker.config import epsilon, floatx, set_floatx
from hillwalker.utils import clear_session

__all__ = ["clear_session", "epsilon", "floatx", "set_floatx"]
