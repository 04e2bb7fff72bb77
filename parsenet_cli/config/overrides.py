"""Overrides: `key=value` texts, their keys and valid values, Hydra's grammar."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, get_args

from parsenet_cli.core import paths
from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.core.run_config import Recipe, Runtime, Science
from parsenet_cli.models.weights import sources

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

_DERIVED = {"data_id", "weights_file", "recipe"}
AXES = [key for model in (Science, Runtime) for key in model.model_fields if key not in _DERIVED]
RECIPE_KEYS = [f"recipe.{key}" for key in Recipe.model_fields]
_GROUPS = ("recipe", "launcher")
_MODULES = {"data": "data/sets", "trunk": "models/trunks", "context": "models/context"}


def axis_choices(axis: str) -> list[str]:
    """The valid values of an axis that is chosen by name, empty for one that takes numbers, lists or paths."""
    if axis == "weights":
        return sources.all_choices()
    if axis in _MODULES:
        return paths.modules(_MODULES[axis])
    if axis in _GROUPS:
        return sorted({f.stem for folder in paths.search("conf") for f in (folder / axis).glob("*.yaml")})
    if axis == "layers":
        annotation: Any = get_args(Science.model_fields["layers"].annotation)[0]
    else:
        model = Recipe if axis.startswith("recipe.") else Runtime if axis in Runtime.model_fields else Science
        field = model.model_fields.get(axis.removeprefix("recipe."))
        annotation = field.annotation if field else None
    if annotation is bool:
        return ["true", "false"]
    return [str(value) for value in get_args(annotation) if isinstance(value, str | int)]


def key_of(override: str) -> str:
    """The key of `key=value`; raises `UserError` for anything else, an unknown key included."""
    key, equals, _ = override.partition("=")
    if not equals:
        raise UserError(f"'{override}': expected key=value, for example norm=l2")
    if key not in AXES and key not in RECIPE_KEYS and key not in _GROUPS and not key.startswith("launcher."):
        raise unknown("key", key, [*AXES, *RECIPE_KEYS, *_GROUPS])
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
    """One override in Hydra's grammar. Raises `UserError` where it does not parse or its key does not exist."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    key_of(text)
    try:
        return OverridesParser.create().parse_override(text)
    except HydraException as problem:
        raise UserError(f"'{text}': {str(problem).splitlines()[0]}") from None
