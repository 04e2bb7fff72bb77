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
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from parsenet_cli.config import blocks, identity
from parsenet_cli.config.overrides import (
    AXES,
    GROUPS,
    LISTED,
    LITERAL,
    MODULES,
    RECIPE_KEYS,
    axis_choices,
    is_of_block,
    key_of,
    last_wins,
    literal,
    plain_value_of,
    seed_of,
    split_launcher,
    unknown_value,
    value_of,
    values_of,
)
from parsenet_cli.config.profile import Profile
from parsenet_cli.config.yaml_nodes import checked_text
from parsenet_cli.core import paths
from parsenet_cli.core.bounds import MOST_SEEDS, first_fault
from parsenet_cli.core.errors import DataNotHere, UserError, unknown
from parsenet_cli.core.files import read_bytes
from parsenet_cli.core.run_config import RunConfig, Runtime, Science, from_yaml
from parsenet_cli.core.sealed import read_verified, write_with_checksum
from parsenet_cli.core.text import shown
from parsenet_cli.models import support

PRIMARY = "config"
"""The file of `conf/` that names every axis with its default."""

_Model = TypeVar("_Model", Science, Runtime)


@lru_cache
def axis_defaults() -> dict[str, Any]:
    """The axes and groups of the shipped conf/config.yaml with their defaults."""
    axes = dict(from_yaml(_primary_file().read_text(encoding="utf-8")))
    groups = [entry for entry in axes.pop("defaults") if isinstance(entry, dict)]
    return {**axes, **{group: name for entry in groups for group, name in entry.items()}}


@dataclass(frozen=True)
class LauncherConfig:
    """Where runs are carried out; its options are validated by the launcher that they name.

    Attributes:
        file: Of conf/launcher, where those come from that are not `overridden`.
    """

    options: dict[str, Any]
    file: Path
    overridden: frozenset[str] = frozenset()


class Composer:
    """Composes run configurations under one profile and one command line.

    Hydra takes about 50 ms a configuration. It composes the recipe, and what it composed is remembered in
    `<cache>/composed.json`, keyed by the recipe's overrides and by the content of every configuration file, which `save` writes.
    Axes are plain values, which replace their defaults; blocks are chosen by their schemas.
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

    def run_config(self, cell: Sequence[str] = (), *, data_needed: bool = True) -> RunConfig:
        """Compose and validate one run.

        Without `data_needed` the run of a data set that is not here has no `data_id`: it can be planned, not carried out.

        Raises:
            UserError: unknown keys or values, missing data or weights.
        """
        overrides = self.overrides(cell)
        return _identified(*_validated(self._compose(overrides), overrides), self.cache, data_needed)

    def unidentified(self, cell: Sequence[str] = ()) -> RunConfig:
        """What one run would be: composed and validated, its data and weights named but not looked for.

        Enough to build the network; without `data_id` it identifies no run.

        Raises:
            UserError: unknown keys or values.
        """
        overrides = self.overrides(cell)
        science, runtime = _validated(self._compose(overrides), overrides)
        return RunConfig(science=science, runtime=runtime)

    def science(self, cell: Sequence[str] = ()) -> Science:
        """The science of `unidentified`."""
        return self.unidentified(cell).science

    def seeds(self, number: int | None) -> list[int]:
        """Seeds 0 to `number` - 1, the profile's number if None; `seed=…` on the command line names a single one."""
        given = last_wins(self.command_line).get("seed")
        if number is not None and number > MOST_SEEDS:
            raise UserError(f"--seeds {number}: expected at most {MOST_SEEDS}")
        if given is None:
            return list(range(number or self.profile.seeds))
        if number is not None or values_of(given):
            raise UserError(f"{given}: expected either one number here or --seeds n, which means the seeds 0 to n-1")
        return [seed_of(given.partition("=")[2])]

    def launcher(self, overrides: Sequence[str]) -> LauncherConfig:
        """The launcher's options: conf/launcher/<name>.yaml with the overrides that begin with `launcher`.

        They are read each time and never kept: they hold commands for a shell, and what a user takes from the environment.

        Raises:
            UserError: an unknown launcher or option, or a file that is no launcher's.
        """
        _, given = split_launcher(last_wins(overrides).values())
        chosen = [text for text in given if "." not in key_of(text)]
        options = [text for text in given if "." in key_of(text)]
        file = _group_file("launcher", chosen)
        content = _group("launcher", chosen, file)
        keys = [key_of(text).removeprefix("launcher.") for text in options]
        for key in keys:
            if key not in content:
                raise unknown(f"option of launcher {shown(content.get('name', file.stem))}", key, content)
        return LauncherConfig(_group("launcher", given, file) if options else content, file, frozenset(keys))

    def save(self) -> None:
        """Remember on disk what was composed, where that is possible: `plan` works on a read-only store too."""
        if self._fresh:
            with contextlib.suppress(UserError):
                write_with_checksum(
                    self._file, {key: value for key, value in self._known.items() if key.startswith(self._files)}
                )

    def _compose(self, overrides: Sequence[str]) -> dict[str, Any]:
        """What a run's configuration is before it is validated; launcher options are no part of it."""
        recipe = [text for text in overrides if key_of(text).partition(".")[0] == "recipe"]
        key = self._files + hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:24]
        if not isinstance(self._known.get(key), dict):
            self._known[key] = hydra_compose(recipe)
            self._fresh = True
        plain = [text for text in overrides if key_of(text) in AXES and not is_of_block(text)]
        axes = {key_of(text): plain_value_of(text) for text in plain if literal(text) is None}
        literals = {axis: axis_defaults()[axis] for axis in LITERAL}
        literals |= {key_of(text): value_of(text) for text in plain if literal(text) is not None}
        chosen = blocks.science_fields(list(filter(is_of_block, overrides)), axis_defaults())
        return {**self._known[key], **literals, **axes, **chosen}


