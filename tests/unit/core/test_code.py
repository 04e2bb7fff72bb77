"""Which code made a result: edits that compute other numbers are seen, those that do not are not."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from parsenet_cli.core import code, paths
from parsenet_cli.core.code import OTHER, UNKNOWN, Code
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.core.sealed import read_verified
from tests.conftest import changed

VGG = ("data/sets/voc12", "models/trunks/vgg16", "models/context/global")
SQUEEZENET = ("data/sets/voc12", "models/trunks/squeezenet", "models/context/global")
PRETRAINED = ("data/sets/synthetic_voc", "models/trunks/vgg_tiny", "engine/pretrain")
EVERY = (VGG, SQUEEZENET, PRETRAINED)

Edit = Callable[[str, str, str], None]


@pytest.fixture(scope="module")
def remembered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was tokenised, for all tests: they edit a file each."""
    return tmp_path_factory.mktemp("remembered")


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    package = tmp_path_factory.mktemp("copied") / "package"
    return shutil.copytree(paths.PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))


@pytest.fixture
def package(copied: Path) -> Iterator[Path]:
    """A copy of the package that may be edited; what was is undone."""
    yield copied
    for file in paths.PACKAGE.rglob("*.py"):
        copy = copied / file.relative_to(paths.PACKAGE)
        if not copy.is_file() or copy.stat().st_mtime_ns != file.stat().st_mtime_ns:
            shutil.copy2(file, copy)


@pytest.fixture
def edit(package: Path) -> Edit:
    def replace(module: str, old: str, new: str) -> None:
        file = package / f"{module}.py"
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))

    return replace


@pytest.fixture
def identities(package: Path, remembered: Path) -> Callable[[], list[str]]:
    """Of a run with each of these modules, by the code as it is now."""

    def look() -> list[str]:
        now = Code(remembered, code.read_sources(package))
        return [now.identity(modules) for modules in EVERY]

    return look


def test_identities_are_twelve_digits_and_runs_of_other_modules_have_others(
    identities: Callable[[], list[str]],
) -> None:
    found = identities()
    assert found == identities()
    assert len(set(found)) == 3
    assert all(len(each) == 12 and int(each, 16) >= 0 for each in found)


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("engine/loss", "from __future__", "# a comment\nfrom __future__"),
        ("engine/loss", '"""', '"""Another docstring. '),
        ("engine/train", "def check_sizes(", "\n\n\ndef check_sizes("),
        ("engine/train", "max(1, steps // 50)", "max(\n            1,  steps//50\n        )  # here"),
        ("engine/train", 'KEPT_PREDICTIONS = 24\n"""', 'KEPT_PREDICTIONS = 24\n\n"""More of '),
        ("models/norm", "        return ", '        """Says more."""\n        return '),
        ("engine/probe", "STEPS = ", "STEPS = 1 + "),
        ("engine/environment", "CUDA_MB = 800", "CUDA_MB = 900"),
        ("core/download", "import ", "import abc\nimport "),
        ("core/sealed", "_CHUNK = 1 << 20", "_CHUNK = 1 << 21"),
        ("models/weights/addresses", "2026-11", "2027-01"),
        ("data/releases/voc12", "import ", "import abc\nimport "),
        ("data/sets/camvid", "import ", "import abc\nimport "),
        ("report/blocks", "import ", "import abc\nimport "),
        ("store/run", "import ", "import abc\nimport "),
    ],
)
def test_an_edit_that_computes_nothing_else_changes_nothing(
    identities: Callable[[], list[str]], edit: Edit, module: str, old: str, new: str
) -> None:
    before = identities()
    edit(module, old, new)
    assert identities() == before


@pytest.mark.parametrize(
    ("module", "old", "new", "whose"),
    [
        ("engine/loss", "1", "2", EVERY),
        ("models/norm", "x * x", "x * x * x", EVERY),
        ("data/batches", " + ", " - ", EVERY),
        ("core/metrics", " / ", " * ", EVERY),
        ("models/trunks/squeezenet", "3", "5", (SQUEEZENET,)),
        ("models/vgg", "position + 2", "position + 3", (VGG, PRETRAINED)),
        ("data/synthetic/objects", "0.5", "0.6", (PRETRAINED,)),
        ("models/context/global", "mean", "amax", (VGG, SQUEEZENET)),
    ],
)
def test_an_edited_formula_changes_the_runs_that_it_computes(
    identities: Callable[[], list[str]],
    package: Path,
    module: str,
    old: str,
    new: str,
    whose: tuple[tuple[str, ...], ...],
) -> None:
    before = identities()
    file = package / f"{module}.py"
    head, formula, tail = file.read_text().rpartition(old)  # the last one stands in code
    assert formula
    file.write_text(f"{head}{new}{tail}")
    changed_ones = tuple(m for m, old, new in zip(EVERY, before, identities(), strict=True) if old != new)
    assert changed_ones == whose


