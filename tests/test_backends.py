"""`hw.compare(backend=...)` on real processes: loky's, and a Dask cluster of two on this machine."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import distributed
import joblib
import numpy as np
import pytest
from joblib._dask import DaskDistributedBackend
from joblib.externals.loky import reusable_executor

import hillwalker as hw
from hillwalker import engine
from hillwalker.choosing import backends, guests
from hillwalker.choosing.runs import LEDGER, Outcome, Run
from hillwalker.errors import InputError, InputTypeError, MissingDependencyError, StateError
from hillwalker.layers import BatchNormalization, Dense, Dropout, Input

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(120, 4)).astype(np.float32)
Y = (X[:, :1] - X[:, 1:2] ** 2 + 0.1 * RANDOM.normal(size=(120, 1))).astype(np.float32)
VARY = {"learning_rate": [0.001, 0.01], "units": [4, 8]}


@pytest.fixture(scope="module")
def client():
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # that a worker died is what we want
    with (
        distributed.LocalCluster(2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(params=["loky", "dask"])
def backend(request):
    if request.param == "dask":
        request.getfixturevalue("client")
    return request.param


def workers_of(backend):
    if backend == "dask":
        return list(distributed.get_client().run(os.getpid).values())
    return list(reusable_executor._executor._processes)


def small(*hidden, **told):
    model = hw.Sequential([Input((4,)), *(hidden or (Dense(8, activation="relu"),)), Dense(1)])
    model.compile("adam", "mse", **told)
    return model


def run(model, vary=VARY, **told):
    settings = {"seeds": 3, "epochs": 4, "verbose": 0} | told
    return hw.compare(model, X, Y, vary=vary, **settings)


def assert_same(one, two):
    assert one.labels == two.labels
    assert one.done.all()
    assert two.done.all()
    for name, curve in one.curves.items():
        assert np.array_equal(curve, two.curves[name], equal_nan=True)
    assert np.array_equal(one.runs, two.runs)
    assert np.array_equal(one.kept, two.kept)


# The same numbers


def test_the_numbers_are_the_local_ones_to_the_bit(backend):
    model = small(Dense(6, activation="tanh"), BatchNormalization(), Dropout(0.2), metrics=["mae"])
    told = {"folds": 3, "early_stopping": 2, "epochs": 12, "sample_weight": np.linspace(0.5, 2, len(X))}
    assert_same(run(model, **told), run(model, **told, backend=backend))


def test_models_without_a_shape_start_from_the_same_weights(backend):
    model = hw.Sequential([Dense(8, activation="relu"), Dense(1)])
    model.compile("adam", "mse")
    assert_same(run(model), run(model, backend=backend))
    assert not model.built


def test_precision_and_engine_travel(backend, monkeypatch):
    hw.config.set_floatx("float64")
    local = run(small())
    assert_same(local, run(small(), backend=backend))
    monkeypatch.setenv("HILLWALKER_ENGINE", "reference")
    oracle = run(small(), epochs=1)
    assert not np.array_equal(oracle.curves["loss"][..., 0], local.curves["loss"][..., 0])
    assert_same(oracle, run(small(), epochs=1, backend=backend))


def test_the_instruction_set_travels(backend):
    best, *others = engine.instruction_sets()
    try:
        engine.choose_instruction_set(others[-1] if others else best)
        local, there = run(small()), run(small(), backend=backend)
    finally:
        engine.choose_instruction_set(best)
    assert_same(local, there)


def test_functions_of_the_users_travel(backend):
    def absolute(y_true, y_pred):
        return ((y_true - y_pred) ** 2 + 1e-3) ** 0.5

    def where(y_true, y_pred):
        return np.full(len(y_true), float(os.getpid()))

    def threads(y_true, y_pred):
        return np.full(len(y_true), float(hw.config.threads()))

    model = small()
    model.compile("adam", absolute, metrics=[where, threads])
    local, there = run(model), run(model, backend=backend, seeds=8)
    assert np.array_equal(local.curves["val_loss"], there.curves["val_loss"][:, :3])
    processes = set(there.curves["where"].ravel())
    assert os.getpid() not in processes
    assert processes <= set(workers_of(backend))
    assert set(there.curves["threads"].ravel()) == {1.0}


def test_a_backend_in_force_is_used(client):
    def where(y_true, y_pred):
        return np.full(len(y_true), float(os.getpid()))

    model = small(metrics=[where])
    for told in ({"backend": "loky", "n_jobs": 2}, {"backend": "dask"}):
        with joblib.parallel_config(**told):
            assert os.getpid() not in set(run(model).curves["where"].ravel())
    with joblib.parallel_config("threading", n_jobs=2):  # threads we have ourselves
        assert set(run(model).curves["where"].ravel()) == {os.getpid()}
    assert set(run(model).curves["where"].ravel()) == {os.getpid()}
    named = DaskDistributedBackend(client=client)
    assert os.getpid() not in set(run(model, backend=named).curves["where"].ravel())


def test_the_workers_keep_nothing_of_ours(client):
    hw.config.set_floatx("float64")
    run(small(), backend="dask")
    deadline = time.monotonic() + 20
    while any(client.run(lambda dask_worker: len(dask_worker.data)).values()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert set(client.run(hw.config.floatx).values()) == {"float32"}


def test_calls_one_after_another_do_not_take_the_data_from_each_other(client):
    for _ in range(20):  # Dask names data by their contents, and forgets them a little later than told
        run(small(), epochs=1, seeds=1, backend="dask")


# Workers that die


def test_a_killed_worker_loses_nothing(backend, tmp_path):
    told = {"vary": {**VARY, "batch_size": [4, 8]}, "seeds": 6, "epochs": 400}
    killed = []

    def kill():
        ledger = tmp_path / LEDGER
        while not (ledger.exists() and ledger.read_text().count("\n") >= 4):
            time.sleep(0.005)
        killed.append(workers_of(backend)[0])
        os.kill(killed[0], signal.SIGKILL)

    local = run(small(), **told)
    killer = threading.Thread(target=kill)
    killer.start()
    there = run(small(), **told, backend=backend, folder=tmp_path)
    killer.join()
    assert_same(local, there)
    lines = (tmp_path / LEDGER).read_text().splitlines()
    assert len(lines) == len(set(lines)) == 48
    assert killed[0] not in workers_of(backend)


def test_the_ledger_goes_on_on_another_backend(backend, tmp_path):
    whole = run(small(), folder=tmp_path)
    ledger = tmp_path / LEDGER
    lines = ledger.read_text().splitlines(keepends=True)
    ledger.write_text("".join(lines[:5]))
    assert_same(whole, run(small(), folder=tmp_path, backend=backend))
    assert ledger.read_text().splitlines(keepends=True)[:5] == lines[:5]
    assert ledger.read_text().count("\n") == 12


def test_workers_that_die_over_and_over_are_given_up(tmp_path):
    home = os.getpid()

    def deadly(y_true, y_pred):
        if os.getpid() != home:
            os.kill(os.getpid(), signal.SIGKILL)
        return np.zeros(len(y_true))

    models = {"harmless": small(), "deadly": small(metrics=[deadly])}
    with pytest.raises(StateError, match=r"lost 4 times in a row.*TerminatedWorkerError"):
        hw.compare(models, X, Y, seeds=2, epochs=2, verbose=0, backend="loky", folder=tmp_path)
    there = hw.compare(models, X, Y, seeds=2, epochs=2, verbose=0, folder=tmp_path)
    assert there.done.all()  # here the function is harmless


def test_an_error_of_the_users_is_raised_at_once(backend):
    def broken(y_true, y_pred):
        raise ZeroDivisionError("as I was told")

    with pytest.raises(ZeroDivisionError, match="as I was told"):
        run(small(metrics=[broken]), backend=backend)


PROGRAM = """
import sys
import numpy as np
import hillwalker as hw

