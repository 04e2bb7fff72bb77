"""From override strings to a `RunConfig`: Hydra composes, profiles map names, one boundary validates.

Order of precedence: conf/config.yaml < profile < table (base < column < row) < command line.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from parsenet_cli.config import identity
from parsenet_cli.config.overrides import (
    AXES,
    GROUPS,
    MODULES,
    RECIPE_KEYS,
    axis_choices,
    key_of,
    last_wins,
    parse_override,
    split_launcher,
)
from parsenet_cli.config.profile import Profile
from parsenet_cli.core import paths
from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.core.files import read_verified, write_with_checksum
from parsenet_cli.core.run_config import RunConfig, Runtime, Science, from_yaml

PRIMARY = "config"
"""The file of `conf/` that names every axis with its default."""

_Model = TypeVar("_Model", Science, Runtime)


@lru_cache
def axis_defaults() -> dict[str, Any]:
    """The axes and groups of the shipped conf/config.yaml with their defaults."""
    axes = dict(from_yaml(_primary_file().read_text(encoding="utf-8")))
    groups = [entry for entry in axes.pop("defaults") if isinstance(entry, dict)]
    return {**axes, **{group: name for entry in groups for group, name in entry.items()}}


class Composer:
    """Composes run configurations under one profile and one command line.

    Hydra takes about 50 ms a configuration, so what it composed is remembered in `<cache>/composed.json`, keyed by the
    overrides and by the content of every configuration file. `save` writes it.
    """

    def __init__(self, profile: Profile, command_line: Sequence[str], cache: Path) -> None:
        self.profile = profile
        self.cache = cache
        self.command_line, _ = split_launcher(command_line)
        self._file = cache / "composed.json"
        self._known: dict[str, Any] = read_verified(self._file) or {}
        self._fresh = False
        self._files = _conf_fingerprint()

    def overrides(self, cell: Sequence[str] = ()) -> list[str]:
        """The overrides of one cell, resolved: profile, cell, stand-ins for data and recipe, command line."""
        science, _ = split_launcher(cell)  # launchers have options of their own, which `launcher` composes
        defaults = axis_defaults()
        below = last_wins(
            [f"data={defaults['data']}", f"recipe={defaults['recipe']}", *self.profile.overrides, *science]
        )
        for key in ("data", "recipe"):
            below[key] = f"{key}={self.profile.stand_in(key, below[key].removeprefix(f'{key}='))}"
        return list((below | last_wins(self.command_line)).values())

    def run_config(self, cell: Sequence[str] = ()) -> RunConfig:
        """Compose and validate one run.

        Raises:
            UserError: unknown keys or values, missing data or weights.
        """
        return _identified(*_validated(self._compose(self.overrides(cell))), self.cache)

    def science(self, cell: Sequence[str] = ()) -> Science:
        """What one run would be: composed and validated, its data and weights named but not looked for.

        Enough to build the network; without `data_id` it identifies no run.

        Raises:
            UserError: unknown keys or values.
        """
        return _validated(self._compose(self.overrides(cell)))[0]

    def seeds(self, number: int | None) -> list[int]:
        """Seeds 0 to `number` - 1, the profile's number if None; `seed=…` on the command line names a single one."""
        given = last_wins(self.command_line).get("seed")
        if given is None:
            return list(range(number or self.profile.seeds))
        value = given.partition("=")[2]
        if number is not None or not value.isdigit():
            raise UserError(f"{given}: expected either one number here or --seeds n, which means the seeds 0 to n-1")
        return [int(value)]

    def launcher(self, overrides: Sequence[str]) -> dict[str, Any]:
        """The launcher's options: conf/launcher/<name>.yaml with the overrides that begin with `launcher`."""
        _, launcher = split_launcher(last_wins(overrides).values())
        options = self._compose([text for text in launcher if "." not in key_of(text)])["launcher"]
        for option in [key_of(text).removeprefix("launcher.") for text in launcher if "." in key_of(text)]:
            if option not in options:
                raise unknown(f"option of launcher {options['name']}", option, options)
        return dict(self._compose(launcher)["launcher"])

    def save(self) -> None:
        """Remember on disk what was composed, where that is possible: `plan` works on a read-only store too."""
        if self._fresh:
            with contextlib.suppress(UserError):
                write_with_checksum(
                    self._file, {key: value for key, value in self._known.items() if key.startswith(self._files)}
                )

    def _compose(self, overrides: Sequence[str]) -> dict[str, Any]:
        key = self._files + hashlib.sha256(json.dumps(list(overrides)).encode()).hexdigest()[:24]
        if key not in self._known:
            self._known[key] = hydra_compose(overrides)
            self._fresh = True
        return dict(self._known[key])