def test_what_is_imported_for_types_alone_does_not_count_and_what_is_inside_a_function_does(tmp_path: Path) -> None:
    def identity(extra: str) -> str:
        sources = {
            "engine/train": b"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from parsenet_cli.data import typed\n"
            b"def train():\n    from parsenet_cli.data import used\n",
            "data/typed": f"x = {extra if extra == 'typed' else 0}".encode(),
            "data/used": f"x = {extra if extra == 'used' else 0}".encode(),
        }
        return Code(tmp_path, sources).identity(())

    assert identity("") == identity("typed") != identity("used")


def test_the_exceptions_are_modules_that_there_are() -> None:
    assert all((paths.PACKAGE / f"{module}.py").is_file() for module in code.LEFT_OUT)


def test_a_module_that_is_broken_or_gone_is_other_code(identities: Callable[[], list[str]], package: Path) -> None:
    before = identities()
    (package / "engine" / "loss.py").write_text("def broken(:\n")
    broken = identities()
    (package / "engine" / "loss.py").unlink()
    assert len({before[0], broken[0], identities()[0]}) == 3


def test_a_look_tokenises_nothing_twice_and_works_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = Code(tmp_path).identity(VGG)
    blocked = tmp_path / "file" / "cache"
    blocked.parent.touch()
    assert Code(blocked).identity(VGG) == identity
    remembered = tmp_path / "code.json"
    assert read_verified(remembered)
    monkeypatch.setattr(code, "_tokens_and_imports", pytest.fail)
    assert Code(tmp_path).identity(VGG) == identity
    monkeypatch.undo()
    remembered.write_text(remembered.read_text().replace("models/", "molels/"))
    assert Code(tmp_path).identity(VGG) == identity, "a damaged one is not believed"


def test_a_result_is_made_by_this_code_by_other_or_by_unknown(tmp_path: Path, remembered: Path) -> None:
    now = Code(remembered)
    identity = now.identity(VGG)
    assert now.remark(identity, VGG) == ""
    assert now.remark(f"{identity}+0123456789ab", VGG) == now.remark(identity, SQUEEZENET) == OTHER
    assert now.remark("", VGG) == UNKNOWN
    assert code.told(["", "", OTHER, UNKNOWN]) == [f"Results: 1 of 4 {OTHER}, 1 of 4 {UNKNOWN}; {code.REMEDY}."]
    assert code.told(["", ""]) == []


def test_code_that_was_edited_while_a_process_ran_is_no_code_of_its_own(
    config: RunConfig, package: Path, edit: Edit, remembered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have imported either: a fork server has most of it for hours."""
    at_first = code.read_sources(package)
    monkeypatch.setattr(code, "loaded", lambda: at_first)
    monkeypatch.setattr(code, "read_sources", lambda read=code.read_sources: read(package))
    before = code.made_by(config.science, remembered)
    edit("engine/loss", "from __future__", "# a comment\nfrom __future__")
    assert code.made_by(config.science, remembered) == before
    edit("engine/loss", "import annotations", "import annotations\nedited = 1")
    assert code.made_by(config.science, remembered).startswith(f"{before}+")


def test_a_run_names_its_own_modules(config: RunConfig) -> None:
    assert code.modules_of(config.science) == (
        "data/sets/synthetic_voc",
        "models/trunks/vgg_tiny",
        "models/context/global",
    )
    assert code.modules_of(changed(config, layers=("fc7",), weights="pretrained:1").science)[2:] == ("engine/pretrain",)


def test_what_a_number_is_made_by_that_two_codes_have_made() -> None:
    assert code.joined(["a", "a"]) == "a"
    assert code.joined(["a", "b"]) == "a+b"
    assert code.joined(["", "b"]) == ""
