"""A model's file: exact, whole or not there at all, and nothing in a damaged or hostile one is run."""

from __future__ import annotations

import json
import os
import pickle
import resource
import struct
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save

import hillwalker as hw
from hillwalker import saving
from hillwalker.errors import FileError, HillwalkerWarning, InputError, InputTypeError
from hillwalker.layers import BatchNormalization, Dense, Dropout, GaussianNoise, Input, LeakyReLU
from hillwalker.models import Sequential, load_model, save_model
from hillwalker.optimizers import SGD, Adam, Lion, Nadam, RMSprop

X = np.random.default_rng(0).normal(size=(90, 4))
Y = np.tanh(X[:, 0] - X[:, 1])


def network(optimizer="adam", units=6, **compiling):
    model = Sequential(
        [
            Input((4,)),
            Dense(units, activation="relu", kernel_regularizer="l2"),
            *(BatchNormalization(), Dropout(0.2), Dense(3), LeakyReLU(0.2), GaussianNoise(0.05), Dense(1)),
        ]
    )
    model.compile(optimizer, "mse", **compiling)
    return model


def everything(model):
    arrays, metadata = model.snapshot()
    return {name: (array.dtype.str, array.shape, array.tobytes()) for name, array in arrays.items()}, metadata


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.fixture
def saved(path):
    """A trained model's file, and the model."""
    model = network(units=2)
    model.fit(X, Y, verbose=0)
    model.save(path)
    return path, model


# ---- exactness


@pytest.mark.parametrize(
    "optimizer",
    [
        Adam,
        lambda: Adam(0.01, amsgrad=True, clipnorm=1.0),
        lambda: SGD(0.01, momentum=0.9, nesterov=True),
        lambda: RMSprop(centered=True, momentum=0.5),
        Nadam,
        lambda: Lion(weight_decay=0.01),
        lambda: SGD(hw.optimizers.schedules.CosineDecay(0.05, 10)),
    ],
    ids=["adam", "amsgrad", "sgd", "rmsprop", "nadam", "lion", "schedule"],
)
def test_tensorflow_57917_a_loaded_model_predicts_and_trains_on_bit_for_bit(optimizer, path, engine):
    model = network(optimizer(), metrics=["mae"], weighted_metrics=["mse"])
    model.fit(X, Y, epochs=3, verbose=0)
    model.save(path)
    loaded = load_model(path)
    assert everything(loaded) == everything(model)
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), model.predict(X, verbose=0))
    assert loaded.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)
    histories = [one.fit(X, Y, epochs=3, verbose=0, validation_split=0.2).history for one in (loaded, model)]
    assert histories[0] == histories[1]
    assert everything(loaded) == everything(model)


def test_a_file_of_one_engine_serves_the_other(path, monkeypatch):
    predicted = {}
    for writer, reader in (("compiled", "reference"), ("reference", "compiled")):
        monkeypatch.setenv("HILLWALKER_ENGINE", writer)
        model = network()
        model.fit(X, Y, verbose=0)
        model.save(path)
        monkeypatch.setenv("HILLWALKER_ENGINE", reader)
        loaded = load_model(path)
        predicted = loaded.predict(X, verbose=0)
        np.testing.assert_allclose(predicted, model.predict(X, verbose=0), rtol=1e-4, atol=1e-5)


def test_float64_stays_float64(path):
    hw.config.set_floatx("float64")
    model = network()
    hw.config.set_floatx("float32")
    model.save(path)
    loaded = load_model(path)
    assert loaded.plan.dtype == "float64"
    assert everything(loaded) == everything(model)


def test_what_is_told_at_compile_comes_back(path):
    model = network(SGD(0.1, momentum=0.5), metrics=["mae", hw.metrics.RootMeanSquaredError(name="root")])
    model.compile(model.optimizer, hw.losses.Huber(delta=2.0), metrics=["mae"])
    model.save(path)
    loaded = load_model(path)
    assert loaded.get_compile_config() == model.get_compile_config()
    assert loaded.get_config() == model.get_config()
    assert loaded.optimizer.momentum == 0.5