if __name__ == "__main__":
    backend, workers, folder = sys.argv[1:]
    if backend == "dask":
        import distributed

        told = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
        cluster = distributed.LocalCluster(2, threads_per_worker=1, **told)
        client = distributed.Client(cluster)
    model = hw.Sequential([hw.layers.Input((4,)), hw.layers.Dense(8, activation="relu"), hw.layers.Dense(1)])
    model.compile("adam", "mse")
    X = np.random.default_rng(0).normal(size=(2000, 4))
    told = dict(seeds=200, epochs=200, batch_size=4, verbose=0, threads=int(workers))
    comparison = hw.compare(model, X, X[:, 0], vary={"units": [8, 16]}, folder=folder, backend=backend, **told)
    print(comparison.interrupted, int(comparison.done.sum()))
    if backend == "dask":
        client.close()
        cluster.close()
"""


@pytest.mark.parametrize(("backend", "workers"), [("loky", "2"), ("loky", "1"), ("dask", "2")])
def test_ctrl_c_keeps_what_is_done(backend, workers, tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-W", "error", "program.py", backend, workers, "compared"]
    program = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    ledger = tmp_path / "compared" / LEDGER
    while not (ledger.exists() and ledger.read_text().count("\n") > 5):
        assert program.poll() is None, program.stderr.read()
        time.sleep(0.02)
    os.kill(program.pid, signal.SIGINT)
    out, errors = program.communicate(timeout=60)
    assert program.returncode == 0, errors
    interrupted, done = out.split()
    assert interrupted == "True"
    assert 5 < int(done) < 400
    assert ledger.read_text().count("\n") - int(done) in (0, 1)
    assert "tasks" not in errors  # joblib's warning that results were not used


# Portions


def test_progress_rises_to_the_whole(monkeypatch):
    shares = []
    monkeypatch.setattr("hillwalker.choosing.experiment.Shown", lambda *told: Watch(shares))
    run(small(), backend="loky", threads=2)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


class Watch:
    def __init__(self, shares):
        self.shares = shares

    def __call__(self, share):
        self.shares.append(share)

    def close(self):
        pass


def test_portions_hold_each_run_once_and_shrink_towards_the_end():
    runs = [Run(variant, seed, 0) for variant in range(5) for seed in range(20)]
    portions = list(backends._Size().cut(runs, workers=2))
    assert [run for portion in portions for run in portion] == runs
    assert [len(portions[0]), len(portions[-1])] == [8, 1]


def test_portions_come_to_take_a_second():
    size = backends._Size()
    size.learn(8, seconds=80.0)
    size.learn(2, seconds=20.0)
    assert size.runs == 1
    for _ in range(6):
        size.learn(int(size.runs), seconds=0.01 * size.runs)
    assert size.runs == pytest.approx(100)
    size.halve()
    assert size.runs == pytest.approx(50)


def test_runs_that_a_worker_was_interrupted_in_are_done_again(monkeypatch):
    outcome = Outcome({"loss": [1.0]}, 0, False, 0.0, 0.0)
    answers = iter([[([Run(0, 0, 0), Run(0, 1, 0)], ([outcome, None], 0.1))], [([Run(0, 1, 0)], ([outcome], 0.1))]])
    asked = []
    monkeypatch.setattr(
        backends, "_answers", lambda task, runs, *told: asked.append(runs) or (answer for answer in next(answers))
    )
    done = list(backends.in_portions(None, [Run(0, 0, 0), Run(0, 1, 0)], "loky", 2, lambda share: None))
    assert [run for run, _ in done] == asked[0] == [Run(0, 0, 0), Run(0, 1, 0)]
    assert asked[1] == [Run(0, 1, 0)]


# What is refused


@pytest.mark.parametrize(
    ("backend", "error", "words"),
    [
        ("dusk", InputError, r"backend 'dusk'.*Try: compare\(\.\.\., backend='dask'\)"),
        (3, InputTypeError, "backend of type int"),
        ("multiprocessing", InputError, """waits for ever.*backend="loky\""""),
        ("dask", StateError, "without a client.*Client"),
    ],
)
def test_what_cannot_be_used_is_refused(backend, error, words, monkeypatch):
    monkeypatch.setattr("hillwalker.choosing.runs.do", None)
    monkeypatch.setattr(distributed.client, "_global_clients", {})
    monkeypatch.setattr("joblib._dask.get_client", _no_client)
    with pytest.raises(error, match=f"(?s){words}"):
        run(small(), backend=backend)


