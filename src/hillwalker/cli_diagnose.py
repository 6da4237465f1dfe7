"""`hillwalker diagnose`: a log, or a saved model and a table, in; the diagnosis out, as text, JSON or files.

Exit code 0 means healthy, 1 that something is wrong. Imports a room when the command is called, as `cli.py` does.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hillwalker.errors import InputError, explain

if TYPE_CHECKING:
    from hillwalker.diagnosis import Diagnosis

WHAT = "what is wrong with a training: from its log, or from a saved model and a table"
OF_A_LOG = ("learning_rate", "optimizer", "constant_loss")
OF_A_MODEL = ("target", "verify", "seeds", "epochs", "time_ordered", "threads")


def add(commands: Any) -> None:
    """Add the command to those of `hillwalker`."""
    parser: argparse.ArgumentParser = commands.add_parser("diagnose", help=WHAT, description=WHAT)
    parser.add_argument("source", metavar="LOG|MODEL", help="a log: CSV, JSON, TensorBoard; or a .safetensors model")
    parser.add_argument("file", metavar="FILE", nargs="?", help="of a model: a table with the target, or an .npz file")
    parser.add_argument("--batch-size", type=int, metavar="ROWS", help="with which it was trained")
    log = parser.add_argument_group("of a log, if known")
    log.add_argument("--learning-rate", type=float, metavar="RATE")
    log.add_argument("--optimizer", metavar="NAME")
    log.add_argument("--constant-loss", type=float, nargs=2, metavar=("TRAIN", "VAL"),
                     help="the losses of always predicting the same, on training and validation rows")  # fmt: skip
    model = parser.add_argument_group("of a model")
    model.add_argument("--target", metavar="COLUMN", help="the target (default: train's, or the last column)")
    model.add_argument("--verify", action="store_true", help="try what is claimed: trains many variants of the model")
    model.add_argument("--seeds", type=int, metavar="N", help="trainings of each variant (default: 5)")
    model.add_argument("--epochs", type=int, metavar="N", help="of the training that is asked about")
    model.add_argument("--time-ordered", action="store_true", help="rows lie in time: the last are for validation")
    model.add_argument("--threads", type=int, metavar="N", help="trainings at a time (default: all cores)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument("--output", metavar="FOLDER", help="write report.html, report.json and diagnosis.png there")
    parser.add_argument("--overwrite", action="store_true", help="replace files of the same names in any folder")


def run(parsed: argparse.Namespace) -> int:
    """Diagnose, print and write; return 0 where nothing is asserted, else 1."""
    from hillwalker import folders, plots

    _check(parsed)
    if parsed.output is not None:
        folders.check_folder(parsed.output, parsed.overwrite)
        plots.new_figure()  # a missing matplotlib is told before the trainings, not after them
    diagnosis = _of_log(parsed) if parsed.file is None else _of_model(parsed)
    print(json.dumps(diagnosis.to_dict(), indent=2) if parsed.json else diagnosis)
    if parsed.output is not None:
        from hillwalker.diagnosis_page import write_diagnosis
        from hillwalker.reports import list_files

        files = write_diagnosis(diagnosis, parsed.output, parsed.overwrite)
        print(f"\n{list_files(files)}", file=sys.stderr if parsed.json else sys.stdout)
    return 0 if diagnosis.first is None else 1


def _check(parsed: argparse.Namespace) -> None:
    """Refuse options that would do nothing."""
    is_model = parsed.file is not None
    if not is_model and Path(parsed.source).suffix == ".safetensors":
        passed = f"the model {parsed.source} without a file of rows."
        raise InputError(explain(passed, "a log, or a model and a table.", f"{parsed.source} FILE --target COLUMN"))
    refused = OF_A_LOG if is_model else OF_A_MODEL
    given = [f"--{name.replace('_', '-')}" for name in refused if getattr(parsed, name) not in (None, False)]
    if given:
        expected = "a log, without FILE." if is_model else "MODEL and FILE: a log cannot be trained again."
        raise InputError(explain(f"{', '.join(given)} with a {'model' if is_model else 'log'}.", expected))
    if parsed.seeds is not None and not parsed.verify:
        raise InputError(
            explain(f"--seeds {parsed.seeds} without --verify.", "both.", f"--verify --seeds {parsed.seeds}")
        )


def _of_log(parsed: argparse.Namespace) -> Diagnosis:
    return _diagnosed(
        parsed.source,
        learning_rate=parsed.learning_rate,
        optimizer=parsed.optimizer,
        batch_size=parsed.batch_size,
        constant_loss=None if parsed.constant_loss is None else tuple(parsed.constant_loss),
        verbose=0,
    )


def _of_model(parsed: argparse.Namespace) -> Diagnosis:
    from hillwalker import jobs

    examples = jobs.read_examples(parsed.source, parsed.file, parsed.target)
    for remark in examples.remarks:
        print(f"Note: {remark}", file=sys.stderr)
    return _diagnosed(
        examples.model,
        examples.X,
        examples.y,
        batch_size=parsed.batch_size,
        verify=parsed.verify,
        seeds=5 if parsed.seeds is None else parsed.seeds,
        epochs=parsed.epochs,
        time_ordered=parsed.time_ordered,
        threads=parsed.threads,
        verbose="auto" if sys.stderr.isatty() and not parsed.json else 0,
    )


def _diagnosed(*given: Any, **told: Any) -> Diagnosis:
    from hillwalker.diagnosis import diagnose

    found: Diagnosis = diagnose(*given, **told)
    return found
