"""Tables with named columns to arrays and back: types found, text one-hot, missing values refused or filled, scaling.

Means, levels and medians come from the training rows only.
"""

from hillwalker.tables.columns import CategoryColumn, NumberColumn, as_frame
from hillwalker.tables.encoder import TableEncoder
from hillwalker.tables.files import read_table
from hillwalker.tables.target import Target, choose_target

__all__ = ["CategoryColumn", "NumberColumn", "TableEncoder", "Target", "as_frame", "choose_target", "read_table"]
