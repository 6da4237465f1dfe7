"""Callbacks against a model that only counts: what they decide, write and restore."""

import json
import math
import types

import numpy as np
import pytest

from hillwalker import saving
from hillwalker.errors import FileError, HillwalkerWarning, InputError, InputTypeError, StateError
from hillwalker.training.callbacks import (
    BackupAndRestore,
    Callback,
    CallbackList,
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ProgbarLogger,
    ReduceLROnPlateau,
    TerminateOnNaN,
    files,
)
from hillwalker.training.history import History

LOSSES = [1.0, 0.8, 0.85, 0.79, 0.9, 0.7, 0.75, 0.72, 0.71, 0.74, 0.5, 0.6]


class FakeModel:
    """One weight, which counts the epochs; everything that callbacks ask of a model."""

    def __init__(self):
        self.weight = np.zeros(2)
        self.optimizer = types.SimpleNamespace(learning_rate=0.1, iterations=0)
        self.history = History()
        self.stop_training = False
        self.saved = []
        self.first_epoch = 0

    def get_weights(self):
        return [self.weight.copy()]

    def set_weights(self, weights):
        self.weight = weights[0].copy()

    def save(self, path):
        self.saved.append(path)

    def save_weights(self, path):
        self.saved.append(("weights", path))

    def snapshot(self):
        return {"kernel": self.weight.copy()}, {"iterations": self.optimizer.iterations}

    def restore(self, arrays, metadata):
        self.weight = arrays["kernel"].copy()
        self.optimizer.iterations = metadata["iterations"]

    def resume_from(self, epoch, history):
        self.first_epoch = epoch
        self.history = History(list(history["epoch"]), {name: list(v) for name, v in history["history"].items()})


def train(callbacks, values=LOSSES, monitor="val_loss", model=None, killed_after=None, initial_epoch=0, batches=0):
    """Run the hooks as the training loop does; return the model."""
    model = model or FakeModel()
    model.history, model.first_epoch = History(), initial_epoch
    together = CallbackList(callbacks, model=model, epochs=len(values), steps=batches, verbose=0)
    logs = {}
    together.on_train_begin()
    for epoch in range(model.first_epoch, len(values)):
        together.on_epoch_begin(epoch)
        for batch in range(batches):
            model.optimizer.iterations += 1
            together.on_train_batch_begin(batch)
            together.on_train_batch_end(batch, {"loss": 9.0})
        model.weight += 1 + epoch
        logs = {"loss": values[epoch], monitor: values[epoch]}
        together.on_epoch_end(epoch, logs)
        model.history.epoch.append(epoch)
        for name, value in logs.items():
            model.history.history.setdefault(name, []).append(value)
        together.on_epoch_recorded(epoch)
        if epoch == killed_after:
            together.close()
            return model
        if model.stop_training:
            break
    together.on_train_end(logs)
    return model


def epochs_run(model):
    return len(model.history.epoch)


# ---- the list


def test_only_hooks_that_somebody_overrides_are_called():
    called = []

    class Watch(Callback):
        def on_epoch_end(self, epoch, logs=None):
            called.append(epoch)

    together = CallbackList([Watch(), Callback()])
    assert not together.wants_batches
    assert not together.wants_progress
    assert together.wants("on_epoch_end")
    assert not together.wants("on_test_batch_end")
    together.on_epoch_end(3, {})
    together.on_train_batch_end(0, {})
    assert called == [3]


@pytest.mark.parametrize("hook", ["on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end"])
def test_batches_are_wanted_under_old_and_new_names(hook):
    called = []
    Watch = type("Watch", (Callback,), {hook: lambda self, batch, logs=None: called.append((batch, logs))})
    together = CallbackList([Watch()])
    assert together.wants_batches
    together.on_train_batch_begin(1, {"loss": 1.0})
    together.on_train_batch_end(1, logs={"loss": 1.0})
    assert called == [(1, {"loss": 1.0})]


