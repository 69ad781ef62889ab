"""Damage to files: what copying, disks, and people who mean harm do to bytes."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

_TAGS = re.compile(
    rb"ftyp|moov|mvhd|trak|tkhd|edts|elst|mdhd|stsd|avcC|hvcC|esds|stts|ctts|stss|stsz|stsc|stco|moof|tfhd|trun|mdat"
    rb"|RIFF|LIST|hdrl|avih|strh|strf|movi|idx1|00dc|01wb"
    rb"|\x1a\x45\xdf\xa3|\x18\x53\x80\x67|\x16\x54\xae\x6b|\x1f\x43\xb6\x75|\x1c\x53\xbb\x6b|\x2a\xd7\xb1"
    rb"|\x47[\x40-\x5f].\x10|\x00\x00\x01[\xe0\xc0]|\x00\x00\x01[\x65\x67\x68\x41]|\xff\xd8|\xff\xda"
)
_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 40, (1 << 63) - 1)


def damaged(data: bytes, others: list[bytes], draw: random.Random) -> tuple[bytes, str]:
    """A damaged copy, by one to four kinds of damage, and their names; `others` are files to splice from."""
    found, names = bytearray(data), []
    for _ in range(draw.choice((1, 1, 1, 2, 2, 3, 4))):
        name = draw.choice(list(KINDS))
        KINDS[name](found, _place(found, draw), draw, others)
        names.append(name)
    return bytes(found), " + ".join(names)


def _place(data: bytearray, draw: random.Random) -> int:
    """Anywhere; or in the first or last kilobytes, or behind a known mark, where indexes and headers are."""
    size = max(1, len(data))
    kind = draw.random()
    if kind < 0.2:
        return draw.randrange(min(size, 2048))
    if kind < 0.35:
        return size - 1 - draw.randrange(min(size, 4096))
    if kind < 0.7 and (marks := [match.start() for match in _TAGS.finditer(data)]):
        return min(size - 1, draw.choice(marks) + draw.randrange(64))
    return draw.randrange(size)


def _length(draw: random.Random, most: int) -> int:
    """Mostly short, sometimes long."""
    return min(most, max(1, round(draw.paretovariate(0.6))))


def _bits(data: bytearray, at: int, draw: random.Random, others: list[bytes]) -> None:
    for n in range(_length(draw, 200)):
        where = at if n == 0 else _place(data, draw)
        if where < len(data):
            data[where] ^= 1 << draw.randrange(8)


def _noise(data: bytearray, at: int, draw: random.Random, others: list[bytes]) -> None:
    size = _length(draw, len(data) - at)
    data[at : at + size] = draw.randbytes(size)


def _zeros(data: bytearray, at: int, draw: random.Random, others: list[bytes]) -> None:
    size = min(len(data) - at, draw.choice((16, 512, 4096)))
    data[at : at + size] = draw.choice((b"\x00", b"\xff")) * size


def _number(data: bytearray, at: int, draw: random.Random, others: list[bytes]) -> None:
    value, size = draw.choice(_EXTREMES), draw.choice((1, 2, 4, 8))
    data[at : at + size] = (value % (1 << 8 * size)).to_bytes(size, draw.choice(("big", "little")))


def _cut_end(data: bytearray, at: int, draw: random.Random, others: list[bytes]) -> None:
    del data[at:]


def _cut_front(data: bytearray, at: int, draw: random.Random, others: list[bytes]) -> None:
    del data[: min(at, _length(draw, 5000))]


def _lose(data: bytearray, at: int, draw: random.Random, others: list[bytes]) -> None:
    del data[at : at + _length(draw, 5000)]


def _insert(data: bytearray, at: int, draw: random.Random, others: list[bytes]) -> None:
    data[at:at] = draw.randbytes(_length(draw, 5000))


def _repeat(data: bytearray, at: int, draw: random.Random, others: list[bytes]) -> None:
    data[at:at] = data[at : at + _length(draw, 20_000)]


def _swap(data: bytearray, at: int, draw: random.Random, others: list[bytes]) -> None:
    size, other = _length(draw, 5000), _place(data, draw)
    first, second = bytes(data[at : at + size]), bytes(data[other : other + size])
    data[at : at + len(second)] = second
    data[other : other + len(first)] = first


def _splice(data: bytearray, at: int, draw: random.Random, others: list[bytes]) -> None:
    """The rest, or a piece, comes from another file."""
    other = draw.choice(others)
    if draw.random() < 0.5:
        data[at:] = other[min(at, len(other)) :]
    else:
        size, start = _length(draw, 5000), draw.randrange(len(other))
        data[at : at + size] = other[start : start + size]


_Damage = Callable[[bytearray, int, random.Random, list[bytes]], None]
KINDS: dict[str, _Damage] = {
    "bits turned": _bits,
    "noise": _noise,
    "zeros or ones": _zeros,
    "an extreme number": _number,
    "end cut off": _cut_end,
    "front cut off": _cut_front,
    "a piece lost": _lose,
    "a piece put in": _insert,
    "a piece twice": _repeat,
    "pieces swapped": _swap,
    "another file's bytes": _splice,
}
