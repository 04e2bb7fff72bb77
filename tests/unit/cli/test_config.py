"""What `config` prints is the run that `train` and `ablate` make."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from parsenet_cli.cli import app
from parsenet_cli.config import profile, sweep, table_file
from parsenet_cli.config.compose import Composer
from parsenet_cli.core.run_config import RunConfig, from_yaml
from parsenet_cli.runner.plan import plan_table

Typed = Callable[..., str]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Typed:
    """What a command prints; on the standard error where it is refused."""
    monkeypatch.setenv("PARSENET_RESULTS", str(tmp_path))

    def run(*arguments: str, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["parsenet", *arguments])
        assert app.main() == code
        printed = capsys.readouterr()
        return printed.err if code else printed.out

    return run


def planned(tmp_path: Path, *overrides: str, seed: int, cell: str = "") -> RunConfig:
    """The one run that `train` makes of these overrides, or `ablate` of a cell."""
    composer = Composer(profile.load("quick"), overrides, tmp_path)
    table, row, column = cell.split(".") if cell else ("", None, None)
    spec = table_file.load(table) if table else sweep.single(overrides)[0]
    plan = plan_table(spec, composer, [seed], rows=row and [row], columns=column and [column])
    (config,) = plan.configs.values()
    return config


def test_it_is_the_run_of_train(typed: Typed, tmp_path: Path) -> None:
    config = planned(tmp_path, "norm=none", "weights=none", "recipe.frozen=[]", seed=3)
    printed = typed("config", "norm=none", "weights=none", "recipe.frozen=[]", "seed=3")
    assert f"# signature: {config.signature}\n" in printed
    assert from_yaml(printed) == config.model_dump(mode="json")
    content = json.loads(typed("config", "norm=none", "weights=none", "recipe.frozen=[]", "seed=3", "--json"))
    assert (content["signature"], content["reason"]) == (config.signature, None)
    assert any("weights=none instead of imagenet" in text for text in content["deviations"])


def test_it_is_the_run_of_a_tables_cell_and_deviates_from_that(typed: Typed, tmp_path: Path) -> None:
    config = planned(tmp_path, "norm_scale=20", seed=0, cell="table4.conv4.norm")
    printed = typed("config", "table4.conv4.norm", "norm_scale=20")
    assert f"# signature: {config.signature}\n" in printed
    assert "norm_scale=20 instead of 10\n" in printed
    assert "layers" not in printed.partition("science:")[0]  # the cell sets them


def test_without_the_data_all_but_the_signature_is_shown(typed: Typed) -> None:
    printed = typed("config", "--profile", "paper")
    assert printed.startswith("# signature: not known yet: data=voc12 needs to know where the files are")
    assert "# deviates: arithmetic: precision=bfloat16 instead of float32" in printed
    assert from_yaml(printed)["science"]["data"] == "voc12"
    assert json.loads(typed("config", "--profile", "paper", "--json"))["signature"] is None


def test_network_that_cannot_be_built_is_no_run(typed: Typed) -> None:
    assert typed("config", "skips=8s").startswith("# signature: none, this network cannot be built: skips=8s")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("table4.conv4.nrom",), "Did you mean 'norm'?"),
        (("table44.conv4.norm",), "Did you mean 'table4'?"),
        (("table4.conv4.norm", "table4.conv4.raw"), "expected one cell"),
        (("norm=l2,none",), "`parsenet sweep norm=l2,none`"),
        (("norm",), "expected key=value"),
        (("launcher=locl",), "'local'"),
        (("--cfg", "job"), "`parsenet config norm=none`"),
    ],
)
def test_mistake_is_answered_in_at_most_five_lines(typed: Typed, arguments: tuple[str, ...], says: str) -> None:
    message = typed("config", *arguments, code=2)
    assert says in message
    assert sum(1 + len(line) // 80 for line in message.splitlines()) <= 5


@pytest.mark.parametrize("command", [("config",), ("plan",), ("train",), ("ablate", "table4"), ("network",)])
@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (("recipe.frozen=[conv9]",), "recipe.frozen=conv9: expected 'conv1', 'conv2' or 'conv3'"),
        (("recipe.frozen=[conv2]",), "recipe.frozen=[conv2]: conv1 lies below conv2 and would be trained"),
        (("recipe.frozen=[conv1]", "weights=none"), "recipe.frozen=[conv1]: with weights=none these stages would stay"),
    ],
)
def test_frozen_stages_that_cannot_be_had_end_every_command_before_anything_runs(
    typed: Typed, tmp_path: Path, command: tuple[str, ...], overrides: tuple[str, ...], says: str
) -> None:
    profile = ("--profile", "quick")
    said = typed(*command, *overrides, *profile, code=2)
    assert said.startswith("error: ")
    assert says in said
    assert said.count("\n") == 1
    assert not (tmp_path / "runs").exists()
