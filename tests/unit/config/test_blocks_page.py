"""docs/blocks.md: its example is a block, and its table names the blocks that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from parsenet_cli.config.blocks import chosen
from parsenet_cli.core import blocks, paths
from parsenet_cli.models.blocks import make

PAGE = (Path(__file__).parents[3] / "docs/blocks.md").read_text()


def test_worked_example_is_the_block_that_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = re.findall(r"```python\n(.*?)```", PAGE, re.S)[0]
    schema = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)[0]
    for name, text in (("parsenet_blocks/gate/my_se.py", module), ("conf/gate/my_se.yaml", schema)):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    theirs, ours = (make("gate", name, chosen("gate", [f"gate={name}"]), 32) for name in ("my_se", "se"))
    theirs.load_state_dict(ours.state_dict())
    x = torch.rand(2, 32, 5, 6)
    torch.testing.assert_close(theirs(x), ours(x))


@pytest.mark.parametrize("group", blocks.GROUPS)
def test_page_names_the_blocks_of_the_package(group: blocks.Group) -> None:
    (row,) = re.findall(rf"^\| `{group}` \|.*\| (.*) \|$", PAGE, re.M)
    there = {*paths.modules(blocks.FOLDERS[group])} | ({blocks.NONE} if group == "gate" else set())
    assert set(re.findall(r"`(\w+)`", row)) == there