def test_a_model_that_was_never_compiled_or_not_trainable(path):
    model = Sequential([Dense(2, input_dim=3, trainable=False), Dense(1)], trainable=False)
    model.save(path)
    loaded = load_model(path)
    assert not loaded.compiled
    assert not loaded.trainable
    assert [layer.trainable for layer in loaded.layers] == [False, True]
    np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])


def test_load_without_compile_and_save_without_optimizer(saved):
    path, model = saved
    loaded = load_model(path, compile=False)
    assert not loaded.compiled
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), model.predict(X, verbose=0))
    with_optimizer = path.stat().st_size
    save_model(model, path, include_optimizer=False)
    assert path.stat().st_size < with_optimizer
    again = load_model(path)
    assert not again.compiled
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))


def test_saving_does_not_disturb_training(path):
    vectors = []
    for save_between in (True, False):
        hw.utils.set_random_seed(0)
        model = network()
        for _ in range(3):
            model.fit(X, Y, verbose=0)
            if save_between:
                model.save(path)
        vectors.append(model.state.parameters.tobytes())
    assert vectors[0] == vectors[1]


# ---- functions of one's own


def cube(z):
    return z * z * z


def own_loss(y_true, y_pred):
    return np.mean((y_true - y_pred) ** 2, axis=-1)


def own_metric(y_true, y_pred):
    return np.abs(y_true - y_pred).max()


def test_custom_objects_by_name(path):
    model = Sequential([Dense(4, activation=cube, input_dim=4), Dense(1)])
    model.compile("adam", own_loss, metrics=[own_metric])
    model.fit(X, Y, verbose=0)
    model.save(path)
    own = {"cube": cube, "own_loss": own_loss, "own_metric": own_metric}
    loaded = load_model(path, custom_objects=own)
    histories = [one.fit(X, Y, epochs=2, verbose=0).history for one in (loaded, model)]
    assert histories[0] == histories[1]
    for missing in own:
        with pytest.raises((InputError, InputTypeError), match="custom_objects"):
            load_model(path, custom_objects={name: value for name, value in own.items() if name != missing})
    assert load_model(path, {"cube": cube}, compile=False).predict(X, verbose=0).shape == (90, 1)


# ---- weights alone


def test_weights_files(saved):
    path, model = saved
    weights = path.with_name("weights.safetensors")
    model.save_weights(weights)
    for file in (weights, path):
        other = network(units=2)
        other.load_weights(file)
        np.testing.assert_array_equal(other.predict(X, verbose=0), model.predict(X, verbose=0))
    with pytest.raises(FileError):
        load_model(weights)


def test_weights_of_another_architecture_overwrite_nothing(saved):
    path, _ = saved
    other = network(units=5)
    before = everything(other)
    with pytest.raises(InputError, match="shapes"):
        other.load_weights(path)
    saving.write(path, {}, {"something": "else"})
    with pytest.raises(FileError, match="no model's weights"):
        other.load_weights(path)
    assert everything(other) == before


# ---- names, and what is there already


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "model.hdf5", "weights.h5"])
def test_keras_names_are_accepted_with_a_warning(name, tmp_path):
    model = network()
    with pytest.warns(HillwalkerWarning, match="Keras cannot read"):
        (model.save_weights if "weights" in name else model.save)(str(tmp_path / name))
    if "weights" in name:
        network().load_weights(tmp_path / name)
    else:
        assert everything(load_model(tmp_path / name)) == everything(model)


def test_overwrite_false_and_paths_that_are_none(saved, tmp_path):
    path, model = saved
    before = path.read_bytes()
    with pytest.raises(FileError, match="exists"):
        model.save(path, overwrite=False)
    with pytest.raises(FileError, match="exists"):
        model.save_weights(path, overwrite=False)
    assert path.read_bytes() == before
    for nothing in (None, 3, ""):
        with pytest.raises(InputTypeError, match="a path"):
            model.save(nothing)
    for nothing in (None, 3):
        with pytest.raises(InputTypeError, match="a path"):
            load_model(nothing)
    with pytest.raises(FileError):
        model.save(tmp_path)
    model.save(tmp_path / "new" / "folders" / "model.safetensors")
    assert (tmp_path / "new" / "folders" / "model.safetensors").read_bytes() == before


