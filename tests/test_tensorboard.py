"""TensorBoard's event files: from real writers, made by hand, cut short and damaged."""

from __future__ import annotations

import base64
import math
import struct
from pathlib import Path

import numpy as np
import pytest

from hillwalker.diagnosis.logs import read_curves
from hillwalker.diagnosis.tensorboard import masked_crc
from hillwalker.errors import FileError, InputError

NAN, INF = math.nan, math.inf


def same(curve, expected):
    np.testing.assert_allclose(curve, expected, rtol=1e-6)


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


# Written by TensorBoard 2.21's Writer as TensorFlow 2 does (tensors), in folders as Keras's callback has them:
KERAS_TRAIN = (
    "SAAAAAAAAAD+kkidCcqbLLNpwtpBGg1icmFpbi5FdmVudDoyUi4KLHRlbnNvcmJvYXJkLnN1bW1hcnkud3JpdGVyLmV2ZW50X2ZpbGVfd3JpdGVy"
    "PmJfgTQAAAAAAAAAXjMXXAmWoCyzacLaQSopCicKCmVwb2NoX2xvc3NCCggBEgAqBAAAgD9KDQoJCgdzY2FsYXJzIAHC5GCPNgAAAAAAAABPV4zv"
    "CVujLLNpwtpBEAEqKQonCgplcG9jaF9sb3NzQgoIARIAKgQAAAA/Sg0KCQoHc2NhbGFycyAB9IgckDYAAAAAAAAAT1eM7wkJpCyzacLaQRACKikK"
    "JwoKZXBvY2hfbG9zc0IKCAESACoEq6qqPkoNCgkKB3NjYWxhcnMgAUx1N7g="
)
KERAS_VALIDATION = (
    "SAAAAAAAAAD+kkidCXWtLLNpwtpBGg1icmFpbi5FdmVudDoyUi4KLHRlbnNvcmJvYXJkLnN1bW1hcnkud3JpdGVyLmV2ZW50X2ZpbGVfd3JpdGVy"
    "YY/58TQAAAAAAAAAXjMXXAlmsCyzacLaQSopCicKCmVwb2NoX2xvc3NCCggBEgAqBAAAwD9KDQoJCgdzY2FsYXJzIAHRdQVzNgAAAAAAAABPV4zv"
    "CdixLLNpwtpBEAEqKQonCgplcG9jaF9sb3NzQgoIARIAKgQAAEA/Sg0KCQoHc2NhbGFycyABf5D/UzYAAAAAAAAAT1eM7wlgsiyzacLaQRACKikK"
    "JwoKZXBvY2hfbG9zc0IKCAESACoEAAAAP0oNCgkKB3NjYWxhcnMgAVmopfQ="
)


def record(data: bytes) -> bytes:
    head = struct.pack("<Q", len(data))
    return head + struct.pack("<I", masked_crc(head)) + data + struct.pack("<I", masked_crc(data))


def scalar(step: int, tag: str, value: float) -> bytes:
    """An event as PyTorch's SummaryWriter writes it: simple_value."""
    name = tag.encode()
    inner = b"\x0a" + bytes([len(name)]) + name + b"\x15" + struct.pack("<f", value)
    summary = b"\x0a" + bytes([len(inner)]) + inner
    varint = bytes([step & 0x7F | 0x80, step >> 7]) if step > 127 else bytes([step])
    return record(b"\x09" + struct.pack("<d", 0.0) + b"\x10" + varint + b"\x2a" + bytes([len(summary)]) + summary)


def events(folder: Path, scalars) -> Path:
    path = folder / "events.out.tfevents.1795794636.host.1.0"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(record(b"\x1a\x0dbrain.Event:2") + b"".join(scalar(*one) for one in scalars))
    return path