def _no_client():
    raise ValueError("No global client found")


@pytest.mark.parametrize(
    ("backend", "package", "extra"),
    [("loky", "joblib", "sweep"), ("dask", "distributed", "dask"), ("ray", "ray", "ray")],
)
def test_a_missing_package_comes_with_the_line_that_installs_it(backend, package, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=rf"'{package}'(?s:.*)pip install 'hillwalker\[{extra}\]'"):
        run(small(), backend=backend)


def test_a_worker_computes_for_one_home_at_a_time_and_is_then_as_it_was():
    single, double = guests.Home.here(), replace(guests.Home.here(), floatx="float64", engine="reference")
    house, seen = guests._House(), []
    threads = hw.config.threads()
    meeting = threading.Barrier(2)

    def stay(home, meets):
        with house.guest(home):
            if meets:
                meeting.wait(timeout=20)  # both of this home are in at the same time
            time.sleep(0.02)
            seen.append((home.floatx, hw.config.floatx(), hw.config.engine_name(), hw.config.threads()))

    guests_ = [threading.Thread(target=stay, args=(home, home == single)) for home in (single, double, single)]
    for guest in guests_:
        guest.start()
    for guest in guests_:
        guest.join(timeout=30)
    assert sorted(seen) == [("float32", "float32", "compiled", 1)] * 2 + [("float64", "float64", "reference", 1)]
    assert (hw.config.floatx(), hw.config.engine_name(), hw.config.threads()) == ("float32", "compiled", threads)
    assert "HILLWALKER_ENGINE" not in os.environ


def test_a_worker_that_would_compute_other_numbers_is_refused():
    here = guests.Home.here()
    other = guests.Home("0.0.1", here.floatx, here.engine, here.instruction_set)
    with pytest.raises(StateError, match=r"pip install hillwalker==0\.0\.1"):
        other.refuse_if_impossible()
    other = guests.Home(here.version, here.floatx, here.engine, "x86_64_v9")
    with pytest.raises(StateError, match="cannot run x86_64_v9(?s:.*)HILLWALKER_ISA=" + engine.instruction_sets()[0]):
        other.refuse_if_impossible()
