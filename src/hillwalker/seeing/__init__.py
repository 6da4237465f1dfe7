"""See the learning: every number of a pass, gradients checked, blame, the hill and the walker; records, no pictures."""

from hillwalker.seeing import shapes as shapes
