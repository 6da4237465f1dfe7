"""`kill -9` in mid-training, then the same script again: everything equals the uninterrupted run bit for bit.

Real processes are killed: by themselves at a chosen epoch or batch, and from outside at a random moment.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

# The script of a user, run as it stands each time; only the kill differs.
SCRIPT = """
import json, os, pathlib, signal, sys
import numpy as np
import hillwalker as hw
from hillwalker.callbacks import *
from hillwalker.layers import *

plan = json.loads(sys.argv[1])
folder = pathlib.Path(plan["folder"])
X, y = np.load(folder / "X.npy"), np.load(folder / "y.npy")


class KillAtEpoch(Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == plan.get("epoch"):
            os.kill(os.getpid(), signal.SIGKILL)


class KillAtBatch(Callback):
    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.iterations == plan.get("iteration"):
            os.kill(os.getpid(), signal.SIGKILL)


def new_model():
    hw.utils.set_random_seed(42)
    model = hw.Sequential([
        Input((X.shape[1],)), Dense(16, activation="relu"), Dropout(0.3), BatchNormalization(),
        Dense(8, activation="tanh"), GaussianNoise(0.1), Dense(1),
    ])
    model.compile(hw.optimizers.Adam(0.02), "mse", metrics=["mae"], weighted_metrics=["mse"])
    return model


def tell(model, history):
    result = {
        "weights": [weight.tobytes().hex() for weight in model.get_weights()],
        "slots": {name: slot.tobytes().hex() for name, slot in model.state.slots.items()},
        "iterations": model.optimizer.iterations,
        "rate": model.optimizer.learning_rate,
        "epoch": history.epoch,
        "history": history.history,
    }
    (folder / "result.json").write_text(json.dumps(result))


weights = np.linspace(0.5, 1.5, len(X))
common = dict(epochs=plan["epochs"], batch_size=32, verbose=0, validation_split=0.2, sample_weight=weights)
"""

BACKUP = (
    SCRIPT
    + """
model = new_model()
kill = KillAtBatch() if plan["save_freq"] != "epoch" else KillAtEpoch()
if plan.get("started"):
    kill = LambdaCallback(on_train_begin=lambda logs: print("started", flush=True))
history = model.fit(X, y, **common, callbacks=[
    EarlyStopping(patience=plan.get("patience", 12), restore_best_weights=True),
    ReduceLROnPlateau(patience=2, factor=0.5),
    CSVLogger(folder / "log.csv"),
    kill,
    BackupAndRestore(folder / "backup", save_freq=plan["save_freq"]),
])
assert not (folder / "backup").exists()
tell(model, history)
"""
)

CHECKPOINT = (
    SCRIPT
    + """
files = sorted(folder.glob("model-*.safetensors"))
model, begun = (hw.models.load_model(files[-1]), int(files[-1].stem[6:])) if files else (new_model(), 0)
model.fit(X, y, **common, initial_epoch=begun, callbacks=[
    ModelCheckpoint(folder / "model-{epoch:03d}.safetensors"),
    CSVLogger(folder / "log.csv", append=True),
    KillAtEpoch(),
])
tell(model, model.history)
"""
)


@pytest.fixture(scope="module")
def diabetes():
    """The diabetes data of scikit-learn, standardised: 442 rows, 10 columns."""
    X, y = pytest.importorskip("sklearn.datasets").load_diabetes(return_X_y=True)
    return X / X.std(axis=0), (y - y.mean()) / y.std()


class Job:
    """A folder with data, in which a script is run until it is done."""

    def __init__(self, folder, data, script, **plan):
        folder.mkdir()
        np.save(folder / "X.npy", data[0])
        np.save(folder / "y.npy", data[1])
        self.folder, self.script, self.plan = folder, textwrap.dedent(script), {"folder": str(folder), **plan}

    def start(self, **kill):
        command = [sys.executable, "-c", self.script, json.dumps({**self.plan, **kill})]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)

    def killed(self, **kill):
        """Run until the script kills itself."""
        process = self.start(**kill)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL, errors
        assert not (self.folder / "result.json").exists()

    def finished(self):
        """Run to the end, and return all that came out: weights, curves, and the log's text."""
        process = self.start()
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        result = json.loads((self.folder / "result.json").read_text())
        return {**result, "log": (self.folder / "log.csv").read_text()}


@pytest.fixture(scope="module")
def uninterrupted(diabetes, tmp_path_factory):
    """What the run that nobody interrupts comes to, computed once for each kind."""
    known = {}

    def result(script, **plan):
        key = (script, os.environ.get("HILLWALKER_ENGINE"), json.dumps(plan))
        if key not in known:
            known[key] = Job(tmp_path_factory.mktemp("whole") / "job", diabetes, script, **plan).finished()
        return known[key]

    return result


def check_plot(result, epochs):
    """Check that the run is one in which everything that could go wrong did happen."""
    assert result["iterations"] >= 12 * epochs
    assert len(set(result["history"]["learning_rate"])) > 1, "ReduceLROnPlateau reduced"
    assert len(result["log"].splitlines()) == len(result["epoch"]) + 1


@pytest.mark.parametrize("epochs_killed", [[0], [4], [9, 13], [3, 3, 6]], ids=str)
def test_tensorflow_27049_killed_after_epochs(epochs_killed, diabetes, uninterrupted, tmp_path, engine):
    plan = {"epochs": 16, "save_freq": "epoch"}
    job = Job(tmp_path / "job", diabetes, BACKUP, **plan)
    for epoch in epochs_killed:
        job.killed(epoch=epoch)
    whole = uninterrupted(BACKUP, **plan)
    assert job.finished() == whole
    check_plot(whole, 16)


@pytest.mark.parametrize("iterations_killed", [[2], [7], [36, 37], [100, 108]], ids=str)
def test_keras_19179_killed_within_an_epoch(iterations_killed, diabetes, uninterrupted, tmp_path, engine):
    """12 steps an epoch, a backup every 5: some epochs are resumed in their middle, 37 just after one has begun."""
    plan = {"epochs": 16, "save_freq": 5}
    job = Job(tmp_path / "job", diabetes, BACKUP, **plan)
    for iteration in iterations_killed:
        job.killed(iteration=iteration)
    whole = uninterrupted(BACKUP, **plan)
    assert job.finished() == whole
    check_plot(whole, 16)


def test_backups_by_batches_and_by_epochs_come_to_the_same_weights(uninterrupted):
    by_epoch = uninterrupted(BACKUP, epochs=16, save_freq="epoch")
    by_batch = uninterrupted(BACKUP, epochs=16, save_freq=5)
    assert by_epoch["weights"] == by_batch["weights"]


def test_killed_just_before_early_stopping_would_have_stopped(diabetes, uninterrupted, tmp_path):
    plan = {"epochs": 200, "save_freq": "epoch", "patience": 3}
    whole = uninterrupted(BACKUP, **plan)
    last = whole["epoch"][-1]
    assert 3 < last < 199
    job = Job(tmp_path / "job", diabetes, BACKUP, **plan)
    job.killed(epoch=last - 1)
    job.killed(epoch=last)
    assert job.finished() == whole


@pytest.mark.parametrize("epoch_killed", [0, 1, 7])
def test_keras_1872_a_checkpoint_loaded_and_trained_on(epoch_killed, diabetes, uninterrupted, tmp_path, engine):
    """The checkpoint is written before the log's line of the epoch in which the script is killed."""
    whole = uninterrupted(CHECKPOINT, epochs=10)
    job = Job(tmp_path / "job", diabetes, CHECKPOINT, epochs=10)
    job.killed(epoch=epoch_killed)
    resumed = job.finished()
    assert resumed["epoch"] == list(range(epoch_killed + 1, 10))
    for name, values in resumed["history"].items():
        assert values == whole["history"][name][epoch_killed + 1 :]
    for kept in ("weights", "slots", "iterations", "rate", "log"):
        assert resumed[kept] == whole[kept]


@pytest.mark.parametrize("save_freq", ["epoch", 7])
def test_killed_from_outside_at_random_moments(save_freq, diabetes, tmp_path, uninterrupted):
    """Each process is killed within a tenth of a second of training; at most four are."""
    plan = {"epochs": 60 if save_freq == 7 else 150, "save_freq": save_freq, "started": True, "patience": 1000}
    whole = uninterrupted(BACKUP, **plan)
    job = Job(tmp_path / "job", diabetes, BACKUP, **plan)
    moments, killed = random.Random(0), 0
    for _ in range(4):
        process = job.start()
        assert process.stdout.readline() == "started\n"
        time.sleep(moments.uniform(0.01, 0.1))
        process.kill()
        process.communicate(timeout=60)
        killed += process.returncode == -signal.SIGKILL
        if (job.folder / "result.json").exists():
            break
    assert killed
    assert job.finished() == whole