def hydra_compose(overrides: Sequence[str]) -> dict[str, Any]:
    """The plain composed configuration. The user's ./conf adds group files and is found first; config.yaml is ours."""
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    for text in overrides:
        if "${" in text:
            raise UserError(f"'{text}': expected a plain value, found an interpolation; write out what it stands for")
        if parse_override(text).is_sweep_override():
            raise UserError(f"'{text}' names several values: use `parsenet sweep {text}`, or [a,b] for a list")
    searched = ",".join(f"file://{folder}" for folder in paths.search("conf"))
    try:
        # Hydra looks into the folder of the primary configuration first. Alone in a folder of its own, config.yaml is
        # always ours, while groups are looked for in the user's ./conf before the shipped one.
        with tempfile.TemporaryDirectory() as axes:
            shutil.copy(_primary_file(), axes)
            with initialize_config_dir(axes, version_base="1.3"):
                composed = compose(PRIMARY, [*overrides, f"hydra.searchpath=[{searched}]"])
        content = OmegaConf.to_container(composed, resolve=True)
    except (HydraException, OmegaConfBaseException) as problem:
        for text in overrides:
            group, _, name = text.partition("=")
            if group in GROUPS and name not in axis_choices(group):
                raise unknown(group, name, axis_choices(group)) from None
        raise UserError(f"the configuration does not compose: {' '.join(str(problem).split())}") from None
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items()}


def _validated(content: dict[str, Any]) -> tuple[Science, Runtime]:
    """A composed configuration, validated; its data and weights are still only named."""
    content = {key: value for key, value in content.items() if key != "launcher"}
    for axis in MODULES:
        if content.get(axis) not in axis_choices(axis):
            raise unknown(axis, str(content.get(axis)), axis_choices(axis))
    runtime = {key: content.pop(key) for key in list(content) if key in Runtime.model_fields} | {"weights_file": None}
    if runtime.get("data_root"):
        runtime["data_root"] = str(Path(runtime["data_root"]).expanduser().resolve())
    return _validated_model(Science, content | {"data_id": ""}), _validated_model(Runtime, runtime)


def _validated_model(model: type[_Model], content: dict[str, Any]) -> _Model:
    try:
        return model.model_validate(content)
    except ValidationError as problem:
        first = problem.errors()[0]
        key = ".".join(str(part) for part in first["loc"] if not isinstance(part, int))
        if first["type"] == "extra_forbidden":
            raise unknown("key", key, [*AXES, *RECIPE_KEYS]) from None
        valid = axis_choices(key)
        if first["type"] == "literal_error" and valid:
            raise unknown(f"value for {key}:", str(first["input"]), valid) from None
        if first["type"] == "tuple_type":
            raise UserError(f"{key}={first['input']}: expected a list, for example {key}=[{first['input']}]") from None
        raise UserError(f"{key}={first['input']}: {first['msg'].removeprefix('Value error, ')}") from None


def _identified(science: Science, runtime: Runtime, cache: Path) -> RunConfig:
    """The run with its data and weights known by their content."""
    weights, file = identity.of_weights(science.weights, science.trunk, science.body, cache)
    config = RunConfig(
        science=science.model_copy(update={"weights": weights}),
        runtime=runtime.model_copy(update={"weights_file": file}),
    )
    data_id = identity.of_data(config, cache)
    return config.model_copy(update={"science": config.science.model_copy(update={"data_id": data_id})})


def _primary_file() -> Path:
    return paths.shipped("conf") / f"{PRIMARY}.yaml"


def _conf_fingerprint() -> str:
    digest = hashlib.sha256()
    for folder in paths.search("conf"):
        for file in sorted(folder.rglob("*.yaml")):
            digest.update(f"{file.relative_to(folder)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]