def test_the_same_model_is_the_same_file(saved):
    path, model = saved
    before = path.read_bytes()
    model.save(path)
    assert path.read_bytes() == before


# ---- whole or not at all


@pytest.mark.parametrize("failing", ["os.fsync", "pathlib.Path.replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full", "Ctrl-C"])
def test_a_file_that_cannot_be_written_leaves_the_old_one_and_nothing_else(saved, failing, error, monkeypatch):
    path, model = saved
    before = path.read_bytes()
    model.fit(X, Y, verbose=0)

    def fail(*arguments, **options):
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(failing, fail)
        with pytest.raises(FileError if isinstance(error, OSError) else KeyboardInterrupt):
            model.save(path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_disk_that_is_full_in_mid_file(saved):
    """The system itself refuses to write more than 1000 bytes into a file."""
    path, model = saved
    before = path.read_bytes()
    assert len(before) > 1000
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(FileError):
            model.save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_folder_that_is_a_file(saved):
    path, model = saved
    with pytest.raises(FileError):
        model.save(path / "model.safetensors")


def test_what_json_does_not_know_is_refused_before_the_file_is_touched(saved):
    path, model = saved
    before = path.read_bytes()
    model.preprocessing = {"scaler": object()}
    with pytest.raises(InputTypeError, match="plain JSON"):
        model.save(path)
    assert path.read_bytes() == before


# ---- damaged


def loads_or_refuses(path):
    """Return the loaded model, or None where the file was refused as it should be; any other error is a failure."""
    try:
        return load_model(path)
    except FileError:
        return None


def test_a_file_cut_short_anywhere_is_refused(saved):
    path, _ = saved
    whole = path.read_bytes()
    for length in np.linspace(0, len(whole) - 1, 60).astype(int).tolist():
        path.write_bytes(whole[:length])
        assert loads_or_refuses(path) is None
    path.write_bytes(whole + b"more")
    assert loads_or_refuses(path) is None


def test_a_flipped_byte_is_refused_or_changes_one_number(saved):
    path, model = saved
    whole = path.read_bytes()
    header = 8 + struct.unpack("<Q", whole[:8])[0]
    generator = np.random.default_rng(0)
    inside = generator.integers(8, header, 200).tolist()
    for place in [*range(8), *inside, *generator.integers(header, len(whole), 40).tolist()]:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << int(generator.integers(8))
        path.write_bytes(flipped)
        loaded = loads_or_refuses(path)
        if place >= header:
            assert loaded is not None
            before, after = everything(model)[0], everything(loaded)[0]
            assert sum(before[name] != after[name] for name in before) == 1
        elif loaded is not None:
            loaded.predict(X[:, : loaded.plan.input_width], verbose=0)


# ---- hostile


def rewritten(path, change):
    """Write the file again with metadata that a change was made to."""
    arrays, metadata = saving.read(path)
    changed = change(metadata)
    changed = metadata if changed is None else changed
    text = changed if isinstance(changed, str) else json.dumps(changed)
    path.write_bytes(save(arrays, metadata={saving.KEY: text}))


def within(*keys):
    """Return a function that puts a value at a place of the metadata."""

    def put(value):
        def change(metadata):
            place = metadata
            for key in keys[:-1]:
                place = place[key]
            if value is ABSENT:
                del place[keys[-1]]
            else:
                place[keys[-1]] = value

        return change

    return put


ABSENT = object()
LAYER = ("model", "layers", 1, "config")
OPTIMIZER = ("compile", "optimizer", "config")
HOSTILE = {
    "units of 2**62": within(*LAYER, "units")(2**62),
    "units of 10**30": within(*LAYER, "units")(10**30),
    "negative units": within(*LAYER, "units")(-1),
    "units as text": within(*LAYER, "units")("many"),
    "units as a list": within(*LAYER, "units")([2]),
    "another number of units": within(*LAYER, "units")(3),
    "a wide input": within("model", "build_input_shape")([None, 10**12]),
    "an input of many dimensions": within("model", "build_input_shape")([None] + [2] * 1000),
    "no input": within("model", "build_input_shape")(None),
    "an input as text": within("model", "build_input_shape")("wide"),
    "an unknown layer": within("model", "layers", 1, "class_name")("os.system"),
    "a layer that is no class": within("model", "layers", 1, "class_name")(["Dense"]),
    "a layer that is a number": within("model", "layers", 1)(7),
    "layers that are none": within("model", "layers")(None),
    "layers in a dict": within("model", "layers")({"a": 1}),
    "no layers": within("model", "layers")([]),
    "one layer fewer": lambda metadata: metadata["model"]["layers"].pop(),
    "the same layer twice": lambda metadata: metadata["model"]["layers"].append(metadata["model"]["layers"][-1]),
    "an unknown argument": within(*LAYER, "callback")("os.system"),
    "an unknown activation": within(*LAYER, "activation")("__import__('os')"),
    "an activation of another kind": within(*LAYER, "activation")({"class_name": "object", "config": {}}),
    "an unknown initializer": within(*LAYER, "kernel_initializer")("eval"),
    "an initializer of nonsense": within(*LAYER, "kernel_initializer")({"class_name": "Constant", "config": 3}),
    "a regularizer of NaN": within(*LAYER, "kernel_regularizer")({"class_name": "L2", "config": {"l2": float("nan")}}),
    "dropout of 2": within("model", "layers", 3, "config", "rate")(2.0),
    "dropout of NaN": within("model", "layers", 3, "config", "rate")(float("nan")),
    "an epsilon of NaN": within("model", "layers", 2, "config", "epsilon")(float("nan")),
    "a slope of NaN": within("model", "layers", 5, "config", "negative_slope")(float("nan")),
    "noise without end": within("model", "layers", 6, "config", "stddev")(float("inf")),
    "no model": within("model")(ABSENT),
    "a model that is a list": within("model")([1, 2]),
    "no name": within("model", "name")(ABSENT),
    "no dtype": within("dtype")(ABSENT),
    "another dtype": within("dtype")("object"),
    "a dtype that is a list": within("dtype")(["float32"]),
    "no state": within("state")(ABSENT),
    "no list of weights": within("state", "weights")(ABSENT),
    "weights that are not there": within("state", "weights")(["../../etc/passwd"] * 13),
    "weights that are numbers": within("state", "weights")(3),
    "no seed": within("state", "seed")(ABSENT),
    "a negative seed": within("state", "seed")(-1),
    "a seed of 10**40": within("state", "seed")(10**40),
    "a seed of NaN": within("state", "seed")(float("nan")),
    "a seed as text": within("state", "seed")("1"),
    "negative iterations": within("state", "iterations")(-5),
    "iterations of 10**40": within("state", "iterations")(10**40),
    "iterations of NaN": within("state", "iterations")(float("nan")),
    "a negative learning rate": within(*OPTIMIZER, "learning_rate")(-0.1),
    "a learning rate of NaN": within(*OPTIMIZER, "learning_rate")(float("nan")),
    "a learning rate as text": within(*OPTIMIZER, "learning_rate")("fast"),
    "an unknown schedule": within(*OPTIMIZER, "learning_rate")({"class_name": "Popen", "config": {"args": "ls"}}),
    "beta of 2": within(*OPTIMIZER, "beta_1")(2.0),
    "an unknown optimizer": within("compile", "optimizer", "class_name")("subprocess.Popen"),
    "an optimizer of other slots": within("compile", "optimizer")({"class_name": "Adagrad", "config": {}}),
    "an optimizer that is a list": within("compile", "optimizer")([]),
    "an unknown loss": within("compile", "loss")({"class_name": "eval", "config": {"text": "1"}}),
    "a loss that is a number": within("compile", "loss")(4),
    "unknown metrics": within("compile", "metrics")(["eval"]),
    "metrics that are a number": within("compile", "metrics")(5),
    "a metric of huge memory": within("compile", "metrics")(
        [{"class_name": "AUC", "config": {"num_thresholds": 10**12}}]
    ),
    "no compile": within("compile")(ABSENT),
    "no preprocessing": within("preprocessing")(ABSENT),
    "a newer format": within("format")(saving.FORMAT + 1),
    "a format as text": within("format")("1"),
    "no format": within("format")(ABSENT),
    "a list": lambda metadata: [1, 2, 3],
    "a number": lambda metadata: "12",
    "null": lambda metadata: "null",
    "no JSON": lambda metadata: "{'model': __import__('os')}",
    "nested JSON": lambda metadata: '{"format": 1, "model": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "a number of many digits": lambda metadata: '{"format": ' + "9" * 10_000 + "}",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_metadata_is_refused(saved, kind):
    path, _ = saved
    rewritten(path, HOSTILE[kind])
    with pytest.raises(FileError) as caught:
        load_model(path)
    assert str(caught.value).startswith("Passed: ")
    assert "\nExpected: " in str(caught.value)
    assert len(str(caught.value)) < 2000


def test_a_newer_format_says_what_to_do(saved):
    path, _ = saved
    rewritten(path, HOSTILE["a newer format"])
    with pytest.raises(FileError, match="pip install --upgrade hillwalker"):
        load_model(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays, name: arrays.pop(name),
        lambda arrays, name: arrays.update({name: arrays[name].T.copy()}),
        lambda arrays, name: arrays.update({name: arrays[name].ravel()}),
        lambda arrays, name: arrays.update({name: arrays[name].astype(np.int32)}),
        lambda arrays, name: arrays.update({name: np.zeros((0, 0), np.float32)}),
    ],
    ids=["missing", "transposed", "flat", "integers", "empty"],
)
@pytest.mark.parametrize("kind", ["weight", "slot"])
def test_arrays_that_do_not_fit_are_refused(saved, change, kind):
    path, model = saved
    arrays, metadata = saving.read(path)
    weight = metadata["state"]["weights"][0]
    change(arrays, weight if kind == "weight" else f"optimizer/momentum/{weight}")
    saving.write(path, arrays, metadata)
    with pytest.raises(FileError):
        load_model(path)
    before = everything(model)
    with pytest.raises((InputError, KeyError)):
        model.restore(arrays, metadata)
    assert everything(model) == before


class Bomb:
    """What a pickle would do when it is opened."""

    def __reduce__(self):
        return (os.mkdir, (os.environ["HILLWALKER_TEST_BOMB"],))


def test_files_of_other_kinds_are_named_and_nothing_in_them_is_run(tmp_path, monkeypatch):
    exploded = tmp_path / "exploded"
    monkeypatch.setenv("HILLWALKER_TEST_BOMB", str(exploded))
    (tmp_path / "pickle").write_bytes(pickle.dumps(Bomb()))
    with zipfile.ZipFile(tmp_path / "keras", "w") as archive:
        archive.writestr("config.json", "{}")
    (tmp_path / "hdf5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "zeros").write_bytes(bytes(1000))
    (tmp_path / "text").write_text("import os; os.mkdir('exploded')")
    (tmp_path / "huge header").write_bytes(struct.pack("<Q", 2**62) + b"{}")
    (tmp_path / "directory").mkdir()
    (tmp_path / "arrays").write_bytes(save({"a": np.zeros(3)}))
    named = {"pickle": "a pickle", "keras": "a Keras or zip file", "hdf5": "an HDF5 file", "absent": "no file"}
    for name in ("pickle", "keras", "hdf5", "empty", "zeros", "text", "huge header", "directory", "arrays", "absent"):
        for load in (load_model, network().load_weights):
            with pytest.raises(FileError) as caught:
                load(tmp_path / name)
            assert named.get(name, "Passed: ") in str(caught.value)
    assert not exploded.exists()


def test_a_fifo_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(FileError, match="no file"):
        load_model(tmp_path / "fifo")
