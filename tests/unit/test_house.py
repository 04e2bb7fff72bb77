"""The package's one rule: ten rooms, imports that go down only, guests that stay in their room (docs/architecture.md).

Imports inside functions and under TYPE_CHECKING count like any other.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping

import pytest

from parsenet_cli.core import paths

FLOORS = (("cli",), ("runner", "report"), ("engine", "claims"), ("store",), ("config",), ("models", "data"), ("core",))
"""From the top. A room imports from lower floors only; rooms of one floor do not know each other."""

FACES = ("__init__", "__main__", "worker")
"""Modules of the package itself: what users and queued jobs name."""

GUESTS = {
    "typer": ("cli",),
    "rich": ("cli", "report/formats/terminal"),
    "hydra": ("config",),
    "submitit": ("runner/launch/slurm",),
    "matplotlib": ("report",),
    "cycler": ("report",),
    "jinja2": ("report",),
    "pandas": ("store/frame", "report"),
    "torch": ("engine", "models", "data"),
    "torchvision": ("engine", "models", "data"),
}
"""Libraries, and where they may be imported."""

FOUND_BY_NAME = (
    "data/sets",
    "data/releases",
    "models/trunks",
    "runner/launch",
    "report/formats",
    "report/figures",
)
"""Folders whose files are found by their names; no other module is named by a string."""

LOADERS = ("models/blocks", *(f"{folder}/__init__" for folder in FOUND_BY_NAME))
"""What imports by a string: these folders, and what loads blocks, those from outside once their hash was compared."""

FILE_NAMES = re.compile(
    r"\b(result|status|env|job)\.json\b|metrics\.jsonl|\blog\.txt|checkpoint(\.previous)?\.pt"
    r"|model\.safetensors|(confusion|predictions)\.npz"
)
"""Names of files of the results folder: only `store` knows them."""

FOLDER_NAMES = ("runs", "studies", "samples", "figures", "tables", "cache")
"""Folders of the results folder, as the right side of a path's `/`."""

Sources = Mapping[str, str]
"""Module as a path in the package without its suffix (`store/run`, `data/sets/__init__`) -> its text."""

Rule = Callable[[Sources], list[str]]


def room(module: str) -> str:
    return module.partition("/")[0]


def floor(module: str) -> int:
    """Counted from the top; the faces of the package stand above all rooms."""
    return next((i for i, rooms in enumerate(FLOORS) if room(module) in rooms), -1)


def statements(text: str) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that is imported: `from a import b` is `a.b`."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def imports(module: str, text: str, known: Sources) -> Iterator[tuple[int, str]]:
    """Line and module of every import from the package, as a key of `known`."""
    for line, name in statements(text):
        if name.startswith("parsenet_cli."):
            path = name.removeprefix("parsenet_cli.").replace(".", "/")
            parent = path.rpartition("/")[0]
            candidates = (path, f"{path}/__init__", parent, f"{parent}/__init__")
            imported = next((candidate for candidate in candidates if candidate in known), "__init__")
            if imported != module:
                yield line, imported


def upward(sources: Sources) -> list[str]:
    """Imports that do not go down, and modules that stand in no room."""
    violations = [f"{module}: stands in no room" for module in sources if floor(module) < 0 and module not in FACES]
    for module, text in sources.items():
        for line, other in imports(module, text, sources):
            if room(other) != room(module) and floor(other) <= floor(module):
                violations.append(f"{module}:{line} imports {other}")
    return violations


def circles(sources: Sources) -> list[str]:
    """Modules that import each other, by whatever way."""
    graph = {module: {other for _, other in imports(module, text, sources)} for module, text in sources.items()}
    violations, done = [], set[str]()

    def visit(module: str, way: tuple[str, ...]) -> None:
        if module in way:
            violations.append(" -> ".join([*way[way.index(module) :], module]))
        elif module not in done:
            for other in sorted(graph[module]):
                visit(other, (*way, module))
            done.add(module)

    for module in graph:
        visit(module, ())
    return violations


def strayed_guests(sources: Sources) -> list[str]:
    """Libraries that are imported where they do not belong."""
    return [
        f"{module}:{line} imports {guest}"
        for module, text in sources.items()
        for line, guest in sorted({(line, name.partition(".")[0]) for line, name in statements(text)})
        if guest in GUESTS and not any(f"{module}/".startswith(f"{home}/") for home in GUESTS[guest])
    ]


def named_by_strings(sources: Sources) -> list[str]:
    """Imports by a string, and from a text, outside of `LOADERS`."""
    return [
        f"{module}:{node.lineno} imports by a string"
        for module, text in sources.items()
        if module not in LOADERS
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "exec_module"))
    ]


def file_names(sources: Sources) -> list[str]:
    """Strings outside of `store` that name a file of the results folder, and ways up from one."""
    violations = []
    for module, text in sources.items():
        tree = ast.parse(text)
        prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
                if room(module) != "store" and FILE_NAMES.search(node.value):
                    violations.append(f"{module}:{node.lineno} names {node.value!r}")
            elif isinstance(node, ast.Attribute) and ast.unparse(node).endswith("parent.parent"):
                violations.append(f"{module}:{node.lineno} goes up two folders")
            elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and room(module) != "store":
                name = node.right.value if isinstance(node.right, ast.Constant) else None
                if name in FOLDER_NAMES:
                    violations.append(f"{module}:{node.lineno} names the folder {name!r}")
    return violations


RULES = (upward, circles, strayed_guests, named_by_strings, file_names)


@pytest.fixture(scope="module")
def house() -> dict[str, str]:
    files = sorted(paths.PACKAGE.rglob("*.py"))
    return {file.relative_to(paths.PACKAGE).with_suffix("").as_posix(): file.read_text() for file in files}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_its_rule(rule: Rule, house: dict[str, str]) -> None:
    assert rule(house) == []


def test_there_are_ten_rooms_and_no_other_module(house: dict[str, str]) -> None:
    rooms = {room(module) for module in house if "/" in module}
    assert rooms == {name for floor in FLOORS for name in floor}
    assert len(rooms) == 10
    assert {module for module in house if "/" not in module} == set(FACES)


@pytest.mark.parametrize(
    ("module", "turned", "rule"),
    [
        ("core/errors", "from parsenet_cli.store.run import Run", upward),
        ("runner/retry", "def f():\n    from parsenet_cli.report import blocks", upward),
        ("core/text", "from parsenet_cli.core import download", circles),
        ("store/run", "import torch", strayed_guests),
        ("claims/judge", "import importlib\nimportlib.import_module('parsenet_cli.report')", named_by_strings),
        ("report/tables", "FILE = 'result.json'", file_names),
        ("runner/clean", "FOLDER = root / 'runs'", file_names),
        ("engine/train", "ROOT = folder.parent.parent", file_names),
    ],
)
def test_a_turned_import_is_seen(module: str, turned: str, rule: Rule, house: dict[str, str]) -> None:
    changed = {**house, module: f"{house[module]}\n{turned}\n"}
    assert len(rule(changed)) > len(rule(house)), f"{rule} does not see it"
