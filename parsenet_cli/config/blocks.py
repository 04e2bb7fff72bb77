"""A block's YAML file is its schema, by which its options are checked; nothing is imported for that (docs/blocks.md).

    about: Squeeze-and-Excitation …
    ratio: 16
    squeeze: mean
    allowed:
      ratio: {from: 1, to: 4096}
      squeeze: [mean, max, none]

An option has the type of its default, which may be a list; `allowed` says which values or numbers it takes.
"""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from parsenet_cli.config.overrides import LISTED, OLDER_NAMES, canonical, last_wins, plain_value_of, value_of
from parsenet_cli.config.yaml_nodes import YamlNode, checked_text, read
from parsenet_cli.core import blocks
from parsenet_cli.core.blocks import GROUPS, NAME, Group
from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.core.run_config import OLDER_OPTIONS, Block, from_yaml
from parsenet_cli.core.text import shown

RESERVED = ("about", "allowed")
"""Keys of a block's file that are no options."""

MOST_OPTIONS = 64
MOST_ITEMS = 64
"""Of an option that is a list."""

LARGEST = 10**9
"""A number that nothing else is said of."""

_KINDS = (bool, int, float, str)


@dataclass(frozen=True)
class Option:
    """An option of a block.

    Attributes:
        kind: The type of its values, of the items of a list.
        values: Those that are allowed; empty where all of the kind are.
        low: The least number.
        high: The largest.
    """

    default: Any
    kind: type
    values: tuple[Any, ...] = ()
    low: float = -LARGEST
    high: float = LARGEST

    @property
    def takes(self) -> str:
        """`mean | max`, `a whole number from 1 to 4096`, `a list of …`."""
        several = isinstance(self.default, tuple)
        if self.values or self.kind is bool:
            each = " | ".join(map(_written, self.values or self._flags))
        else:
            noun = {int: "whole number", float: "number", str: "text"}[self.kind]
            each = f"{noun}s" if several else f"a {noun}"
            if self.kind is not str:
                each += f" from {self.low:.16g} to {self.high:.16g}"
        return f"a list of {each}" if several else each

    @property
    def names(self) -> list[str]:
        """Its values as they are written, where they are few and no list."""
        return [] if isinstance(self.default, tuple) else [_written(value) for value in self.values or self._flags]

    @property
    def _flags(self) -> tuple[bool, ...]:
        return (True, False) if self.kind is bool else ()

    def checked(self, value: Any) -> Any:
        """The value in its type. Raises `ValueError` with what was expected."""
        if not isinstance(self.default, tuple):
            return self._item(value)
        if not isinstance(value, list | tuple) or not 0 < len(value) <= MOST_ITEMS:
            raise ValueError(f"expected {self.takes}, for example [{','.join(map(_written, self.default))}]")
        return tuple(map(self._item, value))

    def _item(self, value: Any) -> Any:
        fits = isinstance(value, int | float) if self.kind is float else isinstance(value, self.kind)
        fits = fits and isinstance(value, bool) == (self.kind is bool)
        if fits and self.kind in (int, float):
            fits = math.isfinite(value) and self.low <= value <= self.high
        if not fits or (self.values and value not in self.values) or (self.kind is str and len(value) > 200):
            raise ValueError(f"expected {self.takes}")
        return self.kind(value)


@dataclass(frozen=True)
class Schema:
    """What a block's file says."""

    about: str
    options: Mapping[str, Option]


def schema(block: blocks.Block) -> Schema:
    """That of a block.

    Raises:
        UserError: its file cannot be read or is no schema, with the line.
    """
    try:
        status = block.schema.stat()
    except OSError as problem:
        raise UserError(f"{block.schema}: cannot be read: {problem.strerror}") from None
    return _schema(block.schema, status.st_mtime_ns, status.st_size)


def defaults(group: Group, name: str) -> dict[str, Any]:
    """The defaults of a block's options; none where the block is not here."""
    try:
        return {option: each.default for option, each in schema(blocks.find(group, name)).options.items()}
    except UserError:
        return {}


def block_options() -> dict[str, list[str]]:
    """The options of all blocks as keys, `gate.squeeze`, with the values that they name; what is no schema is passed over."""
    found: dict[str, list[str]] = {}
    for group in GROUPS:
        for block in blocks.every(group):
            with suppress(UserError):
                if isinstance(block, blocks.Block):
                    for name, option in schema(block).options.items():
                        values = found.setdefault(f"{group}.{name}", [])
                        values += [text for text in option.names if text not in values]
    return found


