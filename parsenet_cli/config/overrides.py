"""Overrides: `key=value` texts, their keys and valid values, Hydra's grammar."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, get_args

from parsenet_cli.core import paths
from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.core.run_config import LAYERS, Recipe, Runtime, Science
from parsenet_cli.models.weights import sources

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

GROUPS = ("recipe", "launcher")
"""Axes whose value is a file of `conf/<axis>`."""

MODULES = {"data": "data/sets", "trunk": "models/trunks", "context": "models/context"}
"""Axes whose value is a module of a folder of the package."""

_FIELDS = {
    **Science.model_fields,
    **Runtime.model_fields,
    **{f"recipe.{key}": field for key, field in Recipe.model_fields.items()},
}
RECIPE_KEYS = [key for key in _FIELDS if key.startswith("recipe.")]
AXES = [key for key in _FIELDS if key not in {*RECIPE_KEYS, "recipe", "data_id", "weights_file"}]
_KEYS = [*AXES, *RECIPE_KEYS, *GROUPS]


def axis_choices(axis: str) -> list[str]:
    """The valid values of an axis that is chosen by name, empty for one that takes numbers, lists or paths."""
    if axis == "weights":
        return sources.all_choices()
    if axis == "layers":
        return list(LAYERS)
    if axis in MODULES:
        return paths.modules(MODULES[axis])
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
    key, equals, _ = override.partition("=")
    if not equals:
        raise UserError(f"'{override}': expected key=value, for example norm=l2")
    if key not in _KEYS and not key.startswith("launcher."):
        raise unknown("key", key, _KEYS)
    return key


def split_launcher(overrides: Iterable[str]) -> tuple[list[str], list[str]]:
    """Those that say what runs are, and those that say where they are carried out (`launcher`, `launcher.…`)."""
    runs: list[str] = []
    launcher: list[str] = []
    for text in overrides:
        (launcher if key_of(text).partition(".")[0] == "launcher" else runs).append(text)
    return runs, launcher


def last_wins(overrides: Iterable[str]) -> dict[str, str]:
    """Overrides by key; a later one replaces an earlier one of the same key."""
    return {key_of(text): text for text in overrides}


def parse_override(text: str) -> Override:
    """One override in Hydra's grammar.

    Raises:
        UserError: it does not parse, or its key does not exist.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    key_of(text)
    try:
        return OverridesParser.create().parse_override(text)
    except HydraException as problem:
        raise UserError(f"'{text}': {str(problem).splitlines()[0]}") from None
