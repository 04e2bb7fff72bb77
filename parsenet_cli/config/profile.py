"""A profile: which data, trunk and lengths stand behind a table, and with how many seeds (conf/profile/*.yaml)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from parsenet_cli.core import paths
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


def _files() -> dict[str, Path]:
    folders = reversed(paths.search("conf"))
    return {f.stem: f for folder in folders for f in sorted((folder / "profile").glob("*.yaml"))}


def axis_defaults() -> dict[str, object]:
    """The axes of the shipped conf/config.yaml with their defaults."""
    from omegaconf import OmegaConf

    content = OmegaConf.to_container(OmegaConf.load(paths.shipped("conf") / "config.yaml"))
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items()}


def names() -> list[str]:
    """The profiles that can be chosen."""
    return sorted(_files())


def load(name: str) -> Profile:
    """Read `conf/profile/<name>.yaml`, the user's own first. Raises `UserError` for an unknown name or a malformed file."""
    from omegaconf import OmegaConf
    from yaml import YAMLError

    files = _files()
    if name not in files:
        raise unknown("profile", name, sorted(files))
    expected = "about, seeds, data, recipe, set"
    try:
        content = OmegaConf.to_container(OmegaConf.load(files[name]))
        if not isinstance(content, dict):
            raise TypeError("not a mapping")
        extra = sorted(set(content) - set(expected.split(", ")))
        if extra:
            raise unknown(f"key in {files[name]}:", str(extra[0]), expected.split(", "))
        return Profile(
            name=name,
            about=str(content["about"]),
            seeds=int(content["seeds"]),
            data=dict(content["data"]),
            recipe=dict(content["recipe"]),
            overrides=tuple(str(text) for text in content["set"]),
        )
    except (KeyError, TypeError, ValueError, YAMLError) as problem:
        raise UserError(f"{files[name]}: expected the keys {expected}; {problem}") from None