def science_fields(overrides: Sequence[str], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `Science` that say which blocks overrides choose, where nothing is said those of `defaults`.

    Raises:
        UserError: an unknown block or option, a value that it does not take, or a file that is missing or wrong.
    """
    given = last_wins(overrides)
    fields: dict[str, Any] = {"blocks": {}}
    for group in GROUPS:
        name = str(value_of(given[group])) if group in given else str(defaults[group])
        options = {key.removeprefix(f"{group}."): text for key, text in given.items() if key.startswith(f"{group}.")}
        found = blocks.find(group, name)
        fields[group] = found.name
        older = OLDER_OPTIONS.get(name) if group == "context" else None
        if older is not None:
            fields |= _older(found, older, options)
        elif (block := _chosen(found, options)) != Block():
            fields["blocks"][group] = block.model_dump(mode="json")
    return fields


def chosen(group: Group, overrides: Sequence[str]) -> Block:
    """The block of one group that overrides choose, such as `["gate=se", "gate.ratio=8"]`. Raises `UserError`."""
    given = last_wins(overrides)
    found = blocks.find(group, str(value_of(given.pop(group))))
    return _chosen(found, {key.removeprefix(f"{group}."): text for key, text in given.items()})


def _chosen(found: blocks.Block, given: Mapping[str, str]) -> Block:
    known = schema(found).options
    values = {}
    for option, text in given.items():
        if option not in known:
            raise _unknown_option(found, option, known)
        try:
            values[option] = known[option].checked(plain_value_of(text))
        except ValueError as problem:
            raise UserError(f"{text.partition('=')[0]}={shown(text.partition('=')[2])}: {problem}") from None
    return Block(options={name: values.get(name, option.default) for name, option in known.items()}, code=found.code)


def _older(found: blocks.Block, older: Mapping[str, str], given: Mapping[str, str]) -> dict[str, Any]:
    """The axes that a context from before blocks is known by; those that it does not look at can be named as ever."""
    axes = {canonical(axis).partition(".")[2]: axis for axis in OLDER_NAMES}
    for option, text in given.items():
        if option not in older and text.partition("=")[0] not in OLDER_NAMES:
            raise _unknown_option(found, option, older)
    return {axes[option]: plain_value_of(text) for option, text in given.items()}


def _unknown_option(found: blocks.Block, option: str, known: Mapping[str, Any]) -> UserError:
    if not known:
        return UserError(f"unknown option '{shown(option)}': {found.group}={found.name} has no options")
    return unknown(f"option of {found.group} '{found.name}':", option, known, LISTED)


@lru_cache(maxsize=256)
def _schema(file: Path, _changed: int, _size: int) -> Schema:
    """Parsed once as long as it is not changed."""
    values, nodes = from_yaml(checked_text(file)), read(file).mapping()
    allowed = nodes["allowed"].mapping() if "allowed" in nodes else {}
    options = {key: node for key, node in nodes.items() if key not in RESERVED}
    if "about" not in nodes:
        raise UserError(f"{file}:1: there is no 'about', a line that says what the block does; add it")
    if len(options) > MOST_OPTIONS:
        raise UserError(f"{file}:1: expected at most {MOST_OPTIONS} options")
    for key, node in allowed.items():
        if key not in options:
            raise node.problem(f"unknown option '{shown(key)}': 'allowed' speaks of those that have a default")
    parsed = {
        key: _option(key, node, values[key], allowed.get(key), (values.get("allowed") or {}).get(key))
        for key, node in options.items()
    }
    return Schema(nodes["about"].text(), parsed)


def _option(key: str, node: YamlNode, default: Any, rule: YamlNode | None, allowed: Any) -> Option:
    if not re.fullmatch(NAME, key) or keyword.iskeyword(key):
        raise node.problem("an option is called by small letters, digits and underscores, and by no word of Python")
    items = default if isinstance(default, list) else [default]
    kinds = {type(item) for item in items}
    kind = float if kinds == {int, float} else kinds.pop() if len(kinds) == 1 else None
    if kind not in _KINDS:
        raise node.wrong(
            "a default: true, a number, a text, or a list of some of one kind, which says the option's type"
        )
    assert kind is not None
    option = Option(tuple(map(kind, items)) if isinstance(default, list) else kind(default), kind)
    if isinstance(allowed, list) and allowed and all(type(value) in (kind, int) for value in allowed):
        option = Option(option.default, kind, values=tuple(map(kind, allowed)))
    elif isinstance(allowed, dict) and kind in (int, float) and allowed.keys() <= {"from", "to"}:
        bounds = (allowed.get("from", -LARGEST), allowed.get("to", LARGEST))
        if not all(isinstance(bound, int | float) for bound in bounds):
            assert rule is not None
            raise rule.wrong("numbers")
        option = Option(option.default, kind, low=bounds[0], high=bounds[1])
    elif rule is not None:
        raise rule.wrong("a list of values, or for numbers {from: …, to: …}")
    try:
        option.checked(default)
    except ValueError as problem:
        raise node.problem(f"the default is {shown(_written(default))}: {problem}") from None
    return option


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
