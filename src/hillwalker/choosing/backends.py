"""Portions of runs on other processes and machines, through joblib's backends: loky, Dask, Ray, or one in force.

No number of a run depends on where it is done, and what a lost worker had not handed over is done again.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any
from uuid import uuid4

from hillwalker.choosing.guests import Home, Raised, work
from hillwalker.choosing.runs import PORTION_SECONDS, Outcome, Run, Task
from hillwalker.choosing.variants import Variant
from hillwalker.errors import InputError, InputTypeError, StateError, explain, missing_dependency, unknown_name

LOSSES = 4  # times that workers may be lost, without a run done in between, before we give up
A_ROUND = 4  # portions a worker, where a backend hands over results only when all that it was given is done

CALL = "compare(..., backend={})"
_CALLERS: set[str] = set()  # the calls of this process


def is_wanted(backend: Any) -> bool:
    """Return whether runs go through joblib: a backend is named, or one of processes is in force."""
    if backend is not None:
        return True
    if "joblib" not in sys.modules:  # nobody can have put one in force
        return False
    from joblib.parallel import get_active_backend

    kinds = {type(get_active_backend(prefer=hint)[0]) for hint in ("threads", "processes")}
    if len(kinds) == 2:  # no backend is in force, or each hint would not have got its own
        return False
    return not getattr(get_active_backend()[0], "supports_sharedmem", False)  # threads: those we have ourselves


def require(backend: Any) -> None:
    """Raise MissingDependencyError, InputError or StateError where a backend cannot be used."""
    if backend is not None:
        _packages(backend)
        _resolved(backend, None)


def in_portions(
    task: Task, runs: Sequence[Run], backend: Any, workers: int | None, show: Callable[[float], None]
) -> Iterator[tuple[Run, Outcome]]:
    """Yield each run as soon as its portion is back; Ctrl-C raises KeyboardInterrupt.

    `workers` is how many work at a time; None: all there are. Raises what a run raises, and StateError where workers
    are lost over and over.
    """
    left, size, in_vain = dict.fromkeys(runs), _Size(), 0
    while left:
        before = len(left)
        answers = _answers(task, list(left), backend, workers, size)
        lost: Exception | None = None
        try:
            while True:
                try:
                    portion, answer = next(answers)
                except StopIteration:
                    break
                except Exception as error:  # of the backend: a worker was killed, a connection broke
                    lost = error
                    break
                if isinstance(answer, Raised):
                    raise answer.error
                outcomes, seconds = answer
                size.learn(len(portion), seconds)
                for run, outcome in zip(portion, outcomes, strict=True):
                    if outcome is not None:  # else somebody pressed Ctrl-C there
                        del left[run]
                        yield run, outcome
                show(1 - len(left) / len(runs))
        finally:
            _close(answers)
        in_vain = in_vain + 1 if len(left) == before else 0
        if in_vain == LOSSES:
            passed = f"runs whose workers were lost {LOSSES} times in a row; the last time: {_told(lost)}."
            raise StateError(
                explain(passed, "workers that live.", "compare(..., folder=...), which goes on where it was")
            ) from lost
        if lost is not None:
            size.halve()


class _Size:
    """How many runs a portion has, so that it takes about a second, whatever a run takes."""

    def __init__(self) -> None:
        self.runs = 8.0

    def learn(self, runs: int, seconds: float) -> None:
        """Take the size that would have taken a second, or a step towards it."""
        wanted = runs * PORTION_SECONDS / max(seconds, 1e-6)
        self.runs = max(1.0, min(4 * runs, max(runs / 4, wanted)))

    def halve(self) -> None:
        """Make portions smaller, to find the run that kills its worker."""
        self.runs = max(1.0, self.runs / 2)

    def cut(self, runs: Sequence[Run], workers: int) -> Iterator[list[Run]]:
        """Yield portions; smaller ones towards the end, where workers would wait for the last."""
        first = 0
        while first < len(runs):
            count = max(1, min(int(self.runs), math.ceil((len(runs) - first) / (2 * workers))))
            yield list(runs[first : first + count])
            first += count


def _answers(
    task: Task, runs: Sequence[Run], backend: Any, workers: int | None, size: _Size
) -> Iterator[tuple[list[Run], Any]]:
    from joblib import Parallel, delayed

    shared = _Parcel(replace(task, variants=()), uuid4().hex)
    chosen, count = _resolved(backend, shared)
    count = workers if workers is not None else count if count is not None else -1
    home, there = Home.here(), delayed(_there)
    calls = (
        there(shared, *_renumbered(task, portion), portion, home)
        for portion in size.cut(runs, max(1, chosen.effective_n_jobs(count)))
    )
    told = {"n_jobs": count, "backend": chosen, "batch_size": 1}
    _CALLERS.add(shared.token)
    try:
        if chosen.supports_return_generator:
            yield from Parallel(**told, return_as="generator_unordered")(calls)
            return
        with Parallel(**told) as parallel:
            at_once = A_ROUND * max(1, chosen.effective_n_jobs(count))
            while some := list(islice(calls, at_once)):
                yield from parallel(some)
    finally:
        _CALLERS.discard(shared.token)
        getattr(chosen, "data_futures", {}).clear()  # Dask's workers may forget the data


@dataclass(frozen=True)
class _Parcel:
    """What all portions share; with a token, for Dask names data by their contents, and calls would share them too."""

    task: Task
    token: str


def _there(
    shared: _Parcel, variants: list[Variant], runs: list[Run], portion: list[Run], home: Home
) -> tuple[list[Run], Any]:
    """Do a portion in the worker; its runs by the caller's numbers come back with it."""
    answer = work(shared.task, variants, runs, home)
    if shared.token in _CALLERS and not isinstance(answer, Raised) and None in answer[0]:
        raise KeyboardInterrupt  # joblib does it in the caller's own process where one worker is enough
    return portion, answer


