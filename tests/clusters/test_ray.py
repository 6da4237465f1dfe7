"""`hw.compare(backend="ray")` on a Ray of two processes on this machine, of which one is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import ray
from ray.util.joblib import register_ray

import hillwalker as hw
from hillwalker.choosing.runs import LEDGER
from hillwalker.errors import StateError
from hillwalker.layers import Dense, Dropout, Input

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(120, 4)).astype(np.float32)
Y = (X[:, :1] - X[:, 1:2] ** 2 + 0.1 * RANDOM.normal(size=(120, 1))).astype(np.float32)
VARY = {"learning_rate": [0.001, 0.01], "units": [4, 8]}


@pytest.fixture(scope="module")
def cluster():
    ray.init(
        num_cpus=2, include_dashboard=False, _node_ip_address="127.0.0.1", log_to_driver=False, configure_logging=False
    )
    yield
    ray.shutdown()


def actors():
    """Return the process numbers of the pool's actors, which are grandchildren of this process."""
    table = subprocess.run(["ps", "-axo", "pid,ppid,command"], check=True, capture_output=True, text=True).stdout
    rows = [line.split(None, 2) for line in table.splitlines()[1:]]
    parents = {int(row[0]): int(row[1]) for row in rows}
    found = [int(row[0]) for row in rows if "ray::PoolActor" in row[2]]
    return [pid for pid in found if parents.get(parents[pid]) == os.getpid()]


def small(*hidden, **told):
    model = hw.Sequential([Input((4,)), *(hidden or (Dense(8, activation="relu"),)), Dense(1)])
    model.compile("adam", "mse", **told)
    return model


def run(model, **told):
    return hw.compare(model, X, Y, **({"vary": VARY, "seeds": 3, "epochs": 4, "verbose": 0} | told))


def assert_same(one, two):
    assert one.done.all()
    assert two.done.all()
    for name, curve in one.curves.items():
        assert np.array_equal(curve, two.curves[name], equal_nan=True)
    assert np.array_equal(one.runs, two.runs)


def test_before_ray_init_it_is_refused():
    assert not ray.is_initialized()
    with pytest.raises(StateError, match=r"Try: ray\.init\(\)"):
        run(small(), backend="ray")


def test_the_numbers_are_the_local_ones_to_the_bit(cluster):
    told = {"folds": 3, "early_stopping": 2, "epochs": 12}
    model = small(Dense(6, activation="tanh"), Dropout(0.2), metrics=["mae"])
    assert_same(run(model, **told), run(model, **told, backend="ray"))
    hw.config.set_floatx("float64")
    assert_same(run(small()), run(small(), backend="ray"))


def test_functions_of_the_users_travel(cluster):
    def where(y_true, y_pred):
        return np.full(len(y_true), float(os.getpid()))

    processes = set(run(small(metrics=[where]), seeds=20, backend="ray").curves["where"].ravel())
    assert len(processes) == 2
    assert os.getpid() not in processes


def test_a_killed_worker_loses_nothing(cluster, tmp_path):
    told = {"vary": {**VARY, "batch_size": [4, 8]}, "seeds": 12, "epochs": 600}
    killed = []

    def kill():
        ledger = tmp_path / LEDGER
        while not (ledger.exists() and ledger.read_text().count("\n") >= 4):
            time.sleep(0.005)
        killed.append(actors()[0])
        os.kill(killed[0], signal.SIGKILL)

    local = run(small(), **told)
    killer = threading.Thread(target=kill)
    killer.start()
    there = run(small(), **told, backend="ray", folder=tmp_path)
    killer.join()
    assert_same(local, there)
    lines = (tmp_path / LEDGER).read_text().splitlines()
    assert len(lines) == len(set(lines)) == 96
    assert killed[0] not in actors()


def test_the_ledger_goes_on(cluster, tmp_path):
    whole = run(small(), folder=tmp_path)
    ledger = tmp_path / LEDGER
    lines = ledger.read_text().splitlines(keepends=True)
    ledger.write_text("".join(lines[:5]))
    assert_same(whole, run(small(), folder=tmp_path, backend="ray"))
    assert ledger.read_text().count("\n") == 12


def test_an_error_of_the_users_is_raised_at_once(cluster):
    def broken(y_true, y_pred):
        raise ZeroDivisionError("as I was told")

    with pytest.raises(ZeroDivisionError, match="as I was told"):
        run(small(metrics=[broken]), backend="ray")


def test_a_ray_in_force_is_used(cluster):
    import joblib

    def where(y_true, y_pred):
        return np.full(len(y_true), float(os.getpid()))

    register_ray()
    with joblib.parallel_config("ray"):
        assert os.getpid() not in set(run(small(metrics=[where])).curves["where"].ravel())
    assert sys.modules["ray"].is_initialized()
