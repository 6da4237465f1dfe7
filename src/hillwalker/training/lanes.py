"""Which models may share a vector's lanes, and how the core is told of them.

Whether a model is trained in a lane depends on the model alone and never on its company, since sums run in another
order there. What has no lanes trains as ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from hillwalker import engine
from hillwalker.layers import Dense, Flatten, InputLayer
from hillwalker.training.job import Chosen, Job, course, early_stopping_rule, write_down

WIDEST = 16  # units; a wider layer fills vectors by itself, and gains little or loses here
OPTIMIZERS = ("sgd", "rmsprop", "adam")
WHOLE_ROWS = ("categorical_crossentropy", "sparse_categorical_crossentropy", "categorical_hinge", "cosine_similarity")
NOT_ELEMENTWISE = ("softmax", "log_softmax")


def has_lanes(job: Job) -> bool:
    """Return whether a model can be trained in a lane, and is quicker there.

    Dense layers, all trained, no penalties, at most 16 units wide; activations that look at one number at a time; SGD,
    RMSprop or Adam without clipping; a loss that is a mean over columns.
    """
    if job.needs_python:
        return False
    state = job.state
    optimizer, loss = state.optimizer, state.loss
    assert optimizer is not None
    assert loss is not None
    clips = any(optimizer.hyperparameters()[name] for name in ("clipnorm", "clipvalue", "global_clipnorm"))
    dense = _dense(job)
    return (
        optimizer.kind in OPTIMIZERS
        and not clips
        and loss.core is not None
        and loss.core[0] not in WHOLE_ROWS
        and len(dense) == sum(not isinstance(part.layer, (Flatten, InputLayer)) for part in state.plan.layers)
        and len(dense) > 0
        and state.trainable
        and all(_fits(part) for part in dense)
    )


def _dense(job: Job) -> list[Any]:
    return [planned for planned in job.state.plan.layers if isinstance(planned.layer, Dense)]


def _fits(planned: Any) -> bool:
    layer = planned.layer
    return (
        layer.trainable
        and planned.outputs <= WIDEST
        and layer.activation.core is not None
        and layer.activation.core[0] not in NOT_ELEMENTWISE
        and all(segment.regularizer is None for segment in planned.segments.values())
    )


def together(jobs: Sequence[Job]) -> Iterator[InLanes]:
    """Yield trainings of models that share their shape, their rows and their order, as many as there are lanes."""
    told = sorted(((_told(job), job) for job in jobs), key=lambda pair: (str(pair[0]), -pair[1].settings.epochs))
    for alike, pairs in groupby(told, key=lambda pair: pair[0]):
        group = [job for _, job in pairs]
        lanes = engine.lanes(alike[0])
        for first in range(0, len(group), lanes):
            yield InLanes(group[first : first + lanes], alike)


def _told(job: Job) -> tuple[Any, ...]:
    """Return everything that models in lanes have in common; the first four parts go to the core."""
    optimizer, loss, settings = job.state.optimizer, job.state.loss, job.settings
    assert optimizer is not None
    assert loss is not None
    assert loss.core is not None
    layers = []
    for planned in _dense(job):
        kernel, bias = planned.segments["kernel"], planned.segments.get("bias")
        activation, numbers = planned.layer.activation.core
        of_bias = (-1, False) if bias is None else (bias.offset, optimizer.decays(bias.name))
        of_kernel = kernel.offset, optimizer.decays(kernel.name)
        layers.append((planned.inputs, planned.outputs, activation, list(numbers), *of_kernel, *of_bias))
    kind, constants = loss.core
    return (
        job.state.plan.dtype,
        layers,
        (kind, list(constants), loss.reduction == "sum"),
        (optimizer.kind, optimizer.hyperparameters()),
        *(None if chosen is None else _place(chosen) for chosen in (job.sample, job.validation)),
        (settings.batch_size, settings.validation_batch_size, settings.shuffle, job.order_seed, optimizer.iterations),
    )


def _place(chosen: Chosen) -> tuple[Any, ...]:
    arrays = chosen.for_the_core()
    return tuple(None if a is None else (a.__array_interface__["data"][0], a.shape) for a in arrays)


class InLanes:
    """Trainings that the core does side by side."""

    def __init__(self, jobs: Sequence[Job], alike: tuple[Any, ...]) -> None:
        self.jobs = jobs
        self.cost = max(job.cost * job.settings.epochs for job in jobs)
        first = jobs[0]
        validation = None if first.validation is None else first.validation.for_the_core()
        dtype, layers, loss, optimizer, *_ = alike
        self.work = engine.lane_training(dtype, layers, loss, optimizer, first.sample.for_the_core(), validation)
        for job in jobs:
            assert isinstance(job.state.network, engine.Network)
            self.work.add(job.state.network.vectors, course(job), early_stopping_rule(job.early_stopping))

    done = 0  # the core counts

    def end(self, seconds: float) -> None:
        """Write down what the core has done, and each model's share of the seconds."""
        for number, job in enumerate(self.jobs):
            job.params["lanes"] = True
            write_down(job, self.work.record(number), seconds / len(self.jobs))