def _renumbered(task: Task, portion: Iterable[Run]) -> tuple[list[Variant], list[Run]]:
    """Return the variants of a portion, which alone travel with it, and its runs as they count them."""
    place: dict[int, int] = {}
    runs = [replace(run, variant=place.setdefault(run.variant, len(place))) for run in portion]
    return [task.variants[number] for number in place], runs


def _close(answers: Any) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "[0-9]+ tasks ", UserWarning)  # joblib: results not used; we do them again
        with suppress(Exception):
            answers.close()


def _told(error: Exception | None) -> str:
    return "they were interrupted" if error is None else f"{type(error).__name__}: {str(error).strip()[:200]}"


def _packages(backend: Any) -> None:
    """Import what a backend needs, or raise MissingDependencyError."""
    purpose = CALL.format(repr(backend) if isinstance(backend, str) else "...")
    try:
        import joblib  # noqa: F401
    except ImportError:
        raise missing_dependency("joblib", purpose, "sweep") from None
    if backend == "dask":
        try:
            import distributed  # noqa: F401
        except ImportError:
            raise missing_dependency("distributed", purpose, "dask") from None
    if backend == "ray":
        try:
            import ray
            from ray.util.joblib import register_ray
        except ImportError:
            raise missing_dependency("ray", purpose, "ray") from None
        if not ray.is_initialized():  # we open no ports on our own
            passed = "backend='ray' before ray.init."
            raise StateError(explain(passed, "a running cluster, to which this process is joined.", "ray.init()"))
        register: Any = register_ray  # it has no types
        register()


def _resolved(backend: Any, shared: _Parcel | None) -> tuple[Any, int | None]:
    """Return joblib's backend for one call, and how many workers the backend in force was told to use."""
    from joblib.parallel import MultiprocessingBackend, ParallelBackendBase, get_active_backend

    count = None
    if backend is None:
        chosen, count = get_active_backend()
    elif isinstance(backend, ParallelBackendBase):
        chosen = backend
    else:
        chosen = _named(backend)
    if type(chosen) is MultiprocessingBackend:  # and not Ray's, which is derived from it
        passed = "joblib's backend 'multiprocessing', which waits for ever for a worker that was killed."
        raise InputError(explain(passed, "its backend of processes.", CALL.format('"loky"')))
    return _with_data(chosen, shared), count


def _named(backend: Any) -> Any:
    """Return joblib's backend of a name."""
    import joblib
    from joblib.parallel import BACKENDS, get_active_backend

    if not isinstance(backend, str):
        passed = f"backend of type {type(backend).__name__}."
        raise InputTypeError(explain(passed, "the name of a joblib backend.", CALL.format('"loky"')))
    known = {"dask", "ray", *BACKENDS} - {"threading", "sequential"}
    if backend not in known:
        raise unknown_name("backend", backend, known - {"multiprocessing"}, CALL)
    try:
        with joblib.parallel_config(backend=backend):
            return get_active_backend()[0]
    except ValueError as error:
        if backend != "dask":
            raise
        passed = "backend='dask' without a client."
        fix = 'client = dask.distributed.Client("scheduler:8786")'
        raise StateError(explain(passed, "a running cluster, and a client of it in this process.", fix)) from error


def _with_data(backend: Any, shared: _Parcel | None) -> Any:
    """Return a Dask backend that has put the data on every worker, where one that dies cannot take them along."""
    client = getattr(backend, "client", None)
    if shared is None or client is None or not hasattr(backend, "submit_kwargs"):
        return backend
    return type(backend)(client=client, scatter=[shared], **backend.submit_kwargs)