def test_batches_are_wanted_by_those_who_save_every_so_many():
    for kind in (ModelCheckpoint, BackupAndRestore):
        assert CallbackList([kind("file", save_freq=5)]).wants_batches
        assert not CallbackList([kind("file")]).wants_batches
        for bad in (0, -1, 2.5, True, "batch", None):
            with pytest.raises(InputError, match="save_freq"):
                kind("file", save_freq=bad)


def test_one_callback_none_and_lists_in_lists():
    one, two = Callback(), Callback()
    assert CallbackList(None).callbacks == []
    assert CallbackList(one).callbacks == [one]
    assert CallbackList([one, [two]]).callbacks == [one, two]


def test_a_class_instead_of_an_instance_and_a_stranger():
    with pytest.raises(InputTypeError, match=r"callbacks=\[EarlyStopping\(\)\]"):
        CallbackList([EarlyStopping])
    Stranger = type("EarlyStopping", (), {"__module__": "keras.callbacks"})
    with pytest.raises(InputTypeError, match=r"object of keras\.callbacks, EarlyStopping") as error:
        CallbackList([Stranger()])
    assert "from hillwalker.callbacks import EarlyStopping" in str(error.value)


def test_the_progress_bar_is_added_once_and_the_backup_comes_last(tmp_path):
    backup, stopping = BackupAndRestore(tmp_path), EarlyStopping()
    kinds = [type(one) for one in CallbackList([backup, stopping], add_progbar=True).callbacks]
    assert kinds == [EarlyStopping, ProgbarLogger, BackupAndRestore]
    bar = ProgbarLogger()
    assert CallbackList([bar], add_progbar=True).callbacks == [bar]


def test_a_subclass_that_forgets_to_call_super():
    class Old(Callback):
        def __init__(self):
            self.seen = []

        def on_epoch_end(self, epoch, logs=None):
            self.seen.append((self.model.weight[0], self.params["epochs"]))

    old = Old()
    train([old], values=[1.0])
    assert old.seen == [(1.0, 1)]


# ---- EarlyStopping and ReduceLROnPlateau: golden values from Keras 3.15's own callbacks on the same LOSSES


@pytest.mark.parametrize(
    ("arguments", "epochs", "best"),
    [
        ({"patience": 2}, 8, None),
        ({"patience": 1, "min_delta": 0.05, "restore_best_weights": True}, 3, 1),
        ({"patience": 3, "baseline": 0.6, "restore_best_weights": True}, 3, 1),
        ({"patience": 0, "start_from_epoch": 4, "restore_best_weights": True}, 7, 5),
        ({"patience": 2, "mode": "max"}, 3, None),
        ({"patience": 2, "mode": "max", "restore_best_weights": True, "start_from_epoch": 1}, 7, 4),
    ],
)
def test_early_stopping_stops_and_restores_where_keras_does(arguments, epochs, best):
    model = train([EarlyStopping(**arguments)])
    assert epochs_run(model) == epochs
    last = epochs - 1 if best is None else best
    assert model.weight[0] == sum(range(1, last + 2))


@pytest.mark.parametrize(
    ("arguments", "rates"),
    [
        ({"factor": 0.5, "patience": 1}, [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.0625, 0.03125, 1 / 64, 1 / 64, 1 / 128]),
        ({"factor": 0.1, "patience": 2, "cooldown": 2}, [1] * 7 + [0.1] * 5),
        ({"factor": 0.5, "patience": 1, "min_delta": 0.1, "min_lr": 0.03}, [1, 1, 0.5, *[0.3] * 9]),
    ],
)
def test_reduce_lr_on_plateau_reduces_where_keras_does(arguments, rates):
    after = []
    note = LambdaCallback(on_epoch_end=lambda epoch, logs: after.append(note.model.optimizer.learning_rate))
    model = train([ReduceLROnPlateau(**arguments), note])
    np.testing.assert_allclose(after, 0.1 * np.array(rates))
    np.testing.assert_allclose(model.history.history["learning_rate"], [0.1, *after[:-1]])


