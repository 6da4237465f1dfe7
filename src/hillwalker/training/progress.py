"""What a person sees during fit, evaluate and predict: a bar, lines, or nothing.

At most ten updates a second, however fast the epochs are: the clock is looked at first, and text is only made when it
will be shown. Nothing is measured here; rich and IPython are imported when the first bar is drawn.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from hillwalker.errors import InputError, explain

INTERVAL = 0.1  # seconds between two updates, at least
SLOW_EPOCH = 0.5  # seconds; epochs slower than this leave a line each, faster ones share one bar

VERBOSITIES = ("auto", 0, 1, 2)

Logs = Mapping[str, Any]


def display(verbose: Any, stream: TextIO) -> str:
    """Return how to show progress: "nothing", "bar", "notebook", "lines", or "epochs" (a line an epoch, `verbose=2`).

    `verbose` is "auto", 0, 1 or 2 as in Keras; "auto" is 1: a bar in a terminal or notebook, plain lines elsewhere.

    >>> import io
    >>> display("auto", io.StringIO()), display(2, io.StringIO())
    ('lines', 'epochs')
    """
    if verbose not in VERBOSITIES:
        fix = 'model.fit(X, y, verbose="auto")'
        raise InputError(
            explain(f"verbose={verbose!r}.", '"auto", 0 (nothing), 1 (a bar) or 2 (a line an epoch).', fix)
        )
    if verbose in (0, 2):
        return "nothing" if verbose == 0 else "epochs"
    if _in_notebook() and stream is sys.stdout:
        return "notebook"
    return "bar" if stream.isatty() else "lines"


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")  # never imported for this question
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    return shell is not None and "IPKernelApp" in getattr(shell, "config", {})


class Progress:
    """The progress of one call of fit, evaluate or predict.

    `epochs` is the number of the last epoch, `steps` how many steps an epoch has (None: unknown), `task` what is
    shown before the numbers where there are no epochs, such as "evaluate".

    >>> progress = Progress(verbose=2, epochs=1, steps=4, clock=lambda: 0.0)
    >>> progress.begin_epoch(0); progress.end_epoch(0, {"loss": 0.25})
    Epoch 1/1 - 4/4 - 0s - 0us/step - loss: 0.2500
    """

    def __init__(
        self,
        verbose: Any = "auto",
        epochs: int = 1,
        steps: int | None = None,
        task: str | None = None,
        clock: Callable[[], float] = time.perf_counter,
        stream: TextIO | None = None,
    ) -> None:
        self.stream = sys.stdout if stream is None else stream
        self.display = display(verbose, self.stream)
        self.epochs = epochs
        self.steps = steps
        self.task = task
        self.clock = clock
        self.first_epoch: int | None = None  # not 0 where a training is resumed
        self.epoch = 0  # the running one
        self.ended = -1  # the last one that has ended, to which `logs` belong
        self.started = self.epoch_started = clock()
        self.due = self.started + INTERVAL
        self.logs: Logs = {}
        self.shown = -1  # the last epoch that has left a line
        self.bar: _TerminalBar | _NotebookBar | None = None

    def begin_epoch(self, epoch: int) -> None:
        """Note that an epoch, counted from 0, begins."""
        if self.first_epoch is None:
            self.first_epoch = epoch
        self.epoch = epoch
        if self.display != "nothing":
            self.epoch_started = self.clock()

    def step(self, steps: int, logs: Logs | None = None) -> None:
        """Show that `steps` steps of the running epoch are done, if an update is due."""
        if self.display not in ("bar", "notebook"):
            return
        now = self.clock()
        if now >= self.due:
            self.logs = logs or self.logs
            self._draw(now, steps / self.steps if self.steps else 0.0)

    def end_epoch(self, epoch: int, logs: Logs | None = None) -> None:
        """Show an epoch's losses and metrics, if an update is due; the last epoch's always."""
        if self.display == "nothing":
            return
        now = self.clock()
        self.ended = epoch
        self.logs = logs or {}
        if self.display == "epochs":
            self._write(self._epoch_line(now))
        elif self.display == "lines":
            if now >= self.due or epoch + 1 >= self.epochs:
                self._write_once(now)
        else:
            if now - self.epoch_started >= SLOW_EPOCH and epoch + 1 < self.epochs:
                self._write_once(now)
            if now >= self.due:
                self._draw(now, 1.0)

    def close(self) -> None:
        """Leave the last line standing, and the terminal as it was; may be called twice."""
        if self.display in ("bar", "notebook", "lines"):
            bar, self.bar = self.bar, None
            if bar is not None:
                bar.close()
            self._write_once(self.clock(), total=True)
        self.display = "nothing"

    def _draw(self, now: float, part: float) -> None:
        if self.bar is None:
            self.bar = _TerminalBar(self.stream) if self.display == "bar" else _NotebookBar()
        share = self._share(self.epoch, part)
        heading = self.task or f"Epoch {self.epoch + 1}/{self.epochs}"
        left = (now - self.started) * (1 - share) / share if share > 0 else None
        text = f"{'' if left is None else duration(left) + ' left'}{numbers(self.logs)}"
        self.bar.draw(share, heading, text)
        self.due = now + INTERVAL

    def _share(self, epoch: int, part: float) -> float:
        """Return how much of the whole is done, 0 to 1, when a part of an epoch is."""
        first = self.first_epoch or 0
        return min(1.0, (epoch - first + part) / max(1, self.epochs - first))

    def _write_once(self, now: float, total: bool = False) -> None:
        """Write a plain line for the running epoch, unless it has one; a total tells the time of all epochs."""
        if self.ended in (-1, self.shown):
            return
        self.shown = self.ended
        self.due = now + INTERVAL
        heading = self.task or f"Epoch {self.ended + 1}/{self.epochs}"
        elapsed = now - self.started
        if total or self.ended + 1 >= self.epochs:
            self._write(f"{heading} - {duration(elapsed)}{numbers(self.logs)}")
        else:
            share = self._share(self.ended, 1.0)
            self._write(f"{heading}{numbers(self.logs)} - {duration(elapsed * (1 - share) / share)} left")

    def _epoch_line(self, now: float) -> str:
        elapsed = now - self.epoch_started
        steps = ""
        if self.steps:
            steps = f" - {self.steps}/{self.steps} - {elapsed:.0f}s - {_per_step(elapsed / self.steps)}"
        return f"{self.task or f'Epoch {self.epoch + 1}/{self.epochs}'}{steps}{numbers(self.logs)}"

    def _write(self, line: str) -> None:
        if self.bar is not None:
            self.bar.write(line)
        else:
            print(line, file=self.stream, flush=True)


class Shown:
    """The progress of one task in shares of the whole, shown only if it takes longer than `quiet` seconds.

    >>> shown = Shown("blame", verbose=0)
    >>> shown(0.5); shown.close()
    """

    def __init__(self, task: str, verbose: Any = "auto", quiet: float = 1.0) -> None:
        self.quiet = quiet
        self.began = time.perf_counter()
        self.progress = Progress(verbose, steps=1000, task=task)
        self.progress.due += quiet
        self.progress.begin_epoch(0)

    def __call__(self, share: float) -> None:
        """Show that this share of the task is done, if an update is due."""
        self.progress.step(round(1000 * share), {})

    def close(self) -> None:
        """Leave a line about a task that took long, and the terminal as it was."""
        if time.perf_counter() - self.began >= self.quiet:
            self.progress.end_epoch(0, {})
        self.progress.close()


class _TerminalBar:
    """One line of rich that is redrawn; what else is printed goes above it."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[text]}", markup=False),
            console=Console(file=stream),
            auto_refresh=False,  # no thread of its own: it would take time from the training
            transient=True,
        )
        self.task = self.progress.add_task("", total=1.0, text="")

    def draw(self, share: float, heading: str, text: str) -> None:
        self.progress.update(self.task, completed=share, description=heading, text=text)
        self.progress.start()  # the first time only
        self.progress.refresh()

    def write(self, line: str) -> None:
        self.progress.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        self.progress.stop()


