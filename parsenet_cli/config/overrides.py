"""Overrides: `key=value` texts, their keys and valid values, Hydra's grammar."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, get_args

from parsenet_cli.core import blocks, paths
from parsenet_cli.core.bounds import LARGEST
from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.core.run_config import LAYERS, Recipe, Runtime, Science
from parsenet_cli.core.text import shown
from parsenet_cli.models.weights import sources

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

GROUPS = ("recipe", "launcher", *blocks.GROUPS)
"""Axes whose value is a file of `conf/<axis>`, which may have options: `recipe.lr`, `gate.ratio`."""

OLDER_NAMES = {"context_bins": "context.bins", "spp_geometry": "context.geometry"}
"""Keys from before contexts had options -> the options that they are."""

MODULES = {"data": "data/sets", "trunk": "models/trunks"}
"""Axes whose value is a module of a folder of the package."""

LITERAL = ("data_root", "weights")
"""Axes whose value is taken as it is written: paths hold whatever people call their folders."""

MOST_VALUES = 1000
"""Of one axis of a sweep."""

LISTED = "parsenet list"
"""The command that lists keys and their values."""

_WORD = r"[a-z][a-z0-9_]{0,60}|[1-9][0-9]{0,3}s|-?[1-9][0-9]{0,17}|0|-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?(?:e-?[0-9]{1,2})?"
_PLAIN = re.compile(rf"{_WORD}|\[(?:(?:{_WORD})(?:,(?:{_WORD}))*)?\]")
_NAMED = {"true": True, "false": False, "null": None, "nan": math.nan, "inf": math.inf}
_SWITCH = r"(?:[^,]{1,60},)*(?:off|on|no|yes|false|true)(?:,.*)?"
_HABITS = (
    (r"-m|--multirun", "sweeps are `parsenet sweep fusion=early,late norm=none,l2`"),
    (r"-c|--cfg(?:=.*)?", "what a run is composed of is printed by `parsenet config norm=none`"),
    (
        r"hydra\..*",
        "Hydra's own settings have no effect here: --results says where results go, --launcher where runs go",
    ),
    (r"\+\+?(.{1,60})", r"every key has a value already; to replace it, write \1"),
    (
        r"~([^=]{1,60})(?:=.*)?",
        r"no key can be taken away; to replace its value, write \1=VALUE (`parsenet list` has them)",
    ),
    (
        rf"context=(?:{_SWITCH}|(?:[^,]{{1,60}},)*none(?:,.*)?)",
        "context is switched by layers=[fc7] (off) and layers=[pool6,fc7] (on); context= says how pool6 is pooled: global or spp",
    ),
    (rf"norm={_SWITCH}", "the norm is switched by norm=none (off) and norm=l2 (on)"),
    (
        r"weights=(?:choice|glob|interval|range|shuffle|sort|tag)\((.{0,60})\)",
        r"weights are taken as they are written: weights=\1",
    ),
)
"""What other programs take, above all Hydra, as patterns of whole arguments, and what to type instead."""

_OTHER_NAMES = {
    "backbone": "trunk",
    "batch_size": "recipe.batch",
    "dataset": "data",
    "learning_rate": "recipe.lr",
    "max_iter": "recipe.iterations",
    "steps": "recipe.iterations",
}
"""Keys as other programs call them, which no likeness of letters finds."""

_FIELDS = {
    **Science.model_fields,
    **Runtime.model_fields,
    **{f"recipe.{key}": field for key, field in Recipe.model_fields.items()},
}
RECIPE_KEYS = [key for key in _FIELDS if key.startswith("recipe.")]
AXES = [key for key in _FIELDS if key not in {*RECIPE_KEYS, *GROUPS, "blocks", "data_id", "weights_file", "code"}]
_KEYS = [*AXES, *RECIPE_KEYS, *GROUPS]


def axis_choices(axis: str) -> list[str]:
    """The valid values of an axis that is chosen by name, empty for one that takes numbers, lists or paths."""
    if axis == "weights":
        return sources.all_choices()
    if axis == "layers":
        return list(LAYERS)
    if axis in MODULES:
        return paths.modules(MODULES[axis])
    if axis in blocks.GROUPS:
        return blocks.names(axis)
    if axis in GROUPS:
        return sorted(paths.yaml_files(f"conf/{axis}"))
    annotation: Any = _FIELDS[axis].annotation if axis in _FIELDS else None
    if annotation is bool:
        return ["true", "false"]
    return [str(value) for value in get_args(annotation) if isinstance(value, str | int)]


def key_of(override: str) -> str:
    """The key of `key=value`.

    Raises:
        UserError: it is anything else, or the key is unknown.
    """
    key, equals, value = override.partition("=")
    if answer := habit(override):
        raise UserError(f"'{shown(override)}': {answer}")
    if not equals:
        raise UserError(f"'{override}': expected key=value, for example norm=l2")
    if key not in _KEYS and not is_option(key):
        if meant := f"recipe.{key}" if f"recipe.{key}" in RECIPE_KEYS else _OTHER_NAMES.get(key):
            raise UserError(f"unknown key '{key}'. It is called {meant} here: {meant}={shown(value)}")
        raise unknown("key", key, _KEYS, LISTED)
    if not paths.is_utf8(override):
        raise UserError(f"'{override}': not in UTF-8; rename the file or folder")
    return key


def is_option(key: str) -> bool:
    """Whether a key is an option of a launcher or of a block, which only the chosen one knows."""
    group, dot, option = key.partition(".")
    return bool(dot and option) and group in ("launcher", *blocks.GROUPS)


def is_of_block(override: str) -> bool:
    """Whether an override chooses a block or an option of one."""
    return canonical(key_of(override)).partition(".")[0] in blocks.GROUPS


def canonical(key: str) -> str:
    """The one name of a key that has two."""
    return OLDER_NAMES.get(key, key)


@lru_cache(maxsize=4096)
def habit(argument: str) -> str:
    """What to type instead of an argument that another program would take; empty where it is none of that kind."""
    key, _, value = argument.partition("=")
    for pattern, answer in _HABITS:
        match = re.fullmatch(pattern, argument)
        if match and value not in axis_choices(key):
            return match.expand(answer)
    return ""


def unknown_value(axis: str, value: str, kind: str = "value for {}:") -> UserError:
    """The error for a value that an axis does not have."""
    return unknown(
        kind.format(axis), value, axis_choices(axis), "parsenet weights list" if axis == "weights" else LISTED
    )


def split_launcher(overrides: Iterable[str]) -> tuple[list[str], list[str]]:
    """Those that say what runs are, and those that say where they are carried out (`launcher`, `launcher.…`)."""
    runs: list[str] = []
    launcher: list[str] = []
    for text in overrides:
        (launcher if key_of(text).partition(".")[0] == "launcher" else runs).append(text)
    return runs, launcher


def last_wins(overrides: Iterable[str]) -> dict[str, str]:
    """Overrides by key; a later one replaces an earlier one of the same key."""
    return {canonical(key_of(text)): text for text in overrides}


def literal(override: str) -> str | None:
    """The value of an override that is a name or a path, which no grammar reads: what stands behind the first `=`."""
    key, _, value = override.partition("=")
    return value if key in LITERAL else None


def value_of(override: str) -> Any:
    """The one value that an override stands for.

    Raises:
        UserError: it does not parse, its key does not exist, or it names several.
    """
    key_of(override)
    text = literal(override)
    if text is not None:
        return None if text == "null" else text
    if _PLAIN.fullmatch(text := override.partition("=")[2]):
        return [_plain(part) for part in text[1:-1].split(",") if part] if text[0] == "[" else _plain(text)
    parsed = _parsed(override)
    if parsed.is_sweep_override():
        typed = shlex.quote(override)
        raise UserError(f"'{override}' names several values: use `parsenet sweep {typed}`, or [a,b] for a list")
    return parsed.value()


def plain_value_of(override: str) -> Any:
    """The same of one that may come from somebody else's table. Raises `UserError` for an interpolation too."""
    if "${" in override:
        raise UserError(f"'{override}': expected a plain value, found an interpolation; write out what it stands for")
    return value_of(override)