def hydra_compose(overrides: Sequence[str], group: str = "recipe") -> dict[str, Any]:
    """The plain composed configuration of runs, without blocks, or with `group="launcher"` a launcher's, at the key `launcher`.

    The user's ./conf adds files of the group and is found first; config.yaml is ours. Hydra is given a folder of its own with
    the files that a look at their YAML has found harmless: it knows no other place, whatever the user's folders are called.

    Raises:
        UserError: unknown keys, groups or values, and files that are broken, where they are needed.
    """
    from hydra import compose, initialize_config_dir
    from hydra.core.override_parser.types import Quote, QuotedString
    from hydra.errors import HydraException, MissingConfigException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    chosen = _group_file(group, overrides)
    composed = [f"{group}={QuotedString(chosen.stem, Quote.single).with_quotes()}"]
    for text in overrides:
        plain_value_of(text)
        if key_of(text) != group:
            composed.append(text)
    refused: dict[str, UserError] = {}
    try:
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(_primary_file(), folder)
            for each in GROUPS:
                Path(folder, each).mkdir()
                if each != group:  # it is left alone: a broken file of it stops nothing
                    Path(folder, each, f"{axis_defaults()[each]}.yaml").write_text("{}")
            for name, file in paths.yaml_files(f"conf/{group}", parts=True).items():
                try:
                    Path(folder, group, file.name).write_text(checked_text(file), encoding="utf-8")
                except UserError as problem:
                    refused[f"{group}/{name}"] = problem
            with initialize_config_dir(folder, version_base="1.3"):
                content = OmegaConf.to_container(compose(PRIMARY, composed), resolve=True)
    except MissingConfigException as problem:
        missing = str(problem.missing_cfg_file).removeprefix("/")
        if missing in refused:
            raise refused[missing] from None
        raise UserError(f"{chosen}: names '{missing}', and there is no {_tried(missing)}") from None
    except (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError, TypeError, RecursionError) as problem:
        said = str(problem).splitlines()[:1]
        raise UserError(f"{chosen}: does not compose with {' '.join(overrides)}: {' '.join(said)}") from None
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items() if key == group or key not in GROUPS}


def _group_file(group: str, overrides: Sequence[str]) -> Path:
    """The file of `conf/<group>` that the overrides choose. Raises `UserError` for any value but the name of one."""
    defaults = axis_defaults()
    name = last_wins([f"{group}={defaults[group]}", *overrides])[group].partition("=")[2]
    files = paths.yaml_files(f"conf/{group}")
    if name not in files:
        raise unknown(group, name, sorted(files), LISTED)
    return files[name]


