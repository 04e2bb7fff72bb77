"""Every number of a configuration has bounds, and what lies outside is answered with its key and the bound."""

from __future__ import annotations

import re
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from parsenet_cli.cli.run import _plan_tables
from parsenet_cli.config import compose, profile, sweep
from parsenet_cli.config.compose import Composer
from parsenet_cli.config.overrides import seed_of, values_of
from parsenet_cli.core import paths
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.run_config import Precision, RunConfig
from parsenet_cli.engine.device import choose_device
from parsenet_cli.report.network import image_size, networks
from parsenet_cli.runner import launch
from parsenet_cli.runner.launch.inline import Inline
from tests.conftest import changed
from tests.fakes import FakeCluster, succeed
from tests.unit.engine.test_training import trainer

HUGE = 10**30


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("seed", (-1, 2**63, "²", 1.5)),
        ("mix_width", (-1, 0, HUGE)),
        ("context_dropout", (-0.1, 1, 2, float("nan"))),
        ("norm_scale", (float("inf"), float("nan"), 1e300)),
        ("norm_decay", (-1, float("inf"))),
        ("context_bins", ([0], [-1], [1001], list(range(1, 18)))),
        ("micro_batch", (-1, 0, HUGE)),
        ("checkpoint_seconds", (-1, float("inf"), float("nan"))),
        ("recipe.lr", (-1, 1e39)),
        ("recipe.power", (-1,)),
        ("recipe.step", (0, -1)),
        ("recipe.step_factor", (-1,)),
        ("recipe.momentum", (-0.1, 1)),
        ("recipe.weight_decay", (-1,)),
        ("recipe.iterations", (0, HUGE)),
        ("recipe.length", (0, -1, 1e308)),
        ("recipe.batch", (0, HUGE)),
        ("recipe.iter_size", (0, HUGE)),
        ("recipe.crop", (0, HUGE)),
        ("recipe.head_lr", ([-1, 1], [1, 1e300])),
        ("recipe.dropout", (-0.1, 1)),
    ],
)
def test_number_out_of_bounds_is_answered_with_its_key_and_the_bound(
    config: RunConfig, key: str, wrong: tuple[Any, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = config.science.model_dump(exclude={"data_id"}) | config.runtime.model_dump(exclude={"weights_file"})
    monkeypatch.setattr(compose, "hydra_compose", lambda _: content)
    group, _, name = key.rpartition(".")
    holder = content[group] if group else content
    for value in wrong:
        holder[name] = value
        # Not an override, so that the file could have it: the message may begin with the file's name.
        with pytest.raises(
            UserError, match=rf"{re.escape(key)}=.*: expected (a (whole )?number (from|above) \S|at most)"
        ):
            Composer(replace(profile.load("quick"), overrides=()), [], tmp_path).science()


def test_length_and_iterations_are_bounded_together(tmp_path: Path) -> None:
    composer = Composer(profile.load("quick"), ["recipe.length=1e6", "recipe.iterations=10000"], tmp_path)
    with pytest.raises(
        UserError, match=r"^recipe\.iterations=10000 and length=1000000\.0: expected at most 1000000000 steps"
    ):
        composer.science()


@pytest.mark.parametrize("seed", [0, 20261124061500, 2**63 - 1])
def test_every_seed_that_is_taken_can_be_trained_with(config: RunConfig, seed: int) -> None:
    trained = trainer(changed(config, seed=seed))
    trained.step(0)
    drawn = [torch.initial_seed()]
    trained.step(1)
    drawn.append(torch.initial_seed())
    assert drawn == [((seed + 1) * 1_000_003 + iteration) % 2**64 for iteration in (0, 1)]


def test_seeds_are_bounded_in_number_and_size(tmp_path: Path) -> None:
    composer = Composer(profile.load("quick"), [], tmp_path)
    assert len(composer.seeds(1000)) == 1000
    with pytest.raises(UserError, match="--seeds 1000000: expected at most 1000"):
        composer.seeds(1_000_000)
    assert seed_of("20261124061500") == 20261124061500
    for text in ("²", "-1", "1e3", "", "9" * 5000, "9223372036854775808"):
        with pytest.raises(UserError, match="expected a whole number from 0 to 9223372036854775807"):
            seed_of(text)
    with pytest.raises(UserError, match="seed=²: expected a whole number"):
        sweep.single(["seed=²"])
    with pytest.raises(UserError, match="seed=²: expected a whole number"):
        sweep.expand(["norm=l2,none", "seed=²"])


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("fusion=glob(*)", "write the values out: fusion=early,late"),
        ("norm_scale=interval(0,1)", "write the values out: norm_scale=a,b,c"),
        ("norm_scale=range(0,1000000000)", "expected at most 1000 values"),
        ("norm=l2=l2", "unknown value for norm: 'l2=l2'. Did you mean 'l2'?"),
        ("classes=[új]", "stands in quotes that the shell leaves alone: \"classes='[új]'\""),
        ("layers=" + "[" * 5000, "layers=[[["),
        ("recipe.lr=int(a)", "invalid literal"),
    ],
)
def test_values_that_cannot_be_listed_are_one_sentence(argument: str, message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)) as raised:
        sweep.expand(["body=fcn,reduced", argument])
    assert len(str(raised.value)) < 400


