"""What a person sees, with a clock that the test turns."""

import io
import subprocess
import sys
import types

import pytest

from hillwalker.errors import InputError
from hillwalker.training import progress
from hillwalker.training.progress import Progress, display


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run(stream, epochs, seconds, verbose="auto", steps=10, first=0, parts=1):
    """Show epochs that take so many seconds each; return what was written."""
    clock = Clock()
    shown = Progress(verbose, epochs, steps, clock=clock, stream=stream)
    for epoch in range(first, epochs):
        shown.begin_epoch(epoch)
        for part in range(parts):
            clock.now += seconds / parts
            shown.step(steps * (part + 1) // parts, {"loss": 9.0})
        shown.end_epoch(epoch, {"loss": 1.0 / (epoch + 1), "mae": 0.5})
    shown.close()
    shown.close()
    return stream.getvalue()


@pytest.fixture
def draws(monkeypatch):
    """Collect what the bar is told to draw, in place of a terminal's control characters."""
    drawn = []

    class Bar:
        def __init__(self, stream):
            self.stream = stream

        def draw(self, share, heading, text):
            drawn.append((round(share, 6), heading, text))

        def write(self, line):
            print(line, file=self.stream)

        def close(self):
            drawn.append("closed")

    monkeypatch.setattr(progress, "_TerminalBar", Bar)
    return drawn


def test_which_display_for_which_stream():
    assert [display(verbose, Terminal()) for verbose in ("auto", True, 1, 0, 2)] == ["bar"] * 3 + ["nothing", "epochs"]
    assert display("auto", io.StringIO()) == "lines"


@pytest.mark.parametrize("bad", [3, -1, "yes", None])
def test_an_unknown_verbosity(bad):
    with pytest.raises(InputError, match="verbose="):
        display(bad, io.StringIO())


def test_nothing_is_nothing():
    assert run(Terminal(), 3, 1.0, verbose=0) == ""


def test_one_line_an_epoch_in_keras_form():
    assert run(io.StringIO(), 2, 1.0, verbose=2) == (
        "Epoch 1/2 - 10/10 - 1s - 100ms/step - loss: 1.0000 - mae: 0.5000\n"
        "Epoch 2/2 - 10/10 - 1s - 100ms/step - loss: 0.5000 - mae: 0.5000\n"
    )


def test_slow_epochs_leave_a_plain_line_each_with_the_time_left():
    assert run(io.StringIO(), 3, 20.0) == (
        "Epoch 1/3 - loss: 1.0000 - mae: 0.5000 - 40s left\n"
        "Epoch 2/3 - loss: 0.5000 - mae: 0.5000 - 20s left\n"
        "Epoch 3/3 - 1:00 - loss: 0.3333 - mae: 0.5000\n"
    )


def test_fast_epochs_share_at_most_ten_lines_a_second_and_the_last_is_there():
    lines = run(io.StringIO(), 10_000, 1e-4).splitlines()
    assert 9 <= len(lines) <= 11
    assert lines[-1].startswith("Epoch 10000/10000 - 1.0s")


def test_at_most_ten_bars_a_second_for_the_whole_fit(draws):
    out = run(Terminal(), 10_000, 1e-4)
    assert 9 <= len(draws) - 1 <= 10
    assert out.splitlines() == ["Epoch 10000/10000 - 1.0s - loss: 1.0000e-04 - mae: 0.5000"]
    share, heading, text = draws[4]
    assert 0.4 < share < 0.6
    assert heading == f"Epoch {round(share * 10_000)}/10000"
    assert text.startswith("0.5s left - loss: ")


def test_a_slow_epoch_moves_the_bar_and_leaves_a_line(draws):
    out = run(Terminal(), 2, 4.0, parts=8).splitlines()
    assert out == [
        "Epoch 1/2 - loss: 1.0000 - mae: 0.5000 - 4.0s left",
        "Epoch 2/2 - 8.0s - loss: 0.5000 - mae: 0.5000",
    ]
    assert draws[0] == (0.05, "Epoch 1/2", "9.5s left - loss: 9.0000")
    assert draws[-1] == "closed"


def test_a_fit_that_ends_at_once_draws_no_bar(draws):
    assert run(Terminal(), 10, 1e-3).startswith("Epoch 10/10 - 0.0s")
    assert draws == []


def test_time_left_of_a_resumed_training_counts_from_where_it_began():
    assert run(io.StringIO(), 4, 10.0, first=2).startswith("Epoch 3/4 - loss: 0.3333 - mae: 0.5000 - 10s left\n")


def test_an_interrupted_fit_leaves_the_line_of_the_last_finished_epoch():
    stream, clock = io.StringIO(), Clock()
    shown = Progress("auto", 100, 10, clock=clock, stream=stream)
    for epoch in range(3):
        shown.begin_epoch(epoch)
        clock.now += 0.01
        shown.end_epoch(epoch, {"loss": float(epoch)})
    shown.begin_epoch(3)
    shown.close()
    assert stream.getvalue() == "Epoch 3/100 - 0.0s - loss: 2.0000\n"


def test_rich_draws_on_a_terminal_and_leaves_it_as_it_was(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    stream, clock, stdout = Terminal(), Clock(), sys.stdout
    shown = Progress("auto", 4, 10, clock=clock, stream=stream)
    shown.begin_epoch(0)
    clock.now += 0.2
    shown.step(5, {"loss": 0.25})
    assert "Epoch 1/4" in stream.getvalue()
    assert "left - loss: 0.2500" in stream.getvalue()
    shown.end_epoch(0, {"loss": 0.125})
    shown.close()
    assert sys.stdout is stdout
    assert stream.getvalue().endswith("Epoch 1/4 - 0.2s - loss: 0.1250\n")
    assert stream.getvalue().count("\x1b[?25h") == stream.getvalue().count("\x1b[?25l")  # the cursor is back


def test_a_notebook_replaces_one_element(monkeypatch, capsys):
    pages = []
    handle = types.SimpleNamespace(update=pages.append)
    shell = types.SimpleNamespace(config={"IPKernelApp": {}})
    view = types.SimpleNamespace(HTML=str, display=lambda page, display_id: handle)
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", view)
    clock = Clock()
    shown = Progress("auto", 2, 10, clock=clock)
    assert shown.display == "notebook"
    shown.begin_epoch(0)
    clock.now += 0.2
    shown.step(5, {"<b>": 1.0})
    shown.end_epoch(0, {"loss": 1.0})
    shown.close()
    assert '<progress value="0.2500"' in pages[0]
    assert "&lt;b&gt;: 1.0000" in pages[0]
    assert pages[-1] == ""
    assert capsys.readouterr().out == "Epoch 1/2 - 0.2s - loss: 1.0000\n"


def test_rich_is_not_imported_without_a_bar():
    code = (
        "import sys; from hillwalker.training.progress import Progress; p = Progress(1, 2, 3);"
        "p.begin_epoch(0); p.end_epoch(0, {'loss': 1.0}); p.close(); print('rich' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "False"
