"""Blocks: parts of a network that a name chooses (docs/blocks.md). Where they are; nothing of them is imported here.

A group is one folder of `conf/` and one of the package; a block is a YAML file and a Python file of the same name in these. Those
of the package are found first and always win. Then come the user's own, `./parsenet_blocks/<group>/<name>.py` with
`./conf/<group>/<name>.yaml`, then those that installed packages offer as entry points `parsenet.<group>`.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from parsenet_cli.core import paths
from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.core.files import read_bytes

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Group = Literal["context", "gate"]
GROUPS: tuple[Group, ...] = get_args(Group)

FOLDERS: dict[Group, str] = {"context": "models/context", "gate": "models/gate"}
"""Of the package."""

SAYS: dict[Group, str] = {
    "context": "what pool6 is, where it is among the layers",
    "gate": "what changes the taps of gate_layers before they are read",
}

NONE = "none"
"""The name of no block, in a group that has it among its files of `conf/`."""

OWN = "parsenet_blocks"
"""The folder of the user's own modules."""

NAME = r"[a-z][a-z0-9_]{0,49}"
"""Of a block, and of its options."""

_folder: Path | None = None


@dataclass(frozen=True)
class Block:
    """Where a block is.

    Attributes:
        origin: `built in`, the user's folder, or the installed package.
        module: Its Python file; None of `none`.
        schema: Its YAML file.
        import_name: Of the module, where it is an installed package's.
    """

    group: Group
    name: str
    origin: str
    module: Path | None
    schema: Path
    import_name: str = ""

    @property
    def built_in(self) -> bool:
        return self.origin == "built in"

    @property
    def code(self) -> str:
        """The hash of its Python file, by which runs know it; empty for one of the package. Raises `UserError`."""
        return "" if self.built_in or self.module is None else hash_of(content_of(self.module))


def look_in(folder: Path) -> None:
    """From now on the user's own blocks are those of this folder, wherever the process stands."""
    global _folder
    _folder = folder


def folder() -> Path:
    """Where the user's own blocks are: below the current folder, or that which a command has handed to its worker."""
    return _folder or Path.cwd()


def names(group: Group) -> list[str]:
    """The blocks that can be chosen, of wherever they come from."""
    return sorted({*_built_in(group), *_own(group), *_offered(group)})


def every(group: Group) -> Iterator[Block | UserError]:
    """All of them, those of the package first; what cannot be chosen, as the sentence that says why."""
    built_in, own = _built_in(group), _own(group)
    listed = [*built_in, *sorted({*own, *_offered(group)} - {*built_in}), *sorted({*own} & {*built_in})]
    for i, name in enumerate(listed):
        try:
            yield find(group, name) if i >= len(built_in) else _shipped(group, name)
        except UserError as problem:
            yield problem


def find(group: Group, name: str) -> Block:
    """The block of this name.

    Raises:
        UserError: there is none, a file of it is missing, or a file of the user's has the name of one of the package.
    """
    own = _own_files(group, name) if re.fullmatch(NAME, name) else None
    if name in _built_in(group):
        for file in filter(None, own or ()):
            raise UserError(
                f"{file}: '{name}' is a {group} of parsenet itself, which always wins; give the file another name"
            )
        return _shipped(group, name)
    if own:
        module, schema = own
        if module and schema:
            return Block(group, name, f"./{OWN}", module, schema)
        if module or schema:
            there, lacking = (module, f"conf/{group}/{name}.yaml") if module else (schema, f"{OWN}/{group}/{name}.py")
            raise UserError(
                f"{there}: there is no {folder() / lacking} beside it; `parsenet new {group} NAME` writes both"
            )
        if entry := _offered(group).get(name):
            return _installed(group, name, entry)
    raise unknown(group, name, names(group), "parsenet list")


def with_code(group: Group, name: str, code: str) -> tuple[Block, bytes]:
    """The block from outside of the package by which a run was planned, and the content of its file, which has this hash.

    Raises:
        UserError: it is not here, or is no longer what it was; with what to do.
    """
    try:
        block = find(group, name)
    except UserError as problem:
        raise UserError(
            f"{group}={name}: the run needs this block, and it is not here ({problem}). Issue the command in the folder that has "
            f"{OWN}/{group}/{name}.py, or install the package that it came from"
        ) from None
    content = content_of(block.module) if block.module else b""
    if block.built_in or hash_of(content) != code:
        raise UserError(
            f"{block.module}: its content is not the one that the run was planned with ({group}={name}, {code}): it was "
            "changed since. Restore it; or, if the change is meant, issue the command again, which plans another run"
        )
    return block, content


def hash_of(content: bytes) -> str:
    """Sixteen hexadecimal digits for the content of a block's Python file."""
    return hashlib.sha256(content).hexdigest()[:16]


def content_of(module: Path) -> bytes:
    """Of a block's Python file. Raises `UserError` where it cannot be read."""
    try:
        return read_bytes(module, follow=True)
    except OSError as problem:
        raise UserError(f"{module}: cannot be read: {problem.strerror}") from None


def _built_in(group: Group) -> list[str]:
    without = [NONE] if os.path.exists(_schema(group, NONE)) else []  # noqa: PTH110
    return [*without, *paths.modules(FOLDERS[group])]


def _shipped(group: Group, name: str) -> Block:
    module = None if name == NONE else paths.PACKAGE / FOLDERS[group] / f"{name}.py"
    return Block(group, name, "built in", module, _schema(group, name))


def _schema(group: Group, name: str) -> Path:
    return paths.shipped("conf") / group / f"{name}.yaml"


def _own(group: Group) -> list[str]:
    """The names of the user's modules."""
    try:
        files = sorted(file.name for file in (folder() / OWN / group).iterdir())
    except OSError:
        return []
    return [file[:-3] for file in files if re.fullmatch(rf"{NAME}\.py", file)]


def _own_files(group: Group, name: str) -> tuple[Path | None, Path | None]:
    """Module and YAML of the user's, each where it is there. What is shipped is not the user's, also in a clone."""
    own = folder()
    module, schema = own / OWN / group / f"{name}.py", own / "conf" / group / f"{name}.yaml"
    ours = name in _built_in(group) and schema.exists() and schema.samefile(_schema(group, name))
    is_own = os.path.lexists(schema) and not ours
    return module if os.path.lexists(module) else None, schema if is_own else None


@cache
def _offered(group: Group) -> dict[str, EntryPoint]:
    """What installed packages offer. To look takes some hundredths of a second, which only a name from outside costs."""
    from importlib.metadata import entry_points

    offered = sorted(entry_points(group=f"parsenet.{group}"), key=lambda entry: (entry.name, entry.value))
    return {entry.name: entry for entry in offered if re.fullmatch(NAME, entry.name)}


def _installed(group: Group, name: str, entry: EntryPoint) -> Block:
    package, *inner = entry.value.split(".")
    spec = find_spec(package)  # of the top package, which imports nothing
    places = list(spec.submodule_search_locations or []) if spec else []
    files = [Path(place, *inner).with_suffix(".py") for place in places] if inner else []
    if spec and spec.origin and not inner:
        files.append(Path(spec.origin))
    origin = f"{entry.dist.name} {entry.dist.version}" if entry.dist else package
    for module in filter(os.path.isfile, files):
        schema = module.with_suffix(".yaml")
        if not schema.is_file():
            raise UserError(f"{module}: there is no {schema.name} beside it: the package {origin} is incomplete")
        return Block(group, name, origin, module, schema, entry.value)
    raise UserError(f"{group}={name}: the package {origin} offers it as {entry.value}, and there is no such file")
