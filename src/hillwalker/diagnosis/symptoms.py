"""The catalogue: each symptom's name, what it means, what to change, the line of code, the page that explains it."""

from __future__ import annotations

from dataclasses import dataclass

from hillwalker.errors import unknown_name


@dataclass(frozen=True)
class Symptom:
    """A name; what it says in one sentence; the remedy in words; the line to change; the lesson's page."""

    name: str
    says: str
    remedy: str
    line: str
    page: str

    def remedied(self, **known: object) -> str:
        """Return the remedy in words and, on a second line, the line of code with what is known filled in.

        >>> print(symptom("learning-rate-too-high").remedied(rate_lower=0.001))
        Lower the learning rate.
        optimizer.learning_rate = 0.001
        """
        line = self.line.format_map(_Unknown(known))
        return f"{self.remedy}\n{line}" if line else self.remedy


class _Unknown(dict[str, object]):
    """What to write where a number is not known."""

    def __missing__(self, key: str) -> str:
        return UNKNOWN[key]


UNKNOWN = {
    "rate_lower": "learning_rate / 3", "rate_far_lower": "learning_rate / 10", "rate_higher": "learning_rate * 3",
    "patience": "10",
    "epochs_more": "3 * epochs", "batch_larger": "4 * batch_size", "batch_smaller": "batch_size // 4",
    "class_weight": "{0: 1.0, 1: 10.0}", "loss": "...",
}  # fmt: skip

RATE, FINDER, BACKWARD = "lesson/08_learning_rate", "lesson/09_learning_rate_finder", "lesson/06_backward_pass"
CURVES, BATCHES, SHEET = "lesson/11_diagnosing", "lesson/12_batch_size", "lesson/13_cheat_sheet"
FORWARD, LOSS, MARKETS = "lesson/02_forward_pass", "lesson/03_loss", "lesson/14_volatility"

