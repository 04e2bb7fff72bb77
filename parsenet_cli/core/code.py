"""Which code made a number: a hash of the modules that a run's training and evaluation import.

A module counts by its tokens: comments, docstrings and layout change nothing. Imports are followed from `engine/train`, those
inside of functions too, through the rooms that compute numbers; to these come the run's own modules, which are found by their
names. What a user configures is in the signature, and the versions of libraries are in the run's environment.
"""

from __future__ import annotations

import ast
import hashlib
import io
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from parsenet_cli.core import paths
from parsenet_cli.core.blocks import NONE
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import read_bytes
from parsenet_cli.core.run_config import Science
from parsenet_cli.core.sealed import read_verified, write_with_checksum

ROOMS = ("core", "data", "models", "engine")
"""Where numbers are computed."""

LEFT_OUT = frozenset(
    f"core/{name}"
    for name in (
        *(
            "address",
            "blocks",
            "bounds",
            "code",
            "download",
            "errors",
            "files",
            "memory",
            "npz",
            "paths",
            "sealed",
            "text",
        ),
        "yaml_text",
    )
) | {"engine/environment", "engine/trained_model", "models/weights/addresses"}
"""What reads, writes, records and says where files are, and computes nothing: files are checked by what is in them."""

OTHER, UNKNOWN = "made by other code", "unknown code"
REMEDY = "--rerun-stale trains anew and keeps the old result beside"

Sources = Mapping[str, bytes]
"""Module as a path in the package without its suffix (`engine/loss`, `data/sets/__init__`) -> its content."""

_TRAINING = "engine/train"
_PRETRAINING = "engine/pretrain"
_MOST_REMEMBERED = 2000
_LAYOUT = frozenset({tokenize.COMMENT, tokenize.NL, tokenize.ENCODING})
_NAMELESS = frozenset({tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER})


def modules_of(science: Science) -> tuple[str, ...]:
    """A run's own modules: those that its configuration names. A block from outside is known by its hash, in the science."""
    return (
        f"data/sets/{science.data}",
        f"models/trunks/{science.trunk}",
        *(
            [f"models/context/{science.context}"]
            if "pool6" in science.layers and not science.block("context").code
            else []
        ),
        *([f"models/gate/{science.gate}"] if science.gate != NONE and not science.block("gate").code else []),
        *([_PRETRAINING] if science.weights.startswith("pretrained") else []),
    )


def read_sources(package: Path = paths.PACKAGE) -> Sources:
    """The modules that may count, as they are on the disk now."""
    files = {
        file.relative_to(package).with_suffix("").as_posix(): file for room in ROOMS for file in _python(package / room)
    }
    return {module: read_bytes(file, follow=True) for module, file in sorted(files.items()) if module not in LEFT_OUT}


@lru_cache(maxsize=1)
def loaded() -> Sources:
    """The modules as they were when this was first called: a process calls it before it imports them."""
    return read_sources()


def made_by(science: Science, cache: Path) -> str:
    """The identity of the code that this process carries a run out with.

    Where the files were edited since it began, it may have loaded either: both are named, which is no code's identity.
    """
    modules = modules_of(science)
    return joined([Code(cache, sources).identity(modules) for sources in (loaded(), read_sources())])


def joined(identities: Iterable[str]) -> str:
    """What a number is made by that was begun by one code and finished by another; empty where one of them is not known."""
    distinct = list(dict.fromkeys(identities))
    return "" if "" in distinct else "+".join(distinct)


def told(remarks: Iterable[str]) -> list[str]:
    """A sentence on results of which some have a remark, or nothing."""
    every = list(remarks)
    counts = Counter(filter(None, every))
    parts = ", ".join(f"{count} of {len(every)} {remark}" for remark, count in counts.items())
    return [f"Results: {parts}; {REMEDY}."] if counts else []


