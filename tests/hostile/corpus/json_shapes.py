"""JSON that is not what was written: texts of every other shape, and objects in which one value is another."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

from parsenet_cli.core.sealed import CHECKSUM_KEY, with_checksum
from tests.hostile.base import sealed

Content = dict[str, Any]
DEEP = 100_000
STEERING = (
    "[/b]<script>alert(1)</script>\x1b]0;x\x07\x9b31m\u202e\r[link=file:///etc]x[/link] =cmd() $(touch ran-text) `x` "
    "\\end{table}"
)
"""Of everything that means something to a terminal, a page, a sheet, a shell or LaTeX."""


def _twice(content: Content) -> bytes:
    text = json.dumps(with_checksum(content))
    return f'{{"signature": "x", "name": [], "state": 5, {text[1:]}'.encode()


KEPT = ("signature", "outcome", "figure", "version")
"""What makes that a file is looked at any further."""


def _each(content: Content, change: Callable[[Any], Any]) -> bytes:
    return sealed({key: value if key in KEPT else change(value) for key, value in content.items()})


TEXTS: dict[str, Callable[[Content], bytes]] = {
    "empty": lambda _: b"",
    "blanks": lambda _: b" \n\t\n",
    "prose": lambda _: b"not JSON",
    "null": lambda _: b"null",
    "number": lambda _: b"5",
    "text": lambda _: b'"text"',
    "list": lambda _: b"[]",
    "list-of-object": lambda content: json.dumps([content]).encode(),
    "object": lambda _: b"{}",
    "sealed-object": lambda _: sealed({}),
    "sealed-other-keys": lambda _: sealed({"a": 1, "": None, "content": {}}),
    "sealed-nested": lambda content: _each(content, lambda value: [[[[value]]]]),
    "sealed-nulls": lambda content: _each(content, lambda _: None),
    "sealed-texts": lambda content: _each(content, lambda _: STEERING),
    "sealed-numbers": lambda content: _each(content, lambda _: -1),
    "sealed-lists": lambda content: _each(content, lambda _: [1, "a", None]),
    "sealed-objects": lambda content: _each(content, lambda _: {"a": {"b": None}}),
    "sealed-many-keys": lambda content: sealed({**content, **{f"key{i}": i for i in range(50_000)}}),
    "sealed-huge-text": lambda content: sealed({**content, "note": "x" * 5_000_000}),
    "sealed-deep": lambda content: b'{"a": ' + b"[" * 900 + b"]" * 900 + b", " + sealed(content)[1:],
    "deep-lists": lambda _: b"[" * DEEP,
    "deep-objects": lambda _: b'{"a":' * DEEP,
    "deep-closed": lambda _: b'{"a":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "huge-number": lambda _: b'{"a": ' + b"9" * 100_000 + b"}",
    "infinite": lambda content: json.dumps({**content, "more": 0})[:-2].encode() + b"1e999}",
    "nan": lambda content: json.dumps({**content, "more": float("nan")}).encode(),
    "twice": _twice,
    "wrong-checksum": lambda content: json.dumps({**content, CHECKSUM_KEY: "00000000"}).encode(),
    "checksum-no-text": lambda content: json.dumps({**content, CHECKSUM_KEY: [1]}).encode(),
    "unsealed": lambda content: json.dumps(content).encode(),
    "cut": lambda content: sealed(content)[: len(sealed(content)) // 2],
    "latin-1": lambda content: json.dumps({**content, "more": "é"}, ensure_ascii=False).encode("latin-1"),
    "utf-16": lambda content: json.dumps(content).encode("utf-16"),
    "bom": lambda content: b"\xef\xbb\xbf" + sealed(content),
    "nul": lambda content: sealed(content) + b"\0" * 64,
    "surrogate": lambda content: sealed({**content, "more": "\ud800"}),
    "binary": lambda _: bytes(range(256)) * 16,
}
"""Instead of a whole file, by name, from what it held."""

NAMES = {
    "up": "../../home",
    "absolute": "/nowhere/else",
    "slash": "a/b",
    "dots": "..",
    "empty": "",
    "blank": " ",
    "newline": "a\nb",
    "escape": "a\x1b]0;x\x07b",
    "bidi": "a\u202eb",
    "umlaut": "ü ö",
    "quotes": "a'b\"c",
    "brackets": "[a](b)[/b]",
    "long": "n" * 300,
    "nul": "a\0b",
    "surrogate": "a\udcffb",
    "dash": "--yes",
    "steering": STEERING,
}
"""For values that become names."""

VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "minus": -1,
    "fraction": 0.5,
    "huge": 10**400,
    "large": 1e308,
    "beyond": 2**70,
    "text": "x",
    "steering": STEERING,
    "blank": "",
    "list": [],
    "lists": [[[]]],
    "mixed": [1, "a", None, {}],
    "object": {},
    "objects": {"a": {"b": [None]}},
    "long": "x" * 300_000,
    **{f"name-{name}": text for name, text in NAMES.items()},
}
"""Instead of one value, by name."""


def paths(content: Any, depth: int = 4, before: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The place of every value: keys, and of a list the first entry."""
    inner = (
        content.items() if isinstance(content, dict) else enumerate(content[:1]) if isinstance(content, list) else ()
    )
    for key, value in inner:
        yield (*before, key)
        if depth > 1:
            yield from paths(value, depth - 1, (*before, key))


def replaced(content: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """A copy with another value there; `...` takes it away."""
    changed = copy.deepcopy(content)
    *way, last = path
    inner = changed
    for key in way:
        inner = inner[key]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return changed
