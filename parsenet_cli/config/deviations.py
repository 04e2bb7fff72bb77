"""What of the protocol is in force in a run, and what of it deviates.

The rule: a switch is *expected* to have the value that the table's cell sets; where the cell sets none, or for a run by
itself, the default of the protocol (for a number of the recipe: that of the published recipe the cell names, or else of the
one that most of the run's numbers agree with). A switch *deviates* when it has another value than expected. So `init=zero`
is a deviation of a run by itself and none in Table 1, whose Baseline A says so; and `norm=l2` on the command line
deviates in Table 4's column without norm. A switch that no cell sets is left alone where its question does not arise;
what the tables compare (layers, fusion, …) deviates only from a cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from parsenet_cli.config import blocks
from parsenet_cli.config.overrides import OLDER_NAMES, canonical, key_of, value_of
from parsenet_cli.config.protocol import CAFFE_WEIGHTS, COMPARED, OPEN, REASONS, RECIPES, STATED
from parsenet_cli.core import paths, yaml_text
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import read_text
from parsenet_cli.core.run_config import OLDER_OPTIONS, Recipe, Science

OLDER_KEYS = {option: axis for axis, option in OLDER_NAMES.items()}
"""Options that runs of before know as axes."""


@dataclass(frozen=True)
class Setting:
    """One switch of the protocol as a run has it; a result keeps them as JSON.

    Attributes:
        settings: Axis or recipe key -> its value in the run.
        expected: The same keys with the default.
    """

    question: str
    mark: str
    arises: bool
    settings: Mapping[str, Any]
    expected: Mapping[str, Any]

    @property
    def deviating(self) -> tuple[str, ...]:
        """The keys whose value is not the default's; none where the question does not arise."""
        return tuple(key for key in self.settings if self.arises and not _same(self.settings[key], self.expected[key]))

    def as_json(self) -> dict[str, Any]:
        """With whether the default is in force (`default`)."""
        return {**asdict(self), "default": not self.deviating}


@dataclass(frozen=True)
class Deviation:
    """One key of a run that has not the value it is expected to have."""

    question: str
    key: str
    value: Any
    expected: Any

    @property
    def text(self) -> str:
        """`gradient of the norm: norm_gradient=authors instead of exact`, with the reason where one is known."""
        value, expected = as_text(self.value), as_text(self.expected)
        reason = REASONS.get((self.key, value, expected))
        return f"{self.question}: {self.key}={value} instead of {expected}{f' ({reason})' if reason else ''}"


def settings_of(science: Science) -> list[Setting]:
    """Every switch of the protocol as this run has it; what is expected is expected of a run by itself."""
    recipe = published(nearest_recipe(science.recipe))
    return [
        Setting(
            switch.question,
            switch.mark,
            switch.arises(science),
            settings={key: _value(science, key) for key in switch.default},
            expected={key: recipe.get(key, value) for key, value in switch.default.items()},
        )
        for switch in (*OPEN, *STATED)
    ]


def from_json(content: Iterable[Mapping[str, Any]]) -> list[Setting]:
    """The switches as a result.json holds them."""
    return [
        Setting(line["question"], line["mark"], line["arises"], _tuples(line["settings"]), _tuples(line["expected"]))
        for line in content
    ]


def deviations_of(settings: Sequence[Setting], cell: Mapping[str, Any] | None = None) -> list[Deviation]:
    """What deviates, each key once. `cell` is what the cell sets (`cell_settings`); without it the run stands by itself."""
    by_key: dict[str, Deviation | None] = {}
    # Where several switches share a key, one that arises names the deviation, else the last, which is the most general.
    arising = [setting for setting in settings if setting.arises]
    for setting in (*arising, *(setting for setting in reversed(settings) if not setting.arises)):
        for key, value in setting.settings.items():
            asked = setting.arises or (cell is not None and (key in cell or key in COMPARED))
            if asked and key not in by_key:
                if key == "blocks":
                    by_key |= _of_options(setting, cell or {})
                    continue
                expected = (cell or {}).get(key, setting.expected[key])
                same = _same(value, expected)
                by_key[key] = None if same else Deviation(setting.question, key, value, expected)
    return [deviation for deviation in by_key.values() if deviation]


def _of_options(setting: Setting, cell: Mapping[str, Any]) -> dict[str, Deviation]:
    """What of the blocks' options is neither what the cell sets nor, where it sets nothing, the block's default."""
    deviating = {}
    for group, options in setting.settings["blocks"].items():
        defaults = blocks.defaults(group, setting.settings[group])
        for option, value in options.items():
            key = f"{group}.{option}"
            expected = cell.get(key, defaults.get(option, value))
            if not _same(value, expected):
                deviating[key] = Deviation(setting.question, key, value, expected)
    return deviating


def cell_settings(overrides: Sequence[str]) -> dict[str, Any]:
    """What a table's cell sets, by key: its overrides, and the numbers of the published recipe it names below them."""
    values = dict(filter(None, map(_parsed, overrides)))
    recipe = values.pop("recipe", None)
    if str(values.get("context", "global")) not in OLDER_OPTIONS:  # they are options of another block then
        values = {canonical(key): value for key, value in values.items()}
    else:
        values = {OLDER_KEYS.get(key, key): value for key, value in values.items()}
    return {**(published(recipe) if recipe in RECIPES else {}), **values}


def nearest_recipe(recipe: Recipe) -> str:
    """The published recipe that most of the numbers agree with; the first of `RECIPES` where several do."""
    numbers = recipe.model_dump()

    def agreeing(name: str) -> int:
        content = published(name)
        return sum(content[f"recipe.{key}"] == value for key, value in numbers.items())

    return max(RECIPES, key=agreeing)


@lru_cache
def published(recipe: str) -> dict[str, Any]:
    """The numbers of a published recipe, by `recipe.key`: those that are shipped, whatever the user's ./conf has."""
    files = (paths.shipped("conf/recipe") / f"{name}.yaml" for name in ("_base", recipe))
    base, own = (yaml_text.load(read_text(file)) for file in files)
    numbers = Recipe.model_validate({key: value for key, value in {**base, **own}.items() if key != "defaults"})
    return {f"recipe.{key}": value for key, value in numbers.model_dump().items()}


def as_text(value: Any) -> str:
    """A value as an override writes it: `[10,20]`, `true`, `null`, `10` for 10.0."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "null"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(as_text, value))}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{as_text(each)}' for key, each in value.items())}}}"
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


@lru_cache
def _parsed(override: str) -> tuple[str, Any] | None:
    try:
        value = value_of(override)
    except UserError:  # a frozen table may name a key that is gone
        return None
    return key_of(override), tuple(value) if isinstance(value, list) else value


def _same(value: Any, expected: Any) -> bool:
    if isinstance(value, str) and isinstance(expected, str) and {value, expected} <= CAFFE_WEIGHTS:
        return True
    return bool(value == expected)


def _value(science: Science, key: str) -> Any:
    group, _, name = key.rpartition(".")
    if key == "blocks":
        return {group: block.options for group, block in science.blocks.items()}
    return getattr(science.recipe if group else science, name)


def _tuples(content: Mapping[str, Any]) -> dict[str, Any]:
    """JSON and YAML have lists where a configuration has tuples."""
    return {
        key: tuple(value) if isinstance(value, list) else _tuples(value) if isinstance(value, dict) else value
        for key, value in content.items()
    }
