"""The loss of one network at many places in the space of its weights, several at a time.

No model is touched: each thread has a network of its own, on a vector of its own.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import config, engine
from hillwalker.models import Sequential
from hillwalker.optimizers import SGD
from hillwalker.parameters import FloatArray, flat_vector
from hillwalker.plan import Plan
from hillwalker.training import loop
from hillwalker.training.batches import Data

Array = NDArray[np.float64]

ROWS = 1024  # rows that a network meets at once; a loss that is a sum meets all
BLOCK_SECONDS = 0.02  # about as long a thread works before it looks whether to go on
TOO_SHORT = 2e-5  # seconds: evaluations so short that threads would wait for each other longer than they work


def plan_of(model: Sequential, target_columns: int) -> Plan:
    """Return the model's plan with its loss and penalties; the optimizer, which only the penalties need, is plain."""
    plan = model.plan if model.trainable else model.plan.frozen()
    return dataclasses.replace(plan, loss=model._loss, optimizer=SGD(0.0), target_width=target_columns)


def losses_at(
    plan: Plan,
    data: Data,
    fill: Callable[[int, FloatArray], None],
    count: int,
    threads: int,
    show: Callable[[float], None],
) -> Array:
    """Return the loss on all rows, penalties included, at so many places, shape (count,).

    `fill(number, vector)` writes a place's weights into a flat vector; it is called from several threads at a time.
    What is not finite stays as it is. Ctrl-C raises KeyboardInterrupt, and an error in a function of the user's is
    raised too, once all threads are back.
    """
    (part,) = data.parts(None, 0, len(data), len(data))
    x, y, weight = part.x, part.y, part.sample_weight
    assert y is not None
    rows = len(data) if plan.loss is not None and plan.loss.reduction == "sum" else min(ROWS, len(data))
    losses = np.empty(count)
    idle: SimpleQueue[Any] = SimpleQueue()

    @np.errstate(all="ignore")
    def evaluate(first: int, stop: int) -> None:
        network = engine.build(plan, flat_vector(plan.length, plan.dtype), {}, 0) if idle.empty() else idle.get()
        for number in range(first, stop):
            fill(number, network.parameters)
            losses[number] = network.evaluate(x, y, weight, rows, None) / len(data)
        idle.put(network)

    evaluate(0, 1)  # memory is taken here, so that the next one tells how long an evaluation takes
    began = time.perf_counter()
    evaluate(0, 1)
    seconds = time.perf_counter() - began
    block = max(1, round(BLOCK_SECONDS / max(seconds, 1e-6)))
    starts = range(1, count, block)
    _run(
        evaluate, [(first, min(first + block, count)) for first in starts], 1 if seconds < TOO_SHORT else threads, show
    )
    return losses


def _run(
    evaluate: Callable[[int, int], None], blocks: list[tuple[int, int]], threads: int, show: Callable[[float], None]
) -> None:
    """Evaluate the blocks on so many threads."""
    errors: list[BaseException] = []
    done: list[int] = []
    with loop.listening() as interruption:

        def job(first: int, stop: int) -> Callable[[], None]:
            def work() -> None:
                if not (interruption.asked or errors):
                    try:
                        evaluate(first, stop)
                        done.append(first)
                    except BaseException as error:  # it waits for the thread that called
                        errors.append(error)

            return work

        def watch(_: int) -> bool:
            show(len(done) / max(1, len(blocks)))
            return interruption.asked or bool(errors)

        of_one_network = config.threads()
        try:
            if threads > 1:
                config.set_threads(1)  # the networks together have threads enough
            engine.run([job(*block) for block in blocks], threads, watch)
        finally:
            config.set_threads(of_one_network)
    if errors:
        raise errors[0]
    if interruption.asked:
        raise KeyboardInterrupt
