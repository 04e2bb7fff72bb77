"""A block from outside runs only where its file is the one that the run was planned with; nothing else names a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from parsenet_cli.core import blocks
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.run_config import Block, Science
from parsenet_cli.models.blocks import check, load
from parsenet_cli.models.build import build_model
from tests.unit.models.conftest import make_science

MODULE = """\
from dataclasses import dataclass

from torch import nn


@dataclass
class Settings:
    gain: float


class Times(nn.Module):
    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings

    def forward(self, x):
        return self.settings.gain * x


def build(channels, gain):
    return Times(Settings(gain))
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for folder in ("parsenet_blocks/gate", "conf/gate"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "conf/gate/mine.yaml").write_text("about: mine\ngain: 1.0\n")
    file = tmp_path / "parsenet_blocks/gate/mine.py"
    file.write_text(MODULE)
    return file


def science(code: str, **options: Any) -> Science:
    return make_science(gate="mine", blocks={"gate": Block(options=options, code=code)})


def code_of(module: Path) -> str:
    return blocks.hash_of(module.read_bytes())


def test_it_is_part_of_the_network(module: Path) -> None:
    model = build_model(science(code_of(module), gain=2.0), 4, None)
    taps = {"fc7": torch.rand(1, 64, 3, 3)}
    torch.testing.assert_close(model.head.features(taps)[0].values, 2 * taps["fc7"])


def test_a_worker_looks_in_the_folder_that_it_was_handed(
    module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module.write_text(MODULE + "# another\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="Issue the command in the folder that has"):
        load("gate", "mine", code_of(module))
    monkeypatch.setattr(blocks, "_folder", None)
    blocks.look_in(tmp_path)
    assert load("gate", "mine", code_of(module)).build


def test_changed_or_missing_file_is_refused_and_does_not_run(module: Path, tmp_path: Path) -> None:
    module.write_text(MODULE + "# of this test alone: a process keeps what it has loaded\n")
    before = code_of(module)
    module.write_text(f"open({str(tmp_path / 'has-run')!r}, 'w')\n")
    with pytest.raises(
        UserError, match=r"mine\.py: its content is not the one that the run was planned with .*Restore it"
    ):
        build_model(science(before, gain=2.5), 4, None)
    assert not (tmp_path / "has-run").exists()
    module.unlink()
    with pytest.raises(
        UserError, match=r"gate=mine: the run needs this block, and it is not here .*parsenet_blocks/gate"
    ):
        check([science(before, gain=2.5)])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import no_such_module_of_mine\n", "No module named 'no_such_module_of_mine'"),
        ("def build(:\n", "SyntaxError"),
        ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
        ("x = 1\n", "there is no function build(channels, …)"),
        ("def build(channels, gain):\n    return 1 / 0\n", "line 2, in build\n"),
        ("def build(channels):\n    ...\n", "TypeError"),
        ("def build(channels, gain):\n    return 5\n", "torch.nn.Module, not int"),
    ],
)
def test_faulty_module_is_told_with_its_own_traceback_and_file(text: str, message: str, module: Path) -> None:
    module.write_text(text)
    with pytest.raises(UserError) as raised:
        check([science(code_of(module), gain=1.0)] * 3)
    assert message in str(raised.value)
    assert "mine" in str(raised.value)
    assert "parsenet_cli" not in str(raised.value), "only frames of the user's own file"


def test_results_cannot_name_a_file() -> None:
    for name in ("../evil", "/tmp/evil", "a.b", "a/b", "A", ""):
        with pytest.raises(ValueError, match="gate"):
            make_science(gate=name, blocks={"gate": Block(code="0" * 16)})
    for code in ("x", "0" * 15, "0" * 17, "../" + "0" * 13):
        with pytest.raises(ValueError, match="code"):
            Block(code=code)


def test_a_name_of_the_package_never_comes_from_outside(module: Path) -> None:
    (module.parent / "se.py").write_text(MODULE)
    with pytest.raises(UserError, match=r"se\.py: 'se' is a gate of parsenet itself"):
        load("gate", "se", code_of(module))
    assert load("gate", "se").__name__ == "parsenet_cli.models.gate.se"