def test_keras_folders_of_event_files(tmp_path):
    for part, content in (("train", KERAS_TRAIN), ("validation", KERAS_VALIDATION)):
        (tmp_path / part).mkdir()
        (tmp_path / part / "events.out.tfevents.1.host.1.v2").write_bytes(base64.b64decode(content))
    curves = read_curves(tmp_path)
    same(curves.loss, [1, 1 / 2, 1 / 3])
    same(curves.val_loss, [1.5, 1.5 / 2, 1.5 / 3])
    assert curves.epochs.tolist() == [0, 1, 2]
    assert read_curves(tmp_path / "train").val_loss is None


def test_keras_batches_are_left_out(tmp_path):
    events(tmp_path / "train", [(7, "batch_loss", 9.0), (0, "epoch_loss", 2.0), (1, "epoch_loss", 1.0)])
    events(tmp_path / "validation", [(32, "evaluation_loss_vs_iterations", 9.0), (1, "epoch_loss", NAN)])
    curves = read_curves(tmp_path)
    assert (curves.loss.tolist(), curves.epochs.tolist(), curves.metrics) == ([2.0, 1.0], [0, 1], {})


@pytest.mark.parametrize("tags", [("Loss/train", "Loss/val"), ("loss", "val_loss")])
def test_an_event_file_of_pytorch(tmp_path, tags):
    path = events(tmp_path, [(step, tag, 2.0 / (step + 1)) for step in range(3) for tag in tags])
    picture = record(b"\x00" * 70000)  # far too large for scalars, and skipped
    path.write_bytes(picture + path.read_bytes() + scalar(3, "loss", 0.1)[:-6])  # and a record cut short
    for source in (path, tmp_path):
        curves = read_curves(source)
        same(curves.loss, [2, 1, 2 / 3])
        same(curves.val_loss, [2, 1, 2 / 3])


def test_losses_of_steps_and_validation_of_epochs_meet_at_each_validation(tmp_path):
    train = [(step, "train_loss", 1 / step) for step in range(50, 301, 50)]
    path = events(tmp_path, [*train, (99, "val_loss", 0.5), (199, "val_loss", 0.4), (299, "val_loss", 0.3)])
    curves = read_curves(path)
    assert curves.epochs.tolist() == [99, 199, 299]
    same(curves.loss, [1 / 50, 1 / 150, 1 / 300])  # the last step comes after the last validation
    lightning = events(tmp_path / "version_0", [(s, t, v) for s in (1, 2) for t, v in (("epoch", s - 1), ("loss", s))])
    assert read_curves(lightning).epochs.tolist() == [0, 1]


def test_losses_counted_by_step_and_by_epoch_are_told(tmp_path):
    train = [(step, "Loss/train", 1.0) for step in range(0, 1000, 50)]
    path = events(tmp_path, [*train, *((epoch, "Loss/val", 1.0) for epoch in range(5))])
    with pytest.raises(InputError, match="the training loss ends at 950 and the validation loss at 4"):
        read_curves(path)


def test_event_files_that_cannot_be_read(tmp_path):
    path = events(tmp_path / "one", [(0, "loss", 2.0), (1, "loss", 1.0)])
    content = bytearray(path.read_bytes())
    content[-10] ^= 1
    path.write_bytes(content)
    with pytest.raises(FileError, match="damaged at byte"):
        read_curves(path)
    path.write_bytes(b"this is no event file")
    with pytest.raises(FileError, match="damaged at byte 0"):
        read_curves(path)
    path.write_bytes(record(b"\x2a\x05\x0a"))
    with pytest.raises(FileError, match="is no Event"):
        read_curves(path)
    for run in ("a", "b", "train_a", "train_b"):
        events(tmp_path / "runs" / run, [(0, "loss", 2.0), (1, "loss", 1.0)])
    with pytest.raises(FileError, match="event files of several trainings"):
        read_curves(tmp_path / "runs")
    for run in ("a", "b"):
        (tmp_path / "runs" / run / path.name).unlink()
    with pytest.raises(FileError, match="event files of several trainings"):
        read_curves(tmp_path / "runs")