_TABLE = [
    ("diverged", "The loss grew without end, or is no number any more.",
     "A learning rate ten times lower; clip the gradients; scale the inputs.",
     "optimizer.learning_rate = {rate_far_lower}", RATE),
    ("learning-rate-too-high", "A lower learning rate ends better.",
     "Lower the learning rate.", "optimizer.learning_rate = {rate_lower}", RATE),
    ("learning-rate-too-low", "A higher learning rate ends better after as many epochs.",
     "Raise the learning rate.", "optimizer.learning_rate = {rate_higher}", RATE),
    ("oscillating", "The loss jumps up and down from epoch to epoch: steps land across the valley.",
     "A lower learning rate, larger batches, or Adam.", "optimizer.learning_rate = {rate_lower}", RATE),
    ("not-learning", "The training loss hardly falls and stays no better than a constant prediction.",
     "Another learning rate; then the initialization, the activations and the data's order.",
     "hw.find_learning_rate(model, X, y)", FINDER),
    ("vanishing-gradients", "Hardly any blame reaches the first layers.",
     "ReLU with He initialization, fewer layers, or batch normalization.",
     'Dense(..., activation="relu", kernel_initializer="he_normal")', BACKWARD),
    ("exploding-gradients", "The blame grows from layer to layer, or from step to step.",
     "Clip the gradients, a lower learning rate, a smaller initialization.",
     "optimizer=Adam(learning_rate, clipnorm=1.0)", BACKWARD),
    ("dead-relu", "Units are at zero on every training row: no blame passes, and they never learn again.",
     "LeakyReLU, He initialization, or a lower learning rate.",
     'Dense(..., activation="leaky_relu", kernel_initializer="he_normal")', BACKWARD),
    ("saturated-units", "Units sit on the flat ends of their activation for nearly all rows: hardly any blame passes.",
     "Scale the inputs, Glorot initialization, or a lower learning rate.",
     'Dense(..., kernel_initializer="glorot_uniform")', FORWARD),
    ("bad-initialization", "Before training the activations grow or shrink from layer to layer, or units are alike.",
     "He initialization for ReLU, Glorot for tanh and sigmoid.",
     'Dense(..., kernel_initializer="he_normal")', FORWARD),
    ("wrong-initial-loss", "The first loss is far above that of a constant prediction.",
     "Scale the targets, or set the last layer's bias to their mean.",
     'Dense(1, bias_initializer=initializers.Constant(y.mean()))', LOSS),
    ("unscaled-inputs", "Columns of the inputs lie far from zero or differ greatly in size.",
     "Standardise each column with the training rows' mean and deviation.",
     "X = (X - X_train.mean(axis=0)) / X_train.std(axis=0)", FORWARD),
    ("unscaled-targets", "The targets are far from the size of what a fresh network says.",
     "Standardise the targets, and scale the predictions back.",
     "y = (y - y_train.mean()) / y_train.std()", LOSS),
    ("loss-activation-mismatch", "The loss does not go with the last activation or with the targets.",
     "Linear with MSE or MAE, sigmoid with binary, softmax with categorical cross-entropy.",
     "model.compile(optimizer, loss={loss})", SHEET),
    ("missing-nonlinearity", "Dense layers follow each other without an activation: together they are one layer.",
     "Give the hidden layers an activation.", 'Dense(..., activation="relu")', FORWARD),
    ("double-softmax", "A softmax is taken of a softmax: the outputs can hardly leave the uniform distribution.",
     "Leave one of them out.", 'Dense(classes, activation="softmax")', SHEET),
    ("overfitting", "The training loss went on falling, while stopping earlier would have predicted better.",
     "Stop early; dropout, L2 or fewer units.",
     'callbacks=[EarlyStopping(monitor="val_loss", patience={patience}, restore_best_weights=True)]', CURVES),
    ("underfitting", "A larger network or a longer training ends better.",
     "More epochs, or more units.", "model.fit(..., epochs={epochs_more})", CURVES),
    ("early-divergence", "The validation loss is best in the first few epochs and rises from there on.",
     "A learning rate ten times lower, a smaller network, walk-forward validation.",
     "optimizer.learning_rate = {rate_far_lower}", MARKETS),
    ("no-signal", "Nothing predicts better than always predicting the same.",
     "Say so, and stop: other inputs are needed, not another network.", "", MARKETS),
    ("noisy-validation", "The validation loss is too uncertain to tell what is claimed from it.",
     "More validation rows, or cross-validation.", "hw.compare(model, X, y, folds=5)", CURVES),
    ("leakage", "Validation rows are known from training: what is measured is memory.",
     "Drop the copies, and split again; by time where rows lie in time.",
     "X, first = np.unique(X, axis=0, return_index=True); y = y[first]", CURVES),
    ("class-imbalance", "One class is so common that always saying it looks good.",
     "Class weights, and a metric that counts each class.",
     "model.fit(..., class_weight={class_weight})", SHEET),
    ("batch-too-small", "The gradient of a batch is mostly noise.",
     "Batches four times larger.", "model.fit(..., batch_size={batch_larger})", BATCHES),
    ("batch-too-large", "So few steps are taken in an epoch that training is far from done.",
     "Batches four times smaller.", "model.fit(..., batch_size={batch_smaller})", BATCHES),
    ("over-regularized", "The penalty or the dropout holds the network back from learning what can be learned.",
     "L2 ten times smaller, no dropout.", "Dense(..., kernel_regularizer=None)", CURVES),
    ("inputs-ignored", "The predictions hardly change with the inputs.",
     "See that inputs reach the network in the rows' order.", "model.blame(X, y)", FORWARD),
]  # fmt: skip

SYMPTOMS: dict[str, Symptom] = {row[0]: Symptom(*row) for row in _TABLE}
"""All symptoms by name; beside them the verdict "healthy"."""
HEALTHY = "healthy"


def symptom(name: str) -> Symptom:
    """Return a symptom by its name.

    >>> symptom("overfitting").page
    'lesson/11_diagnosing'
    """
    if name not in SYMPTOMS:
        raise unknown_name("symptom", name, SYMPTOMS, "hw.diagnosis.symptom({})")
    return SYMPTOMS[name]