def values_of(override: str) -> list[str] | None:
    """The values, as texts, where an override names several; None where it names one.

    Of `data_root` there is always one, of `weights` as well unless each is the name of a source.

    Raises:
        UserError: it does not parse, its key does not exist, or it names too many.
    """
    key, text = key_of(override), literal(override)
    if text is not None:
        several = text.split(",")
        return several if len(several) > 1 and set(several) <= set(axis_choices(key)) else None
    parsed = _parsed(override)
    if not parsed.is_sweep_override():
        return None
    values = [str(value) for value in islice(parsed.sweep_string_iterator(), MOST_VALUES + 1)]
    if len(values) > MOST_VALUES:
        raise UserError(f"'{override}': expected at most {MOST_VALUES} values")
    return values


def seed_of(text: str) -> int:
    """The seed that a text names. Raises `UserError` for anything else."""
    number = int(text) if re.fullmatch("[0-9]{1,19}", text) else -1
    if not 0 <= number <= LARGEST:
        raise UserError(f"seed={shown(text)}: expected a whole number from 0 to {LARGEST}")
    return number


def _plain(word: str) -> Any:
    """What Hydra's grammar makes of a word or a number in usual spelling: its import would take longer than to read a table."""
    if word[0].isalpha() or word[-1] == "s":
        return _NAMED.get(word, word)
    return float(word) if set(word) & set(".e") else int(word)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Override:
    """In Hydra's grammar."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import ValueType
    from hydra.errors import HydraException

    try:
        parsed = OverridesParser.create().parse_override(text)
    except RecursionError:
        raise UserError(f"'{shown(text)}': the value is nested too deeply") from None
    except HydraException as problem:
        key, _, value = text.partition("=")
        if key != "layers" and axis_choices(key):
            raise unknown_value(key, shown(value)) from None
        said = shown(str(problem).splitlines()[0])
        quoted = f"{key}='{value}'" if "'" not in value else f'{key}="{value}"'
        inner = f'"{quoted}"' if not set(value) & set("\"$`\\'!") else shlex.quote(quoted)
        remedy = f"; a text with blanks or signs stands in quotes that the shell leaves alone: {inner}"
        raise UserError(f"'{shown(text)}': {said}{'' if 'evaluating' in said or len(text) > 200 else remedy}") from None
    if parsed.is_sweep_override() and not (
        parsed.is_discrete_sweep() and parsed.value_type != ValueType.GLOB_CHOICE_SWEEP
    ):
        key = key_of(text)
        choices = ",".join(axis_choices(key)) or "a,b,c"
        raise UserError(f"'{shown(text)}': write the values out: {key}={choices}")
    return parsed
