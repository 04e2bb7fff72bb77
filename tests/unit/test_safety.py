"""Nothing that comes from elsewhere can run code, nothing secret is recorded, and a group can share a store."""

from __future__ import annotations

import ast
import functools
import json
import os
import re
import stat
import subprocess
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from parsenet_cli.claims.cells import Untestable, read_confusions
from parsenet_cli.config import profile, table_file
from parsenet_cli.config.compose import hydra_compose
from parsenet_cli.core import paths
from parsenet_cli.core.errors import UserError
from parsenet_cli.engine import checkpoint, environment, trained_model
from parsenet_cli.engine.checkpoint import TrainState
from parsenet_cli.models.weights import read as weights
from parsenet_cli.store import frame, samples
from parsenet_cli.store.result import RunResult
from parsenet_cli.store.run import Run, Store
from tests.conftest import SHORT, command
from tests.conftest import environment as environment_of


class Bomb:
    """What makes a folder when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[Path]:
    """The folder that must not come into being."""
    folder = tmp_path / "code-has-run"
    yield folder
    assert not folder.exists()


def test_bomb_goes_off_where_pickles_are_believed(tmp_path: Path) -> None:
    """Otherwise the tests below could not fail."""
    torch.save(Bomb(tmp_path / "gone-off"), tmp_path / "bomb.pt")
    torch.load(tmp_path / "bomb.pt", weights_only=False)
    assert (tmp_path / "gone-off").is_dir()


def test_checkpoint_cannot_run_code(run: Run, mark: Path) -> None:
    file = run.checkpoints[0]
    torch.save({"model": Bomb(mark)}, file)
    file.write_bytes(file.read_bytes() + f"crc32={zlib.crc32(file.read_bytes()):08x}".encode())
    model = torch.nn.Linear(1, 1)
    progress = TrainState()
    checkpoint.restore(run, model, None, progress)  # type: ignore[arg-type]
    assert progress == TrainState()
    assert not file.exists()


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".safetensors"])
def test_weights_file_cannot_run_code(tmp_path: Path, mark: Path, suffix: str) -> None:
    file = tmp_path / f"weights{suffix}"
    torch.save({"conv1.weight": Bomb(mark)}, file)
    with pytest.raises(UserError, match=file.name):
        weights.load(file)


def test_kept_model_cannot_run_code(run: Run, mark: Path) -> None:
    torch.save({"conv1.weight": Bomb(mark)}, run.model_file)
    with pytest.raises(UserError):
        trained_model.load_model(run)


def test_arrays_of_a_run_cannot_run_code(run: Run, mark: Path) -> None:
    array = np.array([Bomb(mark)], dtype=object)
    np.savez(run.confusions_file, confusions=array, ids=array)
    np.savez(run.folder / "samples.npz", ids=array, photo0=array, truth0=array)
    with pytest.raises(Untestable):
        read_confusions(run)
    with pytest.raises(UserError, match="allow_pickle"):
        frame.score(run, RunResult(run.signature, "converged", classes=["a"]), "mean_iu")
    assert samples.read(run.folder / "samples.npz") == {}


YAML_BOMB = "!!python/object/apply:os.mkdir ['{}']\n"


def test_configuration_of_a_run_cannot_run_code(run: Run, mark: Path) -> None:
    run.config_file.write_text(f"science: {YAML_BOMB.format(mark)}")
    with pytest.raises(UserError, match=r"config\.yaml"):
        run.config()


@pytest.mark.parametrize(
    ("folder", "read"), [("ablations", table_file.load), ("conf/profile", profile.load)], ids=["table", "profile"]
)
def test_file_of_a_user_cannot_run_code(
    tmp_path: Path, mark: Path, monkeypatch: pytest.MonkeyPatch, folder: str, read: Callable[[str], object]
) -> None:
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / "mine.yaml").write_text(f"title: {YAML_BOMB.format(mark)}")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"mine\.yaml"):
        read("mine")


def test_override_cannot_read_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An override may come from somebody else's table, and where it says the data lie is kept in the run's folder."""
    monkeypatch.setenv("SOME_API_TOKEN", "a-secret-of-this-test")
    with pytest.raises(UserError, match="plain value"):
        hydra_compose(["data_root=${oc.env:SOME_API_TOKEN}"])


