"""Scalars from TensorBoard event files, read without TensorBoard.

The package brings some 80 MB (gRPC, protobuf, Pillow, a data server, a web server) for a format of which scalars need
a page: records of (length, its CRC, data, its CRC), each a protobuf message Event. Records above 64 KB hold
graphs and pictures and are passed over. A last record that was cut short is left out: the training still runs.

Source: tensorflow/core/lib/io/record_writer.h; tensorflow/core/util/event.proto, framework/summary.proto, tensor.proto.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from hillwalker.errors import FileError, explain

LARGEST = 1 << 16  # bytes of a record that may hold scalars
FORMATS = {1: "<f", 2: "<d", 3: "<i", 9: "<q"}  # of a tensor's element, by DataType
VALUES = {5: "<f", 6: "<d"}  # fields of TensorProto that hold its values one by one: float_val, double_val


def _crc_table() -> list[int]:
    table = list(range(256))
    for _ in range(8):
        table = [(value >> 1) ^ (0x82F63B78 if value & 1 else 0) for value in table]
    return table


_CRC = _crc_table()


def masked_crc(data: bytes) -> int:
    """Return the CRC-32C of data, rotated right by 15 bits and shifted by a constant, as in TFRecord files.

    >>> hex(masked_crc(b"123456789"))
    '0xc78ab0e5'
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _records(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while len(head := file.read(12)) == 12:
            length, check = struct.unpack("<QI", head)
            damaged = masked_crc(head[:8]) != check
            if not damaged and length > LARGEST:
                file.seek(length + 4, 1)
                continue
            data = b"" if damaged else file.read(length + 4)
            if not damaged and len(data) < length + 4:
                return
            if damaged or masked_crc(data[:-4]) != int.from_bytes(data[-4:], "little"):
                passed = (
                    f"the event file {path.name}, damaged at byte {file.tell() - len(data) - 12} (its CRC is wrong)."
                )
                raise FileError(explain(passed, "a TensorBoard event file as it was written."))
            yield data[:-4]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 0x80:
            return value, at


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Yield each field of a protobuf message: its number, and a whole number or the bytes it holds."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key & 7 == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
        else:
            size, at = {1: (8, at), 5: (4, at)}.get(key & 7) or _varint(data, at)
            yield key >> 3, data[at : at + size]
            at += size


def _scalar(value: bytes) -> tuple[str, float] | None:
    """Return tag and number of a Summary.Value: its simple_value, or a tensor of one element as TensorFlow 2 has it."""
    fields = dict(_fields(value))
    tag, single, tensor = fields.get(1, b""), fields.get(2), fields.get(8)
    name = tag.decode("utf-8", "replace") if isinstance(tag, bytes) else ""
    if isinstance(single, bytes):
        return name, float(struct.unpack("<f", single)[0])
    parts = dict(_fields(tensor)) if isinstance(tensor, bytes) else {}
    kind, content = parts.get(1), parts.get(4)
    form = FORMATS.get(kind) if isinstance(kind, int) else None
    if form and isinstance(content, bytes) and len(content) == struct.calcsize(form):
        return name, float(struct.unpack(form, content)[0])
    for field, form in VALUES.items():
        held = parts.get(field)
        if isinstance(held, bytes) and len(held) == struct.calcsize(form):
            return name, float(struct.unpack(form, held)[0])
    return None


def read_scalars(path: Path) -> list[tuple[int, str, float]]:
    """Return (step, tag, value) of each scalar in an event file, as they were written.

    Raises FileError for a file that is no event file, or a damaged one.
    """
    found = []
    for record in _records(path):
        try:
            event = dict(_fields(record))  # step 2, summary 5
            step, summary = event.get(2, 0), event.get(5, b"")
            values = [value for field, value in _fields(summary) if field == 1] if isinstance(summary, bytes) else []
            scalars = [_scalar(value) for value in values if isinstance(value, bytes)]
        except (IndexError, struct.error):
            passed = f"the event file {path.name}, of which a record is no Event."
            raise FileError(explain(passed, "a TensorBoard event file.")) from None
        found += [(int(step), *scalar) for scalar in scalars if scalar is not None and isinstance(step, int)]
    return found
