"""A block of one's own is two files beside one's work: written, run, kept, refused where it has changed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image

from parsenet_cli.store.run import Store
from tests.conftest import SHORT, Cli

SE = """
import torch
from torch import nn


class SE(nn.Module):
    def __init__(self, channels, ratio):
        super().__init__()
        self.reduce = nn.Conv2d(channels, channels // ratio, 1)
        self.expand = nn.Conv2d(channels // ratio, channels, 1)
        nn.init.constant_(self.expand.bias, 3.0)

    def forward(self, x):
        z = x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(self.expand(torch.relu(self.reduce(z))))


def build(channels, ratio):
    return SE(channels, ratio)
"""
YAML = "about: SE as in docs/blocks.md\nratio: 16\nallowed: {ratio: {from: 1, to: 64}}\n"


def test_block_of_ones_own_from_its_first_line_to_its_refusal(cli: Cli, tmp_path: Path, results: Path) -> None:
    written = cli("new", "gate", "mine").stdout
    module = tmp_path / "parsenet_blocks/gate/mine.py"
    assert "tests/test_gate_mine.py" in written
    module.write_text(SE)
    (tmp_path / "conf/gate/mine.yaml").write_text(YAML)
    listed = cli("list").stdout
    assert [line.split()[:2] for line in listed.splitlines() if "SE as in docs" in line] == [
        ["mine", "./parsenet_blocks"]
    ]
    cli("train", *SHORT, "gate=mine", "gate.ratio=8", "keep_model=true")
    (run,) = Store(results).runs()
    block = run.config().science.blocks["gate"]
    assert (block.options, len(block.code)) == ({"ratio": 8}, 16)
    assert not [file for file in results.rglob("*.py") if not file.is_relative_to(results / "cache")], (
        "nothing is copied"
    )
    photo = tmp_path / "photo.png"
    Image.fromarray(np.zeros((80, 80, 3), np.uint8)).save(photo)
    module.write_text(f"import os\nos.mkdir({str(tmp_path / 'has-run')!r})\n{SE}")
    for command in (["predict", run.signature, photo, "--out", tmp_path / "out"], ["keep", run.signature]):
        if command[0] == "keep":
            run.model_file.unlink()
        said = cli(*command, code=2).stderr
        assert "mine.py: its content is not the one that the run was planned with" in said
    assert not (tmp_path / "has-run").exists()


def test_faulty_block_is_told_once_before_anything_is_written(cli: Cli, tmp_path: Path, results: Path) -> None:
    cli("new", "gate", "mine")
    (tmp_path / "parsenet_blocks/gate/mine.py").write_text("import math\nmath.no_such_name\n")
    said = cli("sweep", *SHORT, "gate=none,mine", "layers=[fc7],[pool6,fc7]", "--seeds", 2, code=2).stderr
    assert said.count("line 2, in <module>") == 1
    assert said.count("mine.py: cannot be imported") == 1
    assert "module 'math' has no attribute 'no_such_name'" in said
    assert [each.name for each in os.scandir(results)] == ["cache"]
    assert "mine" not in said.partition("cannot be imported")[2].replace("mine.py", ""), "one file is named, no run"
