"""Many trainings side by side: which of them the core does whole, and which begin first.

A training that needs Python (metrics, functions of the user's, data in a file) runs the ordinary loop in a thread of
the same pool. Nothing is checked here; `models/many.py` does that.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from hillwalker import config, engine
from hillwalker.training import loop
from hillwalker.training.batches import Data
from hillwalker.training.callbacks import Callback
from hillwalker.training.job import Job, course, early_stopping_rule, write_down
from hillwalker.training.lanes import has_lanes, together


class Asked(Callback):
    """Ends the ordinary loop where the whole run is to stop, and counts its epochs."""

    def __init__(self, interruption: loop.Interruption) -> None:
        super().__init__()
        self.interruption = interruption
        self.epochs = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Stop, if asked."""
        if self.interruption.asked:
            raise KeyboardInterrupt
        self.epochs = epoch

    def on_train_progress(self, steps: int, logs: dict[str, Any] | None = None) -> None:
        """Stop, if asked."""
        if self.interruption.asked:
            raise KeyboardInterrupt


def train(jobs: Sequence[Job], threads: int, lanes: bool, show: Callable[[float], None]) -> None:
    """Do the jobs on so many threads, the longest first. Histories go to the models, weights to their states.

    With `lanes`, models that can be trained in the lanes of a vector are (see `lanes.py`).

    `show` is called now and then with the share that is done. Ctrl-C ends all trainings as it ends `fit`: what is
    finished stays. An error in one of them (a user's function that raises) ends the others likewise, and is raised.
    """
    whole = max(1, sum(job.cost * job.settings.epochs for job in jobs))
    laned = {id(job) for job in jobs if lanes and has_lanes(job)}
    with loop.listening() as interruption:
        in_python = [_InPython(job, interruption) for job in jobs if job.needs_python]
        alone = [_InCore(job) for job in jobs if not (job.needs_python or id(job) in laned)]
        runs: list[Any] = [*in_python, *alone, *together([job for job in jobs if id(job) in laned])]
        runs.sort(key=lambda run: -run.cost)

        def watch(done: int) -> bool:
            show(min(1.0, (done + sum(run.done for run in in_python)) / whole))
            return interruption.asked

        of_one_network = config.threads()
        seconds = [0.0] * len(runs)
        try:
            if len(runs) > 1:
                config.set_threads(1)  # those that Python runs ask for it; together they have threads enough
            seconds = engine.run([run.work for run in runs], threads, watch)
        finally:
            config.set_threads(of_one_network)
            for run, took in zip(runs, seconds, strict=True):
                run.end(took)
    for run in in_python:
        if run.error is not None:
            raise run.error


class _InCore:
    """A training that the core does from its first epoch to its last."""

    done = 0  # the core counts

    def __init__(self, job: Job) -> None:
        self.job, self.cost = job, job.cost * job.settings.epochs
        assert isinstance(job.state.network, engine.Network)
        validation = None if job.validation is None else job.validation.for_the_core()
        rule = early_stopping_rule(job.early_stopping)
        self.work = job.state.network.training(job.sample.for_the_core(), validation, course(job), rule)

    def end(self, seconds: float) -> None:
        """Write down what the core has done, and how long it took."""
        write_down(self.job, self.work.record, seconds)


class _InPython:
    """A training by the ordinary loop, in a thread of the pool; the engine lets the others run while it computes."""

    def __init__(self, job: Job, interruption: loop.Interruption) -> None:
        self.job, self.interruption, self.cost = job, interruption, job.cost * job.settings.epochs
        self.asked = Asked(interruption)
        self.error: BaseException | None = None
        self.ended = False

    @property
    def done(self) -> int:
        """The costs of the epochs done."""
        return self.job.cost * (self.job.settings.epochs if self.ended else self.asked.epochs)

    def work(self) -> None:
        """Train; an error waits for the thread that called."""
        job, state = self.job, self.job.state
        own_seed, _ = state.seed, state.network  # the network has its seed; what remains of it is the rows' order
        try:
            state.seed = own_seed if job.order_seed is None else job.order_seed
            sample = job.sample.taken()
            held_out = None if job.validation is None else job.validation.taken()
            watching = [] if job.early_stopping is None else [copy.copy(job.early_stopping)]
            job.model.fit(
                sample.x.reshape(len(sample), *job.model.input_shape[1:]),
                sample.y,
                batch_size=job.settings.batch_size,
                epochs=job.settings.epochs,
                verbose=0,
                callbacks=[*watching, self.asked],
                validation_data=None if held_out is None else _given(job.model, held_out),
                shuffle=job.settings.shuffle,
                sample_weight=sample.sample_weight,
                validation_batch_size=job.settings.validation_batch_size,
            )
        except BaseException as error:
            self.error, self.interruption.asked = error, True
        finally:
            state.seed, self.ended = own_seed, True

    def end(self, seconds: float) -> None:
        """Leave everything as `fit` has written it down."""


def _given(model: Any, data: Data) -> tuple[Any, ...]:
    x = data.x.reshape(len(data), *model.input_shape[1:])
    return (x, data.y) if data.sample_weight is None else (x, data.y, data.sample_weight)
