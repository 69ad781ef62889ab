"""Damage that knows what a file means: values, keys and cells that are wrong in a well-formed file."""

from __future__ import annotations

import copy
import csv
import io
import json
import random
import struct
from typing import Any

from hardening.damage import damaged

_VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1e308, -1e308, 1 << 70, 1e-320, float("nan"), float("inf"), 0.1),
    *("", "a", "p3", "\0", "\ud800", "../../x", "1e999", "a" * 5000, "=cmd()", "é\u2028\u202e", "NaN"),
    *([], {}, [[]], [None], {"": None}, [1, "a", {}], [[[[[[[[]]]]]]]], list(range(300))),
]
_CELLS = [
    "",
    " ",
    "0",
    "-1",
    "1e999",
    "nan",
    "a,b",
    '"',
    "\n",
    "\r",
    "\0",
    ";",
    "1-2;",
    "=1+1",
    "é",
    "a" * 200_000,
    "a",
    "b",
]


def mangled(data: bytes, form: str, draw: random.Random) -> bytes:
    """A damaged copy of a file of this form (see `readers.Reader`); half of them keep the form."""
    aimed = {"csv": _csv, "json": _json, "safetensors": _safetensors}.get(form)
    if aimed is None or draw.random() < 0.5:
        return damaged(data, [data], draw)[0]
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        try:
            data = aimed(data, draw)
        except (ValueError, struct.error, csv.Error):  # what was done before was too much
            return data
    return data


def _csv(data: bytes, draw: random.Random) -> bytes:
    rows = list(csv.reader(io.StringIO(data.decode("utf-8", "surrogateescape"), newline="")))
    at = draw.randrange(len(rows))
    row = rows[at]
    kind = draw.randrange(6)
    if kind < 2 and row:
        row[draw.randrange(len(row))] = draw.choice(_CELLS)
    elif kind == 2:
        rows.insert(draw.randrange(len(rows) + 1), list(row))
    elif kind == 3:
        del rows[at]
        rows = rows or [[]]
    elif kind == 4:
        row.insert(draw.randrange(len(row) + 1), draw.choice(_CELLS))
    elif row:
        gone = draw.randrange(len(row))
        for other in rows:
            del other[gone : gone + 1]
    text = io.StringIO()
    csv.writer(text, lineterminator=draw.choice(("\n", "\r\n", "\r"))).writerows(rows)
    mark = draw.choice((b"", b"", b"\xef\xbb\xbf"))
    return mark + text.getvalue().encode("utf-8", "surrogateescape")


def _json(data: bytes, draw: random.Random) -> bytes:
    return json.dumps(_changed(json.loads(data), draw)).encode()


def _changed(value: Any, draw: random.Random) -> Any:
    """The value with one thing in it changed."""
    value = copy.deepcopy(value)
    holder: dict[Any, Any] = {"all": value}
    places: list[tuple[Any, Any]] = [(holder, "all")]
    for inside, key in places:  # grows while it is walked
        held = inside[key]
        if isinstance(held, dict):
            places += [(held, name) for name in held]
        elif isinstance(held, list):
            places += [(held, number) for number in range(min(50, len(held)))]
    inside, key = draw.choice(places)
    kind = draw.randrange(5)
    if kind == 0 and inside is not holder:
        del inside[key]
    elif kind == 1 and isinstance(inside, dict) and inside is not holder:
        inside[draw.choice(["", "x", *inside])] = inside.pop(key)
    elif kind == 2:
        inside[key] = [inside[key], copy.deepcopy(inside[key])]
    else:
        inside[key] = copy.deepcopy(draw.choice(_VALUES))
    return holder["all"]


def _safetensors(data: bytes, draw: random.Random) -> bytes:
    """The head says something else of the tensors, or the notes in it do."""
    (size,) = struct.unpack_from("<Q", data)
    head, body = json.loads(data[8 : 8 + size]), data[8 + size :]
    if not isinstance(head, dict):  # what was done before was too much
        return data
    notes = head.get("__metadata__", {})
    if isinstance(notes, dict) and notes and draw.random() < 0.5:
        name = draw.choice(list(notes))
        try:
            notes[name] = json.dumps(_changed(json.loads(notes[name]), draw))
        except (ValueError, TypeError):
            notes[name] = draw.choice(["", "2", "x", "{}"])
    else:
        head = _changed(head, draw)
    if draw.random() < 0.3 and body:
        changed = bytearray(body)
        at = draw.randrange(len(changed))
        changed[at : at + 8] = draw.choice((b"\x00\x7c\x00\x7c", b"\xff" * 8, b"\x00" * 8, b"\x00\x00\xc0\x7f"))[
            : len(body) - at
        ]
        body = bytes(changed[: len(body)])
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text + body
