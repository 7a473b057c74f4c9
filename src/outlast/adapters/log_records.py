"""What stands in the log of a member of etcd? Its format, as bytes; the same in etcd 3.4 and 3.5.

It is a row of files, filled up with zeros. Each holds frames: a length (8 bytes, little endian; its highest byte says
how many zeros follow, up to a multiple of 8) and a record (protobuf) of type, checksum and data. The checksum (CRC-32C)
rolls on over the data of all records; each file begins with the one before. The data are again protobuf:
  METADATA  1: this member, 2: the cluster
  ENTRY     1: its kind, 2: its term, 3: its index, 4: its data
  STATE     1: the term, 2: whom it voted for in it, 3: up to where the log is known to be committed
  SNAPSHOT  1: the index, 2: the term, 3: who belonged to the database (3.5)
"""

import mmap
import struct
from collections.abc import Iterator
from typing import NamedTuple

METADATA, ENTRY, STATE, CHECKSUM, SNAPSHOT = 1, 2, 3, 4, 5

Content = bytes | mmap.mmap
Fields = dict[int, int | bytes]


class NotWhole(Exception):
    """It cannot be said of this log that all of it counts; with words."""


class Record(NamedTuple):
    type: int
    checksum: int
    data: bytes


def frames(file: Content) -> tuple[list[int], int]:
    """Where each frame starts, and where the last one ends."""
    starts, at = [], 0
    while at + 8 <= len(file):
        length, padding = _sizes(file, at)
        if length == 0:
            break
        if at + 8 + length + padding > len(file):
            raise NotWhole("a file of it ends in the middle of a record")
        starts.append(at)
        at += 8 + length + padding
    return starts, at


def _sizes(file: Content, start: int) -> tuple[int, int]:
    (word,) = struct.unpack_from("<Q", file, start)
    return word & (2**56 - 1), word >> 56 & 0x7 if word >> 63 else 0


def record_at(file: Content, start: int) -> Record:
    length, _ = _sizes(file, start)
    fields = parse(file[start + 8 : start + 8 + length], 1, 2, 3)
    record = Record(number_of(fields, 1), number_of(fields, 2), data_of(fields, 3))
    if record.type not in (METADATA, ENTRY, STATE, CHECKSUM, SNAPSHOT):
        raise NotWhole(f"it holds a record of a type that is not known: {record.type}")
    return record


def frame(type: int, rolling: int, data: bytes) -> bytes:
    """A record after one whose checksum is `rolling`."""
    record = message({1: type, 2: crc32c(data, rolling), 3: data})
    padding = -len(record) % 8
    return struct.pack("<Q", len(record) | ((0x80 | padding) << 56 if padding else 0)) + record + bytes(padding)


def parse(content: bytes, *known: int) -> Fields:
    """A message of protobuf that holds nothing but these fields."""
    fields: Fields = {}
    at = 0
    while at < len(content):
        tag, at = _varint(content, at)
        number, wire = tag >> 3, tag & 7
        value, at = _varint(content, at)
        if number not in known or wire not in (0, 2) or (wire == 2 and at + value > len(content)):
            raise NotWhole("it holds something that is not known")
        if wire == 2:
            fields[number] = content[at : at + value]
            at += value
        else:
            fields[number] = value
    return fields


def message(fields: Fields) -> bytes:
    return b"".join(
        _encoded(number << 3) + _encoded(value)
        if isinstance(value, int)
        else _encoded(number << 3 | 2) + _encoded(len(value)) + value
        for number, value in fields.items()
    )


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(content):
            break
        value |= (content[at] & 0x7F) << shift
        at += 1
        if content[at - 1] < 0x80:
            return value, at
    raise NotWhole("it holds a number that does not end")


def _encoded(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def number_of(fields: Fields, number: int) -> int:
    value = fields.get(number, 0)
    if isinstance(value, bytes):
        raise NotWhole("it holds text where a number should be")
    return value


def data_of(fields: Fields, number: int) -> bytes:
    value = fields.get(number, b"")
    if isinstance(value, int):
        raise NotWhole("it holds a number where data should be")
    return value


def _remainders() -> Iterator[int]:
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        yield value


_REMAINDERS = tuple(_remainders())


def crc32c(data: bytes, before: int = 0) -> int:
    value = before ^ 0xFFFFFFFF
    for byte in data:
        value = _REMAINDERS[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ 0xFFFFFFFF