class _NotebookBar:
    """One HTML progress element that is replaced in place, so that the page of a notebook doesn't grow."""

    def __init__(self) -> None:
        self.ipython: Any = importlib.import_module("IPython.display")  # there is one, or this is no notebook
        self.handle: Any = self.ipython.display(self.ipython.HTML(""), display_id=True)

    def draw(self, share: float, heading: str, text: str) -> None:
        import html

        bar = f'<progress value="{share:.4f}" max="1" style="width: 16em"></progress>'
        page = f"<code>{html.escape(heading)}</code> {bar} <code>{html.escape(text)}</code>"
        self.handle.update(self.ipython.HTML(page))

    def write(self, line: str) -> None:
        print(line)

    def close(self) -> None:
        self.handle.update(self.ipython.HTML(""))


def numbers(logs: Logs) -> str:
    """Return losses and metrics as Keras writes them.

    >>> numbers({"loss": 0.5, "mae": 0.00001})
    ' - loss: 0.5000 - mae: 1.0000e-05'
    """
    return "".join(
        f" - {name}: {value:.4f}" if abs(value) > 1e-3 or value == 0 else f" - {name}: {value:.4e}"
        for name, value in logs.items()
        if isinstance(value, (int, float)) or getattr(value, "ndim", None) == 0
    )


def duration(seconds: float) -> str:
    """Return a time in the units in which people say it.

    >>> duration(0.25), duration(12.4), duration(75), duration(4000)
    ('0.2s', '12s', '1:15', '1:06:40')
    """
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes = f"{whole // 60 % 60}:{whole % 60:02d}"
    return minutes if whole < 3600 else f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def _per_step(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.0f}s/step"
    return f"{seconds * 1e3:.0f}ms/step" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us/step"
