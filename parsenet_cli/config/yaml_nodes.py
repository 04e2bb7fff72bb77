"""A YAML value that knows where it stands, so that a mistake is reported with its file, line and key.

A table file holds texts only, and quoting matters in it (`"65.30"` keeps its zero), so it is read as YAML nodes and
never converted to Python numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from parsenet_cli.core import yaml_text
from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.core.files import read_text

_STRING = "tag:yaml.org,2002:str"
_BOOL = "tag:yaml.org,2002:bool"


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
        return ": ".join(filter(None, [f"{self.file}:{self.line}", self.key]))

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
            inner = YamlNode(self.file, f"{self.key}.{key.value}".lstrip("."), value, line)
            if key.value in values:
                raise inner.problem("the key stands here for the second time; remove one of the two")
            values[key.value] = inner
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
        is_list = isinstance(self.node, yaml.SequenceNode)
        return tuple(item.text() for item in self.items()) if is_list else (self.text(),)

    def items(self) -> list[YamlNode]:
        """The values of a list."""
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.wrong("a list")
        return [
            YamlNode(self.file, f"{self.key}[{i}]", value, value.start_mark.line + 1)
            for i, value in enumerate(self.node.value)
        ]

    def number(self) -> int:
        """A whole number, not negative."""
        if not isinstance(self.node, yaml.ScalarNode) or not self.node.value.isdecimal():
            raise self.wrong("a whole number")
        return int(self.node.value)

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
    try:
        node = yaml_text.compose(read_text(file))
    except yaml.YAMLError as error:
        line, what = yaml_text.where(error)
        raise UserError(f"{file}{f':{line}' if line else ''}: not valid YAML: {what}") from None
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}") from None
    if node is None:
        raise UserError(f"{file}: the file is empty")
    return YamlNode(file, "", node, node.start_mark.line + 1)


def _describe(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    if node.tag == _STRING:
        return f"'{node.value}'"
    return f"{node.value} without quotes" if node.value else "nothing"
