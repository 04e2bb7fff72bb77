"""YAML that somebody else may have written: looked at as a flat stream of events before anything is built from it.

A file that is nested deeply ends libyaml's recursion with a signal, and aliases of aliases name more values than a memory
holds. Both are seen in the events, which are read one after the other.
"""

from __future__ import annotations

import re
from typing import Any, cast

import yaml

DEEPEST = 40
"""Levels of lists and mappings inside each other."""

MOST_VALUES = 200_000
"""With those that aliases repeat."""

_FLAT = re.compile(r"(?: {0,20}(?:- )?[^\s\[\]{}&*?!|>\"'%@`-][^\[\]{}&*\n]*\n)*")
"""Lines of little indentation without flow collections, anchors and aliases: nothing in them is deep or repeated."""

_SAFE_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def checked(text: str) -> str:
    """The text itself.

    Raises:
        yaml.YAMLError: it is no YAML, is nested too deeply, or its aliases repeat too much.
    """
    if len(text) < MOST_VALUES and _FLAT.fullmatch(text):
        return text
    open_, sizes, values = list[tuple[str | None, int]](), dict[str, int](), 0
    for event in yaml.parse(text, Loader=_SAFE_LOADER):
        anchor = getattr(event, "anchor", None)
        if isinstance(event, yaml.AliasEvent):
            values += sizes.get(anchor or "", 0)
        elif isinstance(event, yaml.CollectionStartEvent):
            open_.append((anchor, values))
            values += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_.pop()
            if anchor:
                sizes[anchor] = values - before
        elif isinstance(event, yaml.ScalarEvent):
            values += 1
            if anchor:
                sizes[anchor] = 1
        if len(open_) > DEEPEST or values > MOST_VALUES:
            problem = f"more than {DEEPEST} levels" if len(open_) > DEEPEST else f"more than {MOST_VALUES} values"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=cast("yaml.Mark", event.start_mark))
    return text


def load(text: str) -> Any:
    """What a text holds: plain values. Raises `yaml.YAMLError` as `checked` does, and for values that cannot be."""
    try:
        return yaml.load(checked(text), Loader=_SAFE_LOADER)
    except (
        ValueError,
        TypeError,
        OverflowError,
    ) as problem:  # a date of month 13, a number of 5 000 digits, a list as key
        raise yaml.YAMLError(str(problem)) from None


def compose(text: str) -> yaml.Node | None:
    """The nodes of a text, with their lines. Raises `yaml.YAMLError` as `checked` does."""
    return yaml.compose(checked(text), Loader=_SAFE_LOADER)


def dump(content: Any) -> str:
    """The text that `load` reads."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(content, Dumper=dumper, sort_keys=False, allow_unicode=True))


def where(problem: yaml.YAMLError) -> tuple[int | None, str]:
    """The line, counted from 1, where it is known; and what is wrong there, on one line."""
    if isinstance(problem, yaml.MarkedYAMLError):
        mark = problem.problem_mark or problem.context_mark
        return mark.line + 1 if mark else None, " ".join(filter(None, [problem.problem, problem.context]))
    return None, " ".join(str(problem).split())