def test_the_direction_follows_from_the_name_and_must_be_known():
    assert epochs_run(train([EarlyStopping("val_accuracy", patience=2)], LOSSES, "val_accuracy")) == 3
    with pytest.raises(InputError, match=r"EarlyStopping\(monitor='val_profit', mode='max'\)"):
        train([EarlyStopping("val_profit")], LOSSES, "val_profit")
    assert epochs_run(train([EarlyStopping("val_profit", mode="max", patience=2)], LOSSES, "val_profit")) == 3
    with pytest.raises(InputError, match="mode='minimum'"):
        EarlyStopping(mode="minimum")


def test_the_direction_of_a_metric_with_a_name_of_ones_own():
    class SparseCategoricalAccuracy:
        name = "hits"

    model = FakeModel()
    model.metrics = [SparseCategoricalAccuracy()]
    assert epochs_run(train([EarlyStopping("val_hits", patience=2)], LOSSES, "val_hits", model)) == 3


def test_a_metric_that_is_not_there_is_told_once_with_those_that_are():
    with pytest.warns(HillwalkerWarning, match="one of loss, val_mae") as caught:
        model = train([EarlyStopping(patience=0)], LOSSES, "val_mae")
    assert len(caught) == 1
    assert epochs_run(model) == len(LOSSES)


def test_a_factor_that_does_not_reduce():
    for factor in (1.0, 2, 0, -0.5):
        with pytest.raises(InputError, match="factor="):
            ReduceLROnPlateau(factor=factor)


def test_early_stopping_forgets_an_earlier_training():
    stopping = EarlyStopping(patience=2)
    assert [epochs_run(train([stopping])) for _ in range(2)] == [8, 8]


def test_early_stopping_says_what_it_does(capsys):
    train([EarlyStopping(patience=2, verbose=1, restore_best_weights=True)])
    wanted = "Epoch 8: early stopping\nRestoring model weights from the end of the best epoch: 6.\n"
    assert capsys.readouterr().out == wanted


# ---- the learning rate by epoch


def test_learning_rate_scheduler_in_both_forms():
    model = train([LearningRateScheduler(lambda epoch, rate: rate * 0.5)], values=[1.0] * 3)
    np.testing.assert_allclose(model.history.history["learning_rate"], [0.05, 0.025, 0.0125])
    model = train([LearningRateScheduler(lambda epoch: 1 / (1 + epoch))], values=[1.0] * 3)
    np.testing.assert_allclose(model.history.history["learning_rate"], [1, 1 / 2, 1 / 3])


def test_an_error_within_a_schedule_is_not_hidden():
    def schedule(epoch, rate):
        return rate + "a"

    with pytest.raises(TypeError, match="unsupported operand"):
        train([LearningRateScheduler(schedule)])


@pytest.mark.parametrize("bad", [None, "0.1", -0.1, math.nan, math.inf, True])
def test_a_schedule_that_returns_no_rate(bad):
    with pytest.raises(InputError, match="a schedule that returned"):
        train([LearningRateScheduler(lambda epoch: bad)])


def test_a_schedule_that_is_no_function():
    with pytest.raises(InputTypeError, match=r"schedule=0\.1"):
        LearningRateScheduler(0.1)


# ---- NaN, functions


def test_terminate_on_nan(capsys):
    model = train([TerminateOnNaN()], [1.0, math.inf, 1.0])
    assert epochs_run(model) == 2
    assert "Epoch 2: the loss is inf" in capsys.readouterr().out
    with pytest.raises(StateError, match="loss is nan in epoch 2"):
        train([TerminateOnNaN(raise_error=True)], [1.0, math.nan])
    assert epochs_run(train([TerminateOnNaN()], [1.0, 2.0])) == 2