def test_grid_has_a_largest_size() -> None:
    with pytest.raises(UserError, match="a grid of 1000000 cells: expected at most 10000"):
        sweep.expand(["norm_scale=range(1000)", "seed=1", "norm_decay=range(1000)"])


def test_weights_are_several_only_where_each_is_a_source() -> None:
    assert values_of("weights=none,imagenet") == ["none", "imagenet"]
    assert values_of("weights=a, b (1).pth") is None
    assert values_of("weights=none,mine.pth") is None
    assert values_of("data_root=/a,b") is None
    spec, _ = sweep.expand(["weights=/My Weights (1), it's.pth", "norm=l2,none", "data_root=x,y=z"])
    assert spec.base == ("weights=/My Weights (1), it's.pth", "data_root=x,y=z")


@pytest.mark.parametrize("name", ["../launcher/slurm", "null", "", "[fcn]", "_base", "fcn,parsenet", "'fcn'"])
def test_recipe_is_one_of_its_names_and_nothing_else(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"unknown recipe|the name of a recipe is empty"):
        Composer(profile.load("quick"), [f"recipe={name}"], tmp_path).science()


def test_every_table_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    for named, message in ((["all", "nosuch"], "unknown table 'nosuch'"), ([""], "the name of a table is empty")):
        with pytest.raises(UserError, match=message):
            _plan_tables(
                [*named, "weights=none", "recipe.frozen=[]"], tmp_path, "quick", 1, cited=False, rows=None, columns=None
            )


@pytest.mark.parametrize("width", ["0", "-1"])
def test_network_without_channels_is_answered(width: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"mix_width=.*expected a whole number from 1 to 65536"):
        networks(["mix=conv1x1", f"mix_width={width}"], profile.load("quick"), tmp_path, (64, 64), 3)
    for size in ("99999999x1", "1x999999", "²x1"):
        with pytest.raises(UserError, match="--size"):
            image_size(size)


def test_gpu_that_is_asked_for_has_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == torch.device("cpu")
    with pytest.raises(UserError, match="device=cuda: PyTorch finds no CUDA device here") as raised:
        choose_device("cuda")
    with pytest.raises(UserError, match=re.escape(str(raised.value))):
        launch.check_device(Inline(1), [("cpu", "float32"), ("cuda", "float32")])
    launch.check_device(Inline(1), [("auto", "bfloat16"), ("cpu", "float32")])
    launch.check_device(FakeCluster(succeed), [("cuda", "tf32")])  # whose nodes may have some


def test_device_that_was_given_is_not_left_for_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        UserError, match=r"device=auto: this run was given a GPU, but PyTorch finds no CUDA device here"
    ):
        choose_device("auto", given_gpu=True)
    assert choose_device("cpu", given_gpu=True) == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto", given_gpu=True) == torch.device("cuda")


@pytest.mark.parametrize(
    ("gpu", "device", "precision", "message"),
    [
        (False, "auto", "tf32", "precision=tf32 device=auto: a CPU has no TF32; .* or device=cpu, under which cells"),
        (
            True,
            "cpu",
            "tf32",
            "precision=tf32 device=cpu: a CPU has no TF32; use precision=float32 or bfloat16, or a GPU",
        ),
        (True, "auto", "tf32", "a GPU of compute capability 7.5 has none, from 8.0 on they have"),
        (True, "cuda", "bfloat16", "precision=bfloat16 device=cuda: a GPU of compute capability 7.5 has none"),
        (True, "cuda", "float32", None),
        (True, "cpu", "bfloat16", None),
        (False, "auto", "bfloat16", None),
    ],
)
def test_arithmetic_that_the_device_lacks_is_refused_before_anything_runs(
    gpu: bool, device: str, precision: Precision, message: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(launch, "least_capability", lambda: (7, 5) if gpu else None)
    with nullcontext() if message is None else pytest.raises(UserError, match=message):
        launch.check_device(Inline(1, on_gpu=gpu), [(device, precision)])


def test_torch_has_to_be_there_where_runs_are_carried_out_here(monkeypatch: pytest.MonkeyPatch) -> None:
    launch.check_torch(Inline(1))
    monkeypatch.setattr(launch, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="torch is not installed, and this needs it: pip install torch torchvision"):
        launch.check_torch(Inline(1))
    launch.check_torch(FakeCluster(succeed))  # whose nodes may have it


def test_paths_of_options_begin_at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(paths.VARIABLE, "~/data")
    assert paths.user_path("~/x") == tmp_path / "x"
    assert paths.home(Path("results")) == tmp_path.resolve() / "data"
    monkeypatch.setenv(paths.VARIABLE, "~nosuchuser/data")
    with pytest.raises(UserError, match="'~nosuchuser' has no home folder"):
        paths.home(Path("results"))
