"""Which column of a log is which, by its name: one table, and an error where it does not tell."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from hillwalker.errors import InputError, explain

NAMES = [
    # role, names as `plain_name` writes them; an earlier row goes before a later one, two losses in one row are a tie
    ("epoch", "(TRAIN_)?epochs?|epoch_(number|index|idx)|current_epoch"),
    ("epoch", "|index|unnamed_0"),  # as frames write their index
    ("step", "(TRAIN_)?(global_)?steps?|iterations?|iter|batch|batches"),
    ("learning_rate", "(TRAIN_)?(learning_rate|lr)(_.*)?"),
    ("loss", "(TRAIN_)?LOSS_epoch|epoch_TRAIN_LOSS"),
    ("loss", "(TRAIN_)?(epoch_)?LOSS|LOSS_TRAIN|loss_curve"),
    ("loss", "TRAIN"),
    ("loss", "(TOTAL_)?(TRAIN_)?(TOTAL_)?LOSS(_epoch)?"),
    ("loss", "(TRAIN_)?KIND_LOSS(_epoch)?"),
    ("loss", "(TRAIN_)?(LOSS_step|batch_LOSS)"),
    ("val_loss", "VALID_LOSS_epoch|epoch_VALID_LOSS"),
    ("val_loss", "VALID_(epoch_)?LOSS|LOSS_VALID"),
    ("val_loss", "VALID"),
    ("val_loss", "(TOTAL_)?VALID_(TOTAL_)?LOSS(_epoch)?"),
    ("val_loss", "VALID_KIND_LOSS(_epoch)?"),
    ("val_loss", "HELD_(epoch_)?LOSS(_epoch)?|LOSS_HELD"),
    ("val_loss", "HELD"),
]
WORDS = {
    "TRAIN": "(train|training|tr)",
    "VALID": "(val|valid|validation)",
    "HELD": "(eval|evaluation|dev|test)",
    "TOTAL": "(total|overall|avg|average|mean|running)",
    "KIND": "(mse|mae|rmse|huber|bce|ce|nll|cross_entropy|crossentropy)",
}
LOSSES = ("loss", "cost", "objective", "error", "nll", "mse", "rmse", "mae")
"""What LOSS stands for: a later word only where no column has an earlier one."""


def plain_name(name: object) -> str:
    """Return a column's name in lower case, its parts joined by underscores.

    >>> [plain_name(name) for name in ("Train Loss", "Loss/val", "lr-Adam", "valLoss", "Unnamed: 0")]
    ['train_loss', 'loss_val', 'lr_adam', 'val_loss', 'unnamed_0']
    """
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(name).strip())
    return re.sub(r"[\W_]+", "_", words).strip("_").lower()


def name_columns(names: Sequence[str], source: str) -> dict[str, str]:
    """Return which column is the "epoch", "step", "learning_rate", "loss" and "val_loss", of those there are.

    Raises InputError where two may be the same loss, or none is a loss.

    >>> name_columns(["epoch", "train_loss_step", "train_loss_epoch", "valid_loss"], "metrics.csv")
    {'epoch': 'epoch', 'loss': 'train_loss_epoch', 'val_loss': 'valid_loss'}
    """
    plain = {name: plain_name(name) for name in names}
    found: dict[str, str] = {}
    for loss in LOSSES:
        for role, pattern in NAMES:
            for word, meaning in {**WORDS, "LOSS": loss}.items():
                pattern = pattern.replace(word, meaning)
            fits = [name for name in names if name not in found.values() and re.fullmatch(pattern, plain[name])]
            if role in found or not fits:
                continue
            if len(fits) > 1 and role.endswith("loss"):
                which = "training" if role == "loss" else "validation"
                passed = f"{source} with {len(fits)} columns that may be the {which} loss: {', '.join(fits)}."
                raise _unclear(passed, names, {**found, role: fits[0]})
            found[role] = fits[0]
        if "loss" in found or "val_loss" in found:
            return found
    raise _unclear(f"{source} without a column that is a loss by its name.", names, found)


def _unclear(passed: str, names: Sequence[str], found: Mapping[str, str]) -> InputError:
    frame = {role: f'frame["{found.get(role, "...")}"]' for role in ("loss", "val_loss")}
    known = f"one training loss, at most one validation loss; its columns are {', '.join(map(repr, names)) or 'none'}."
    fix = f'hw.diagnose({{"loss": {frame["loss"]}, "val_loss": {frame["val_loss"]}}})'
    return InputError(explain(passed, known, fix))
