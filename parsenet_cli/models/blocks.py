"""Blocks as modules: those of the package by their names, others once their file has the hash by which a run knows it.

Whatever is loaded here is code that runs. What a results folder says chooses among the package's own, and among those that the
user has in the folder of the command or has installed, where the hash agrees; it cannot name a file.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from parsenet_cli.core import blocks, paths
from parsenet_cli.core.blocks import FOLDERS, GROUPS, Group
from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.core.run_config import Block, Science

_loaded: dict[tuple[str, str, str], ModuleType] = {}


class _Loader(importlib.abc.SourceLoader):
    """Of a file whose content was read already: what runs is what was compared."""

    def __init__(self, file: Path, content: bytes) -> None:
        self._file, self._content = file, content

    def get_filename(self, fullname: str) -> str:
        return str(self._file)

    def get_data(self, path: str | bytes) -> bytes:
        return self._content


def load(group: Group, name: str, code: str = "") -> ModuleType:
    """The module of a block; `code` is the hash of one from outside of the package.

    Raises:
        UserError: there is none, it is not here or has changed, or it cannot be imported: with its own traceback.
    """
    if not code:
        if name not in paths.modules(FOLDERS[group]):
            raise unknown(group, name, blocks.names(group))
        return importlib.import_module(f"{__name__.partition('.')[0]}.{FOLDERS[group].replace('/', '.')}.{name}")
    key = (group, name, code)
    if key not in _loaded:
        found, content = blocks.with_code(group, name, code)
        assert found.module is not None
        try:
            _loaded[key] = (
                importlib.import_module(found.import_name) if found.import_name else _executed(found, content)
            )
        except (Exception, SystemExit) as problem:
            raise _of_the_user(found.module, "cannot be imported", problem) from None
        if not callable(getattr(_loaded[key], "build", None)):
            raise UserError(f"{found.module}: there is no function build(channels, …), which makes the {group}; add it")
    return _loaded[key]


def build(group: Group, science: Science, channels: int) -> nn.Module:
    """The block of a group over a tap of so many channels: `build(channels, **options)` of its module.

    Raises:
        UserError: what `load` raises; a block from outside that cannot be built, with its own traceback.
    """
    name = {"context": science.context, "gate": science.gate}[group]
    chosen = science.block(group)
    made = make(group, name, chosen, channels)
    if not isinstance(made, nn.Module):
        raise UserError(
            f"{group}={name}: its build(channels, …) has to return a torch.nn.Module, not {type(made).__name__}"
        )
    return made


def make(group: Group, name: str, chosen: Block, channels: int) -> Any:
    """What a block's module builds with these options, for `channels`."""
    module = load(group, name, chosen.code)
    try:
        return module.build(channels, **chosen.options)
    except UserError:
        raise
    except Exception as problem:
        if not chosen.code:
            raise
        raise _of_the_user(
            Path(str(module.__file__)), f"cannot build the {group} for {channels} channels", problem
        ) from None


def check(sciences: Iterable[Science]) -> None:
    """Import the blocks from outside that these runs need, and build each once without memory, before anything is written.

    Raises:
        UserError: what `build` raises.
    """
    import torch

    distinct = {
        (group, repr(block)): science
        for science in sciences
        for group in GROUPS
        if (block := science.block(group)).code
    }
    for (group, _), science in distinct.items():
        with torch.device("meta"), torch.random.fork_rng(devices=[]):
            build(group, science, 64)


def _executed(found: blocks.Block, content: bytes) -> ModuleType:
    """The user's own file as a module, which is no part of any package."""
    assert found.module is not None
    name = f"{blocks.OWN}.{found.group}.{found.name}"
    spec = importlib.util.spec_from_loader(name, loader := _Loader(found.module, content))
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look for theirs
    loader.exec_module(module)
    return module


def _of_the_user(file: Path, what: str, problem: BaseException) -> UserError:
    """The error of somebody else's code, with its traceback from that file on."""
    lines = traceback.format_exception_only(problem)
    frames = traceback.extract_tb(problem.__traceback__)
    first = next((i for i, frame in enumerate(frames) if frame.filename == str(file)), len(frames))
    told = "".join([*traceback.format_list(frames[first:]), *lines]).rstrip()
    return UserError(f"{file}: {what}:\n{told}")
