"""A YAML value that knows where it stands, so that a mistake is reported with its file, line and key.

A table file holds texts only, and quoting matters in it (`"65.30"` keeps its zero), so it is read as YAML nodes and
never converted to Python numbers.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from parsenet_cli.core import yaml_text
from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.core.files import read_text
from parsenet_cli.core.text import shown

_STRING = "tag:yaml.org,2002:str"
_BOOL = "tag:yaml.org,2002:bool"
_PLAIN = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq")}

MOST_VALUES = 2000
"""Of a file of `conf/`."""


@dataclass(frozen=True)
class YamlNode:
    """One value of a YAML file; `key` is its dotted path, empty for the whole file. `line` counts from 1."""

    file: Path
    key: str
    node: yaml.Node
    line: int

    @property
    def where(self) -> str:
        """`file:line: key`."""
        return ": ".join(filter(None, [f"{self.file}:{self.line}", shown(self.key)]))

    def wrong(self, expected: str) -> UserError:
        """The error that says what was expected here and what was found."""
        return UserError(f"{self.where}: expected {expected}; found {_describe(self.node)}")

    def problem(self, message: str | UserError) -> UserError:
        """The error `message`, preceded by where this value stands."""
        return UserError(f"{self.where}: {message}")

    def mapping(self) -> dict[str, YamlNode]:
        """The values by key, in the order of the file.

        Raises:
            UserError: it is no mapping, or a key is repeated or no plain text.
        """
        if not isinstance(self.node, yaml.MappingNode):
            raise self.wrong("a mapping (key: value)")
        values: dict[str, YamlNode] = {}
        for key, value in self.node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise YamlNode(self.file, self.key, key, line).wrong("a name as key")
            name = unicodedata.normalize("NFKC", key.value)  # as Python does with the names in a claim
            inner = YamlNode(self.file, f"{self.key}.{name}".lstrip("."), value, line)
            if name in values:
                raise inner.problem("the key stands here for the second time; remove one of the two")
            values[name] = inner
        return values

    def fields(self, kind: str, required: Iterable[str], optional: Iterable[str]) -> dict[str, YamlNode]:
        """The mapping, with exactly these keys.

        Raises:
            UserError: a key is unknown, or one is missing.
        """
        required, valid = list(required), [*required, *optional]
        values = self.mapping()
        for key, value in values.items():
            if key not in valid:
                raise value.problem(unknown(f"key of a {kind}", key, valid))
        for key in required:
            if key not in values:
                raise self.problem(f"the {kind} has no '{key}'; add it")
        return values

    def text(self) -> str:
        """The text. Numbers, true/false and null have to be quoted to be one."""
        if not isinstance(self.node, yaml.ScalarNode) or self.node.tag != _STRING:
            raise self.wrong("a text" + (" (in quotes)" if isinstance(self.node, yaml.ScalarNode) else ""))
        return re.sub(r"\s+", " ", self.node.value).strip()

    def texts(self) -> tuple[str, ...]:
        """The texts of a list; a single text is a list of one."""
        return tuple(item.text() for item in self.parts())

    def parts(self) -> list[YamlNode]:
        """The values of a list; a single value is a list of one."""
        return self.items() if isinstance(self.node, yaml.SequenceNode) else [self]

    def items(self) -> list[YamlNode]:
        """The values of a list."""
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.wrong("a list")
        return [
            YamlNode(self.file, f"{self.key}[{i}]", value, value.start_mark.line + 1)
            for i, value in enumerate(self.node.value)
        ]

    def number(self, least: int, most: int) -> int:
        """A whole number within these bounds."""
        text = self.node.value if isinstance(self.node, yaml.ScalarNode) else ""
        if not re.fullmatch("[0-9]{1,19}", text) or not least <= int(text) <= most:
            raise self.wrong(f"a whole number from {least} to {most}")
        return int(text)

    def flag(self) -> bool:
        """True or false."""
        if not isinstance(self.node, yaml.ScalarNode) or self.node.tag != _BOOL:
            raise self.wrong("true or false")
        return bool(self.node.value.lower() in {"true", "yes", "on"})


def read(file: Path) -> YamlNode:
    """The whole of a YAML file.

    Raises:
        UserError: with the line where it is not YAML, or not UTF-8.
    """
    return _parsed(file, _text_of(file))


def checked_text(file: Path) -> str:
    """The text of a file that other readers of YAML may be given: a mapping of plain values, no key twice, of a modest size.

    Raises:
        UserError: it is anything else, with the line.
    """
    text = _text_of(file)
    values = 0
    rest = [_parsed(file, text)]
    rest[0].mapping()
    while rest:
        value = rest.pop()
        values += 1
        if value.node.tag not in _PLAIN:
            raise value.wrong("a plain value")
        if values > MOST_VALUES:
            raise value.problem(f"more than {MOST_VALUES} values in one file")
        if isinstance(value.node, yaml.MappingNode):
            rest += value.mapping().values()
        elif isinstance(value.node, yaml.SequenceNode):
            rest += value.items()
    return text


def _text_of(file: Path) -> str:
    try:
        return read_text(file)
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}") from None


def _parsed(file: Path, text: str) -> YamlNode:
    try:
        node = yaml_text.compose(text)
    except yaml.YAMLError as error:
        line, what = yaml_text.where(error)
        raise UserError(f"{file}{f':{line}' if line else ''}: not valid YAML: {what}") from None
    if node is None:
        raise UserError(f"{file}: the file is empty")
    return YamlNode(file, "", node, node.start_mark.line + 1)


def _describe(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    if node.tag == _STRING:
        return f"'{shown(node.value)}'"
    if node.tag not in _PLAIN:
        return f"the tag {node.tag.replace('tag:yaml.org,2002:', '!!')}"
    return f"{shown(node.value)} without quotes" if node.value else "nothing"
