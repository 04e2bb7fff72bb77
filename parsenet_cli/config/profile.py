"""A profile: which data, trunk and lengths stand behind a table, and with how many seeds (conf/profile/*.yaml)."""

from __future__ import annotations

from dataclasses import dataclass

from parsenet_cli.config.overrides import LISTED, key_of
from parsenet_cli.config.yaml_nodes import YamlNode, read
from parsenet_cli.core import paths
from parsenet_cli.core.bounds import MOST_SEEDS
from parsenet_cli.core.errors import UserError, unknown


@dataclass(frozen=True)
class Profile:
    """`data` and `recipe` map the names a table uses to those that stand in for them; `overrides` come before a table's."""

    name: str
    about: str
    seeds: int
    data: dict[str, str]
    recipe: dict[str, str]
    overrides: tuple[str, ...]

    def stand_in(self, key: str, value: str) -> str:
        """The name that stands for `value` of the axis `key` (`data` or `recipe`) under this profile."""
        return {"data": self.data, "recipe": self.recipe}[key].get(value, value)


def names() -> list[str]:
    """The profiles that can be chosen."""
    return sorted(paths.yaml_files("conf/profile"))


def load(name: str) -> Profile:
    """Read `conf/profile/<name>.yaml`, the user's own first.

    Raises:
        UserError: an unknown name or a malformed file.
    """
    files = paths.yaml_files("conf/profile")
    if name not in files:
        raise unknown("profile", name, sorted(files), LISTED)
    fields = read(files[name]).fields("profile", ["about", "seeds", "data", "recipe", "set"], [])
    return Profile(
        name=name,
        about=fields["about"].text(),
        seeds=fields["seeds"].number(1, MOST_SEEDS),
        data=_texts(fields["data"]),
        recipe=_texts(fields["recipe"]),
        overrides=_overrides(fields["set"]),
    )


def _overrides(node: YamlNode) -> tuple[str, ...]:
    for item in node.parts():
        try:
            key_of(item.text())
        except UserError as problem:
            raise item.problem(problem) from None
    return node.texts()


def _texts(node: YamlNode) -> dict[str, str]:
    return {key: value.text() for key, value in node.mapping().items()}
