"""What `parsenet new` writes: a block that trains at once, with comments that say what to change (docs/blocks.md)."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from parsenet_cli.core import blocks
from parsenet_cli.core.blocks import GROUPS, NAME, OWN, Group
from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.core.files import write_text

_GATE = '''\
"""NAME: a gate. It changes a tap of the trunk before anything reads it (docs/blocks.md has a worked example)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Gate(nn.Module):
    """Each channel times a factor that the mean of the map decides: put your own block here.

    Weights may be drawn as PyTorch draws them: the run's seed decides them.
    """

    def __init__(self, channels: int, width: int, start: float) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, width, 1)
        self.expand = nn.Conv2d(width, channels, 1)
        # sigmoid(3) = 0.95: a trunk that was trained without the gate begins nearly as it was.
        nn.init.constant_(self.expand.bias, start)

    def forward(self, tap: Tensor) -> Tensor:
        """(N, C, h, w) -> the same shape."""
        mean = tap.mean((2, 3), keepdim=True)
        return tap * torch.sigmoid(self.expand(torch.relu(self.reduce(mean))))


def build(channels: int, width: int, start: float) -> Gate:
    """The gate on a tap of `channels`. The other arguments are the options of conf/gate/NAME.yaml, by their names."""
    return Gate(channels, width, start)
'''

_GATE_YAML = """\
about: a gate of my own      # one line, for `parsenet list`
# Options, each with its default, which also says its type: gate=NAME gate.width=4
width: 8                     # channels of the bottleneck
start: 3.0                   # of the factors, before the sigmoid
allowed:                     # what they take: a list of values, or for numbers from … to …
  width: {from: 1, to: 4096}
  start: {from: -10, to: 10}
"""

_CONTEXT = '''\
"""NAME: a context. It summarises a tap of the trunk; each summary is normalised and classified on its own (docs/blocks.md)."""

from __future__ import annotations

from torch import Tensor

from parsenet_cli.models.context import Context


class Summary(Context):
    """The mean of the map and, with `spread`, its standard deviation, channel by channel: put your own block here."""

    def __init__(self, channels: int, spread: bool) -> None:
        # The names of the summaries ("levels"), and the channels of each.
        names = ("pool6", "pool6_spread") if spread else ("pool6",)
        super().__init__(names, (channels,) * len(names))

    def forward(self, fc7: Tensor) -> list[Tensor]:
        """(N, C, h, w) -> one map per level, as small as it can be: here (N, C, 1, 1)."""
        levels = [fc7.mean((2, 3), keepdim=True)]
        if len(self.levels) > 1:
            levels.append((fc7 - levels[0]).square().mean((2, 3), keepdim=True).add(1e-6).sqrt())
        return levels

    def unpool(self, level: int, z: Tensor, size: tuple[int, int]) -> Tensor:
        """A level's scores, (N, K, 1, 1), brought to the size of the tap: (N, K, *size). It has to be linear."""
        return z.expand(-1, -1, *size)


def build(channels: int, spread: bool) -> Summary:
    """The context over a tap of `channels`. The other arguments are the options of conf/context/NAME.yaml, by their names."""
    return Summary(channels, spread)
'''

_CONTEXT_YAML = """\
about: a context of my own   # one line, for `parsenet list`
# Options, each with its default, which also says its type: context=NAME context.spread=false
spread: true                 # whether the standard deviation is a level of its own
# What options take stands below: a list of values, or for numbers from … to …
# allowed:
#   width: {from: 1, to: 4096}
#   pool: [mean, max]
"""

_TEST = '''\
"""NAME keeps its promises: `python -m pytest tests/test_GROUP_NAME.py` in the folder that has parsenet_blocks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from parsenet_cli.config.blocks import chosen
from parsenet_cli.core import blocks
from parsenet_cli.models.blocks import make

CHANNELS = 16


@pytest.fixture
def block() -> torch.nn.Module:
    """As its YAML's defaults make it; other options are added to the list: "GROUP.option=value"."""
    blocks.look_in(Path(__file__).parents[1])
    return make("GROUP", "NAME", chosen("GROUP", ["GROUP=NAME"]), CHANNELS)


def test_BODY
'''

_GATE_TEST = """shape_stays_and_gradients_flow(block: torch.nn.Module) -> None:
    tap = torch.rand(2, CHANNELS, 5, 7, requires_grad=True)
    changed = block(tap)
    assert changed.shape == tap.shape
    changed.sum().backward()
    assert all(parameter.grad is not None for parameter in block.parameters())"""

_CONTEXT_TEST = """levels_are_brought_back_to_the_size_of_the_tap(block: torch.nn.Module) -> None:
    levels = block(torch.rand(2, CHANNELS, 6, 8))
    assert [level.shape[1] for level in levels] == list(block.channels)
    for number, level in enumerate(levels):
        assert block.unpool(number, level[:, :3], (6, 8)).shape == (2, 3, 6, 8)"""

_TEXTS: dict[Group, tuple[str, str, str]] = {
    "gate": (_GATE, _GATE_YAML, _GATE_TEST),
    "context": (_CONTEXT, _CONTEXT_YAML, _CONTEXT_TEST),
}


def write(group: str, name: str) -> list[Path]:
    """Write module, YAML and test of a new block below the current folder; returns them.

    Raises:
        UserError: an unknown group, a name that is none or is taken, a file that is there already; nothing is written then.
    """
    if group not in GROUPS:
        raise unknown("group of blocks", group, GROUPS)
    if not re.fullmatch(NAME, name) or keyword.iskeyword(name):
        raise UserError(
            f"'{name}': a block is called by small letters, digits and underscores, a letter first, and by no word of Python"
        )
    if name in blocks.names(group):
        raise UserError(f"'{name}' is a {group} already, {blocks.find(group, name).origin}; choose another name")
    module, schema, test = _TEXTS[group]
    files = {
        Path(OWN, group, f"{name}.py"): module,
        Path("conf", group, f"{name}.yaml"): schema,
        Path("tests", f"test_{group}_{name}.py"): _TEST.replace("BODY", test),
    }
    for file in files:
        if file.exists():
            raise UserError(f"{file}: there is such a file already, and nothing is replaced; choose another name")
    for file, text in files.items():
        write_text(file, text.replace("NAME", name).replace("GROUP", group))
    return list(files)