def test_lambda_callback_calls_what_it_is_given():
    called = []
    callback = LambdaCallback(
        on_epoch_begin=lambda epoch, logs: called.append(("begin", epoch)),
        on_train_batch_end=lambda batch, logs: called.append(("batch", batch, logs["loss"])),
        on_train_end=lambda logs: called.append(("end", logs["loss"])),
    )
    train([callback], values=[3.0], batches=2)
    assert called == [("begin", 0), ("batch", 0, 9.0), ("batch", 1, 9.0), ("end", 3.0)]
    with pytest.raises(InputError, match="'on_epoch_end'"):
        LambdaCallback(on_epoch_ended=print)


# ---- ModelCheckpoint


def test_checkpoint_paths_have_fields(tmp_path):
    model = train([ModelCheckpoint(tmp_path / "new" / "{epoch:02d}-{val_loss:.4f}.keras")], [0.5, 0.25])
    assert model.saved == [str(tmp_path / "new" / name) for name in ("01-0.5000.keras", "02-0.2500.keras")]
    assert (tmp_path / "new").is_dir()


def test_checkpoint_saves_only_the_best(tmp_path):
    values = [1.0, 0.5, 0.7, 0.4]
    path = str(tmp_path / "{epoch}.keras")

    def epochs(**arguments):
        return [
            int(saved[len(str(tmp_path)) + 1]) for saved in train([ModelCheckpoint(path, **arguments)], values).saved
        ]

    assert epochs(save_best_only=True) == [1, 2, 4]
    assert epochs(save_best_only=True, initial_value_threshold=0.45) == [4]
    assert epochs(save_best_only=True, mode="max") == [1]
    assert epochs() == [1, 2, 3, 4]


def test_checkpoint_without_its_metric_saves_and_says_so_once(tmp_path):
    with pytest.warns(HillwalkerWarning, match="val_accuracy") as caught:
        model = train([ModelCheckpoint(tmp_path / "m", monitor="val_accuracy", save_best_only=True)], [1.0, 2.0])
    assert (len(caught), len(model.saved)) == (1, 2)


def test_checkpoint_by_batches_counts_over_epochs(tmp_path):
    model = train([ModelCheckpoint(f"{tmp_path}/{{epoch}}-{{batch}}", save_freq=3)], [1.0] * 4, batches=2)
    assert [path.rsplit("/", 1)[1] for path in model.saved] == ["2-1", "3-2"]


def test_checkpoint_of_weights_only(tmp_path):
    model = train([ModelCheckpoint(tmp_path / "w.weights.h5", save_weights_only=True)], [1.0])
    assert model.saved == [("weights", str(tmp_path / "w.weights.h5"))]


def test_checkpoint_paths_that_cannot_be_used(tmp_path):
    with pytest.raises(InputError, match="filepath="):
        ModelCheckpoint("{epoch:02d.keras")
    with pytest.raises(FileError, match="a directory"):
        train([ModelCheckpoint(tmp_path)])
    with pytest.raises(InputError, match="fields among epoch, loss, val_loss"):
        train([ModelCheckpoint(tmp_path / "{val_auc:.3f}")])


# ---- CSVLogger


def read(path):
    return path.read_text().splitlines()