class Code:
    """The code as it is, looked at for one command.

    To tokenise it takes half a second: what was found is remembered in `<cache>/code.json` by the content of each file.
    """

    def __init__(self, cache: Path, sources: Sources | None = None) -> None:
        self._sources = read_sources() if sources is None else sources
        self._file = cache / "code.json"
        self._known: dict[str, Any] | None = None
        self._looked: dict[str, tuple[str, list[str]]] = {}
        self._identities: dict[tuple[str, ...], str] = {}

    def identity(self, modules: Sequence[str]) -> str:
        """Twelve hexadecimal digits for the code of a run with these modules of its own."""
        own = tuple(modules)
        if own not in self._identities:
            digests = "".join(f"{module} {self._look(module)[0]}\n" for module in self._reached(own))
            self._identities[own] = hashlib.sha256(digests.encode()).hexdigest()[:12]
            self._remember()
        return self._identities[own]

    def remark(self, code: str, modules: Sequence[str]) -> str:
        """What is to be said of a result that was made by `code`; empty where it is made by this one."""
        if not code:
            return UNKNOWN
        return "" if code == self.identity(modules) else OTHER

    def _reached(self, own: Sequence[str]) -> list[str]:
        """The modules that count for a run, by name; one that is missing counts as such."""
        roots = [f"{name}/__init__" if f"{name}/__init__" in self._sources else name for name in (_TRAINING, *own)]
        reached, waiting = set(roots), list(roots)
        while waiting:
            module = waiting.pop()
            packages = [f"{module[:i]}/__init__" for i, character in enumerate(module) if character == "/"]
            imported = {self._resolved(name) for name in self._look(module)[1]} | set(packages) & self._sources.keys()
            new = {name for name in imported - reached if name is not None and name != _PRETRAINING}
            reached |= new
            waiting += new
        return sorted(reached)

    def _resolved(self, name: str) -> str | None:
        """The module that `a/b/c` is, or that c is a part of; None where it does not count."""
        parent = name.rpartition("/")[0]
        candidates = (name, f"{name}/__init__", parent, f"{parent}/__init__")
        return next((each for each in candidates if each in self._sources), None)

    def _look(self, module: str) -> tuple[str, list[str]]:
        """The digest of a module's tokens, and what it imports from the package."""
        if module not in self._sources:
            return "missing", []
        if module not in self._looked:
            content = self._sources[module]
            key = hashlib.sha256(f"{module}\0".encode() + content).hexdigest()[:32]
            match self._remembered.get(key):
                case [str(digest), [*imports]] if all(isinstance(name, str) for name in imports):
                    self._looked[module] = digest, imports
                case _:
                    self._looked[module] = digest, imports = _tokens_and_imports(module, content)
                    self._remembered[key] = [digest, imports]
        return self._looked[module]

    @property
    def _remembered(self) -> dict[str, Any]:
        if self._known is None:
            self._known = read_verified(self._file) or {}
            self._written = len(self._known)
        return self._known

    def _remember(self) -> None:
        """Where that is possible: a look works on a read-only folder too."""
        if len(self._remembered) > self._written:
            self._written = len(self._remembered)
            with suppress(UserError, OSError):
                write_with_checksum(self._file, dict(list(self._remembered.items())[-_MOST_REMEMBERED:]))


def _python(folder: Path) -> Iterator[Path]:
    return (file for file in folder.rglob("*.py") if file.is_file())


def _tokens_and_imports(module: str, content: bytes) -> tuple[str, list[str]]:
    try:
        content = content.replace(b"\r\n", b"\n")
        tree = ast.parse(content)
        digest = hashlib.sha256("\0".join(_tokens(content, tree)).encode()).hexdigest()[:16]
    except (SyntaxError, ValueError, tokenize.TokenError):  # no process can have loaded it
        return hashlib.sha256(content).hexdigest()[:16], []
    return digest, sorted(set(_imports(module, tree)))


def _tokens(content: bytes, tree: ast.Module) -> Iterator[str]:
    """The tokens that say something: no comment, no blank, no string that stands for itself.

    The text of an f-string is one token, as it was before Python 3.12.
    """
    prose = {
        (node.lineno, node.col_offset)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }
    begins, ends = getattr(tokenize, "FSTRING_START", -1), getattr(tokenize, "FSTRING_END", -1)
    depth, first, in_prose = 0, (0, 0), False
    lines = content.decode("utf-8-sig").split("\n")
    for token in tokenize.tokenize(io.BytesIO(content).readline):
        if token.type == begins:
            first = first if depth else token.start
            depth += 1
        elif token.type == ends:
            depth -= 1
            if not depth:
                yield _between(lines, first, token.end)
        elif depth or token.type in _LAYOUT:
            continue
        elif token.type == tokenize.STRING and token.start in prose:
            in_prose = True
        elif token.type in _NAMELESS:
            if not (in_prose and token.type == tokenize.NEWLINE):
                yield tokenize.tok_name[token.type]
            in_prose = False
        else:
            yield token.string


def _between(lines: Sequence[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """The text from one position to another, lines counted from 1."""
    text = list(lines[start[0] - 1 : end[0]])
    text[-1] = text[-1][: end[1]]
    text[0] = text[0][start[1] :]
    return "\n".join(text)


def _imports(module: str, tree: ast.AST) -> Iterator[str]:
    """Everything that is imported from the package when it runs, as paths in it: `from parsenet_cli.a import b` is `a/b`."""
    own = f"{__name__.partition('.')[0]}."
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).rpartition(".")[2] == "TYPE_CHECKING":
            yield from _imports(module, ast.Module(node.orelse, []))
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                folder = "/".join(module.split("/")[: -node.level])
                base = own + ".".join(filter(None, [*folder.split("/"), base]))
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            yield from _imports(module, node)
            continue
        yield from (name.removeprefix(own).replace(".", "/") for name in names if name.startswith(own))