def _group(group: str, overrides: Sequence[str], file: Path) -> dict[str, Any]:
    """The content of a group alone; Hydra is not loaded for a shipped file as it is."""
    if file.is_relative_to(paths.shipped("conf")) and all(key_of(text) == group for text in overrides):
        content = from_yaml(file.read_text(encoding="utf-8"))
    else:
        content = hydra_compose(overrides, group).get(group)
    if not isinstance(content, dict):
        raise UserError(f"{file}: expected a mapping (key: value)")
    return {str(key): value for key, value in content.items()}


def _tried(missing: str) -> str:
    """Where a part of a configuration is looked for."""
    group, _, name = missing.rpartition("/")
    folders = " or ".join(str(folder) for folder in paths.search(f"conf/{group}")) if group in GROUPS else "conf"
    return f"{name}.yaml in {folders}"


def _validated(content: dict[str, Any], overrides: Sequence[str]) -> tuple[Science, Runtime]:
    """A composed configuration, validated; its data and weights are still only named."""
    content = {key: value for key, value in content.items() if key != "launcher"}
    for axis in MODULES:
        if content.get(axis) not in axis_choices(axis):
            raise unknown_value(axis, shown(content.get(axis)), "{}")
    runtime = {key: content.pop(key) for key in list(content) if key in Runtime.model_fields} | {"weights_file": None}
    if isinstance(root := runtime.get("data_root"), str):
        runtime["data_root"] = str(paths.absolute(root))
    science = _validated_model(Science, content | {"data_id": ""}, overrides)
    if reason := support.unfreezable(science):
        raise UserError(reason)
    how = _validated_model(Runtime, runtime, overrides)
    if science.batch_norm and min(science.recipe.batch, how.micro_batch or science.recipe.batch) < 2:
        raise UserError(
            f"batch_norm=true: a map of one cell has one value per channel in recipe.batch={science.recipe.batch}"
            f"{f' with micro_batch={how.micro_batch}' if how.micro_batch else ''}; use recipe.batch=2 or more, or no batch norm"
        )
    if science.batch_norm and how.micro_batch not in (None, science.recipe.batch):
        raise UserError(
            f"micro_batch={how.micro_batch}: batch_norm=true needs whole batches, that is, micro_batch=null"
        )
    return science, how


def _validated_model(model: type[_Model], content: dict[str, Any], overrides: Sequence[str]) -> _Model:
    try:
        return model.model_validate(content)
    except ValidationError as problem:
        fault, where = first_fault(problem, model), ""
    overridden = any(f"{key_of(text)}.".startswith(f"{fault.key}.") for text in overrides if key_of(text) not in GROUPS)
    if fault.key.partition(".")[0] == "recipe" and not overridden:
        where = f"{_group_file('recipe', overrides)}: "
    valid = axis_choices(fault.key)
    if fault.kind == "extra_forbidden":
        raise UserError(f"{where}{unknown('key', fault.key, [*AXES, *RECIPE_KEYS], LISTED)}")
    if fault.kind == "literal_error" and valid:
        raise UserError(f"{where}{unknown_value(fault.key, shown(fault.value))}")
    if fault.kind == "tuple_type":
        raise UserError(f"{where}{fault}, for example {fault.key}=[{shown(fault.value)}]")
    raise UserError(f"{where}{fault}")


def _identified(science: Science, runtime: Runtime, cache: Path, data_needed: bool) -> RunConfig:
    """The run with its data and weights known by their content; `data_needed`: data have to be here."""
    weights, file = identity.of_weights(science.weights, science.trunk, science.body, cache)
    config = RunConfig(
        science=science.model_copy(update={"weights": weights}),
        runtime=runtime.model_copy(update={"weights_file": file}),
    )
    try:
        data_id = identity.of_data(config, cache)
    except DataNotHere:
        if data_needed:
            raise
        return config
    return config.model_copy(update={"science": config.science.model_copy(update={"data_id": data_id})})


def _primary_file() -> Path:
    return paths.shipped("conf") / f"{PRIMARY}.yaml"


def _conf_fingerprint() -> str:
    """Of all that a run's configuration is composed from; a file that cannot be read is known by what is wrong with it."""
    digest = hashlib.sha256(_primary_file().read_bytes())
    for name, file in sorted(paths.yaml_files("conf/recipe", parts=True).items()):
        try:
            content = read_bytes(file, follow=True)
        except OSError as problem:
            content = str(problem).encode(errors="replace")
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]