def test_csv_logger_writes_keras_columns(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("something old\n")
    train([CSVLogger(path, separator=";")], [0.5, 0.25])
    assert read(path) == ["epoch;loss;val_loss", "0;0.5;0.5", "1;0.25;0.25"]
    train([CSVLogger(path)], [0.5], monitor="mae")
    assert read(path) == ["epoch,loss,mae,val_loss,val_mae", "0,0.5,0.5,NA,NA"]


def test_csv_logger_is_on_the_disk_after_each_epoch(tmp_path):
    path = tmp_path / "log.csv"
    lines = []
    train([CSVLogger(path), LambdaCallback(on_epoch_end=lambda epoch, logs: lines.append(len(read(path))))], [1.0] * 3)
    assert lines == [2, 3, 4]


def test_csv_logger_writes_ten_times_a_second_where_nobody_else_may_write(tmp_path, monkeypatch):
    path, now = tmp_path / "log.csv", [100.0]
    monkeypatch.setattr(files, "time", types.SimpleNamespace(perf_counter=lambda: now[0]))
    logger = CSVLogger(path)
    together = CallbackList([logger, EarlyStopping(monitor="loss", patience=9)], model=FakeModel(), epochs=9, verbose=0)
    together.on_train_begin()
    lines = []
    for epoch in range(6):
        now[0] += 0.04
        together.on_epoch_end(epoch, {"loss": 1.0})
        lines.append(len(read(path)))
    assert lines == [2, 2, 2, 5, 5, 5]
    together.close()  # as `fit` does, however training ended
    assert [line.split(",")[0] for line in read(path)] == ["epoch", "0", "1", "2", "3", "4", "5"]


def test_csv_logger_appends_and_a_later_training_replaces_what_it_runs_again(tmp_path):
    path = tmp_path / "log.csv"
    train([CSVLogger(path)], [3.0, 2.0, 1.0])
    path.write_text(path.read_text() + "3,0.9")  # a line that kill -9 cut short
    train([CSVLogger(path, append=True)], [9.0, 9.0, 8.0, 7.0], initial_epoch=2)
    assert [line.split(",")[:2] for line in read(path)[1:]] == [["0", "3.0"], ["1", "2.0"], ["2", "8.0"], ["3", "7.0"]]
    train([CSVLogger(path, append=True)], [5.0])
    assert read(path)[-1] == "0,5.0,5.0"
    assert len(read(path)) == 6


def test_csv_logger_that_cannot_write_says_so_before_training(tmp_path):
    with pytest.raises(FileError, match="folder that exists"):
        train([CSVLogger(tmp_path / "no" / "log.csv")])


# ---- BackupAndRestore


def everything(folder, log):
    return [
        BackupAndRestore(folder),
        CSVLogger(log),
        EarlyStopping(patience=4, restore_best_weights=True),
        ReduceLROnPlateau(factor=0.5, patience=1),
        ModelCheckpoint(folder.parent / "{epoch}.keras", save_best_only=True),
    ]


@pytest.mark.parametrize("killed_after", range(9))
def test_tensorflow_27049_a_resumed_training_equals_an_uninterrupted_one(tmp_path, killed_after):
    whole = train(everything(tmp_path / "a", tmp_path / "a.csv"))
    train(everything(tmp_path / "b", tmp_path / "b.csv"), killed_after=killed_after)
    assert (tmp_path / "b" / "latest.safetensors").exists()
    resumed = train(everything(tmp_path / "b", tmp_path / "b.csv"))
    assert resumed.first_epoch == killed_after + 1
    assert resumed.history == whole.history
    np.testing.assert_array_equal(resumed.weight, whole.weight)
    assert resumed.optimizer.learning_rate == whole.optimizer.learning_rate
    assert read(tmp_path / "b.csv") == read(tmp_path / "a.csv")
    assert resumed.saved == [path for path in whole.saved if int(path.rsplit("/", 1)[1][:-6]) > killed_after + 1]
    assert not (tmp_path / "b").exists()


def test_keras_6697_history_accumulates_also_for_a_backup_within_an_epoch(tmp_path):
    train([BackupAndRestore(tmp_path, save_freq=5)], [3.0, 2.0, 1.0], batches=3, killed_after=1)
    resumed = train([BackupAndRestore(tmp_path, save_freq=5)], [3.0, 2.0, 1.0], batches=3)
    assert resumed.first_epoch == 1
    assert resumed.history.epoch == [0, 1, 2]
    assert resumed.history.history["loss"] == [3.0, 2.0, 1.0]


def test_a_training_that_was_interrupted_keeps_its_backup(tmp_path):
    backup = BackupAndRestore(tmp_path)
    model = train([backup], LOSSES, killed_after=3)
    backup.set_params({"epochs": len(LOSSES)})
    backup.on_train_end()  # what the loop calls after Ctrl-C
    assert (tmp_path / "latest.safetensors").exists()
    model.stop_training = True  # what a callback does to end a training
    backup.on_train_end()
    assert not tmp_path.exists()


def test_nothing_else_in_the_folder_is_deleted(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    train([BackupAndRestore(tmp_path)], [1.0])
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    train([BackupAndRestore(tmp_path, delete_checkpoint=False)], [1.0])
    assert (tmp_path / "latest.safetensors").exists()


@pytest.mark.parametrize("damage", [b"", b"rubbish", None])
def test_a_damaged_backup_is_told_and_stays_where_it_is(tmp_path, damage):
    train([BackupAndRestore(tmp_path)], LOSSES, killed_after=2)
    path = tmp_path / "latest.safetensors"
    content = path.read_bytes()[:-8] if damage is None else damage
    path.write_bytes(content)
    model = FakeModel()
    with pytest.raises(FileError, match="delete"):
        train([BackupAndRestore(tmp_path)], model=model)
    assert path.read_bytes() == content
    assert not model.weight.any()


def test_double_checkpoint_goes_back_to_the_one_before(tmp_path):
    train([BackupAndRestore(tmp_path, double_checkpoint=True)], LOSSES, killed_after=2)
    (tmp_path / "latest.safetensors").write_bytes(b"rubbish")
    with pytest.warns(HillwalkerWarning, match="damaged"):
        model = train([BackupAndRestore(tmp_path, double_checkpoint=True)])
    assert model.first_epoch == 2
    assert model.weight[0] == sum(range(1, len(LOSSES) + 1))


def test_a_backup_of_other_callbacks_or_of_another_kind(tmp_path):
    train([BackupAndRestore(tmp_path), EarlyStopping(patience=99)], LOSSES, killed_after=2)
    with pytest.raises(StateError, match="EarlyStopping"):
        train([BackupAndRestore(tmp_path)])
    saving.write(tmp_path / "latest.safetensors", {"a": np.zeros(2)}, {})
    with pytest.raises(FileError, match="no backup"):
        train([BackupAndRestore(tmp_path)])
    with pytest.raises(InputError, match="backup_dir"):
        BackupAndRestore("")


def test_states_are_json_and_arrays(tmp_path):
    model = FakeModel()
    for callback in everything(tmp_path / "backup", tmp_path / "log.csv")[2:]:
        callback.set_model(model)
        callback.on_train_begin()
        callback.on_epoch_end(0, {"loss": np.float32(0.5), "val_loss": np.float32(0.5)})
        state = callback.get_state()
        plain = {name: value for name, value in state.items() if not isinstance(value, np.ndarray)}
        assert json.loads(json.dumps(plain)) == plain
        assert plain["best"] == 0.5


# ---- ProgbarLogger


def test_progbar_logger_shows_fit_and_keeps_validation_silent(capsys):
    together = CallbackList([], add_progbar=True, verbose=2, epochs=1, steps=4)
    together.on_train_begin()
    together.on_epoch_begin(0)
    together.on_train_progress(2, {"loss": 2.0})
    together.on_test_begin()
    together.on_test_end({"loss": 5.0})
    together.on_epoch_end(0, {"loss": 1.0, "val_loss": 5.0})
    together.on_train_end()
    together.close()
    out = capsys.readouterr().out
    assert out.startswith("Epoch 1/1 - 4/4 - 0s - ")
    assert out.endswith("/step - loss: 1.0000 - val_loss: 5.0000\n")
    assert out.count("\n") == 1


def test_progbar_logger_shows_evaluate_and_leaves_predict_silent(capsys):
    together = CallbackList([], add_progbar=True, verbose=1, epochs=1, steps=4)
    together.on_test_begin()
    together.on_test_progress(2, {"loss": 2.0})
    together.on_test_end({"loss": 0.25})
    together.on_predict_begin()
    together.on_predict_progress(2)
    together.on_predict_end()
    assert capsys.readouterr().out == "evaluate - 0.0s - loss: 0.2500\n"