@functools.cache
def _calls() -> list[tuple[str, ast.Call]]:
    return list(_found())


def _found() -> Iterator[tuple[str, ast.Call]]:
    for file in sorted(paths.PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                yield f"{file.relative_to(paths.PACKAGE)}:{node.lineno}", node


def test_no_call_of_the_package_reads_what_can_run_code() -> None:
    wrong = []
    for where, call in _calls():
        name, given = ast.unparse(call.func), {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        if (
            name in ("eval", "exec", "__import__", "os.system", "os.popen")
            or name.startswith(("pickle.", "marshal.", "shelve.", "joblib."))
            or (name == "torch.load" and given.get("weights_only") != "True")
            or ("allow_pickle" in given and given["allow_pickle"] != "False")
            or (name in ("yaml.load", "yaml.load_all") and "SAFE" not in given.get("Loader", "").upper())
            or name in ("yaml.unsafe_load", "yaml.full_load")
            or given.get("shell", "False") != "False"
        ):
            wrong.append(f"{where}: {ast.unparse(call)}")
    assert not wrong, "\n".join(wrong)


def test_environment_is_recorded_by_an_allow_list_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SOME_API_TOKEN", "a-secret-of-this-test")
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    recorded = environment.describe(torch.device("cpu"), "data", Store(tmp_path))
    assert set(recorded.as_json()) == {"commit", "uncommitted", "patch", "versions", "device", "data_id", "arithmetic"}
    assert "a-secret-of-this-test" not in json.dumps(recorded.as_json())
    assert recorded.arithmetic["NVIDIA_TF32_OVERRIDE"] == "0", "of the variables that change arithmetic"


def test_no_file_of_a_run_holds_a_variable_of_the_environment_and_a_group_can_write_all(
    tmp_path: Path, results: Path
) -> None:
    """With the umask of people who share a folder; the run writes every kind of file there is."""
    shared, secret = tmp_path / "shared", "a-secret-of-this-test"
    subprocess.run(
        [*command("train", *SHORT, "keep_model=true", "checkpoint_seconds=0"), "--results", shared],
        cwd=tmp_path,
        env={**environment_of(results), "SOME_API_TOKEN": secret},
        umask=0o002,
        check=True,
        capture_output=True,
    )
    entries = [shared, *shared.rglob("*")]
    assert {"lock", "result.json", "model.safetensors", "log.txt", "status.json"} <= {entry.name for entry in entries}
    closed = [str(entry.relative_to(shared)) for entry in entries if not entry.lstat().st_mode & stat.S_IWGRP]
    assert closed == []
    assert not [entry for entry in entries if entry.is_file() and secret.encode() in entry.read_bytes()]


WRITERS = {
    "print": "core/text.py",
    "typer.echo": "cli/options.py",
    **dict.fromkeys(("Text", "Segment"), "report/formats/terminal.py"),
}
"""The one file each that calls these: they make what they are given printable."""

RICH_FILES = ("report/formats/terminal.py", "cli/progress.py", "cli/inspect.py", "cli/status.py")
RICH = ("add_column", "add_row", "Group", "update", "print")
"""What takes text for rich, which reads markup in a bare string."""

RENDERED = ("line", "terminal.line", "renderable", "terminal.renderable", "self._tables")


def unprintable(where: str, call: ast.Call) -> bool:
    """Whether a call writes to a terminal past these files, or hands a bare string to rich."""
    name, file = ast.unparse(call.func), where.partition(":")[0]
    if name in WRITERS:
        return WRITERS[name] != file
    if name.endswith((".from_markup", "typer.secho", "stdout.write", "stderr.write", "Table.grid")):
        return True
    if name == "Table":
        return any(keyword.arg in ("title", "caption") for keyword in call.keywords)
    rich = file in RICH_FILES and name != "self.print"
    if not rich or name.rpartition(".")[2] not in RICH or not call.args:
        return False
    first = call.args[0].value if isinstance(call.args[0], ast.Starred) else call.args[0]
    made = first.args[0] if isinstance(first, ast.Call) and ast.unparse(first.func) == "map" else first
    made = made.func if isinstance(made, ast.Call) else made
    return ast.unparse(made) not in RENDERED


def test_every_text_for_a_terminal_is_made_printable_and_rich_gets_no_bare_string() -> None:
    wrong = [f"{where}: {ast.unparse(call)}" for where, call in _calls() if unprintable(where, call)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "code",
    [
        "print(name)",
        "typer.echo(name)",
        "sys.stdout.write(name)",
        "screen.print(name, markup=False)",
        "screen.print(Text(name))",
        "table.add_column(name)",
        "Table(title=name)",
        "live.update(name)",
        "Group(name)",
    ],
)
def test_a_text_that_passes_by_is_seen(code: str) -> None:
    call = next(node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call))
    assert unprintable("cli/status.py:1", call)


KEPT_IN = {
    "writes": ("core/files.py",),
    "removes": ("core/files.py",),
    "reads": ("core/files.py",),
    "parses JSON": ("core/sealed.py",),
    "parses YAML": ("core/yaml_text.py",),
    "opens a picture": ("core/pictures.py",),
}
"""The one file each in which the rule for it is kept (docs/security.md)."""

EXCEPTIONS = {
    ("config/compose.py", "writes"),  # a temporary folder for Hydra
    ("runner/launch/slurm/options.py", "writes"),  # the user's own folder, of mode 700
    ("config/compose.py", "reads"),  # what is shipped
    ("report/formats/html.py", "reads"),
    ("core/memory.py", "reads"),  # /proc
    ("runner/process.py", "reads"),
    ("report/export.py", "removes"),  # rmdir of an empty folder
    ("report/plot.py", "opens a picture"),  # of bytes in memory
    ("store/samples.py", "opens a picture"),
}

OURS = re.compile(r"(files\.)?(read_bytes|read_text|write_text|write_bytes)|os\.fdopen|frame.*")
"""Those of core/files, and what wraps a descriptor that it gave."""


def deed(call: ast.Call) -> str | None:
    """What a call does to a file, as far as its name and its mode say."""
    name = ast.unparse(call.func)
    method = name.rpartition(".")[2]
    if OURS.fullmatch(name):
        return None
    if method == "open" and name not in ("webbrowser.open", "tarfile.open"):
        if name.endswith("Image.open"):
            return "opens a picture"
        modes = [each.value for each in call.args[:2] if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        return "writes" if any(set(mode) & set("wxa+") for mode in modes) and "/" not in "".join(modes) else None
    if method in ("write_text", "write_bytes", "mkdir", "makedirs", "symlink_to", "hardlink_to", "touch"):
        return "writes"
    if method in ("unlink", "rmtree", "rmdir", "removedirs"):
        return "removes"
    if method in ("read_text", "read_bytes"):
        return "reads"
    return {"json.load": "parses JSON", "json.loads": "parses JSON"}.get(name) or (
        "parses YAML" if name.startswith("yaml.") and method in ("load", "compose", "parse", "safe_load") else None
    )


def past_the_rules(where: str, call: ast.Call) -> str | None:
    """What a call does where another file keeps the rule for it."""
    file, done = where.partition(":")[0], deed(call)
    standard = file == "cli/app.py" and ast.unparse(call.args[0]) in ("0", "1", "2") if call.args else False
    return None if done is None or standard or file in KEPT_IN[done] or (file, done) in EXCEPTIONS else done


def test_files_are_written_read_and_parsed_in_the_one_place_that_keeps_the_rule() -> None:
    wrong = [
        f"{where} {done}: {ast.unparse(call)}" for where, call in _calls() if (done := past_the_rules(where, call))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("code", "done"),
    [
        ("file.open('w')", "writes"),
        ("open(file, 'ab')", "writes"),
        ("file.write_text(text)", "writes"),
        ("folder.mkdir(parents=True)", "writes"),
        ("shutil.rmtree(folder)", "removes"),
        ("file.unlink(missing_ok=True)", "removes"),
        ("file.read_text()", "reads"),
        ("json.loads(file)", "parses JSON"),
        ("yaml.load(text, Loader=yaml.SafeLoader)", "parses YAML"),
        ("Image.open(file)", "opens a picture"),
    ],
)
def test_what_goes_past_a_rule_is_seen(code: str, done: str) -> None:
    call = next(node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call))
    assert past_the_rules("store/run.py:1", call) == done
