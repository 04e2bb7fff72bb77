"""Configurations: precedence, stand-ins, and answers to what does not exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from parsenet_cli.config import profile
from parsenet_cli.config.compose import Composer
from parsenet_cli.config.overrides import last_wins, split_launcher
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.run_config import RunConfig


def composed(tmp_path: Path, *command_line: str, cell: tuple[str, ...] = (), name: str = "quick") -> RunConfig:
    return Composer(profile.load(name), command_line, tmp_path).run_config(cell)


def test_default_is_parsenet_under_the_quick_profile(tmp_path: Path) -> None:
    science = composed(tmp_path).science
    assert (science.layers, science.norm, science.fusion) == (("pool6", "fc7"), "l2", "early")
    assert (science.trunk, science.data, science.recipe.policy) == ("vgg_tiny", "synthetic_voc", "poly")


def test_profile_stands_in_for_what_a_table_names(tmp_path: Path) -> None:
    science = composed(tmp_path, cell=("data=pascal_context", "recipe=parsenet")).science
    assert science.data == "synthetic_context"
    assert science.recipe.iterations < 80_000


def test_command_line_is_taken_literally_and_comes_last(tmp_path: Path) -> None:
    science = composed(tmp_path, "recipe=parsenet", "norm=none", cell=("norm=l2", "recipe=fcn")).science
    assert (science.norm, science.recipe.iterations) == ("none", 80_000)


def test_row_changes_its_recipe_relative_to_the_stand_in(tmp_path: Path) -> None:
    once = composed(tmp_path, cell=("recipe=fcn",)).science.recipe
    twice = composed(tmp_path, cell=("recipe=fcn", "recipe.length=2")).science.recipe
    assert twice.steps == 2 * once.steps


def test_later_override_replaces_earlier_one_of_the_same_key() -> None:
    assert list(last_wins(["norm=l2", "fusion=late", "norm=none"]).values()) == ["norm=none", "fusion=late"]


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("nrom=l2", "'norm'"),
        ("norm=l3", "'lp'"),
        ("recipe.learning_rate=1", "recipe."),
        ("recipe=parsnet", "'parsenet'"),
        ("trunk=vgg_tinny", "'vgg_tiny'"),
        ("data=synthetic_vok", "'synthetic_voc'"),
        ("context=globl", "'global'"),
        ("layers=[fc8]", "'fc7'"),
        ("recipe.policy=polly", "'poly'"),
        ("norm_learn=perhaps", "norm_learn=perhaps"),
        ("recipe.iterations=-3", "expected a whole number from 1 to 1000000000"),
        ("recipe.clip_gradients=0", "recipe.clip_gradients=0: expected a number above 0 or null"),
        ("recipe.crop=0", "recipe.crop=0: expected a whole number from 1 to 65536 or null"),
        ("context_bins=[]", "different whole numbers from 1"),
        ("context_bins=[1,2,2]", "different whole numbers from 1"),
        ("context_bins=[0,1]", "context_bins=0: expected a whole number from 1 to 1000"),
        ("layers=fc7", "expected a list, for example layers=[fc7]"),
        ("layers=[fc7,fc7]", "none twice"),
        ("weights=nowhere.safetensors", "nowhere.safetensors"),
        ("norm", "expected key=value"),
        ("norm=l2,none", "parsenet sweep"),
        ("layers=[fc7", "layers=[fc7"),
        ("recipe.frozen=conv1", "recipe.frozen=conv1: expected a list, for example recipe.frozen=[conv1]"),
        ("recipe.frozen=[conv1,conv1]", "expected no stage twice"),
        ("recipe.frozen=[conv4]", "recipe.frozen=conv4: expected 'conv1', 'conv2' or 'conv3'"),
        ("recipe.loss_stride=0", "recipe.loss_stride=0: expected a whole number from 1 to 65536"),
        ("recipe.loss_stride=1.5", "recipe.loss_stride=1.5: expected a whole number from 1 to 65536"),
    ],
)
def test_wrong_override_is_answered_with_what_is_valid(tmp_path: Path, override: str, named: str) -> None:
    with pytest.raises(UserError, match=re.escape(named)):
        composed(tmp_path, override)


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (
            ("recipe.frozen=[conv2]",),
            "conv1 lies below conv2 and would be trained; expected the first of [conv1, conv2, conv3]",
        ),
        (("recipe.frozen=[conv3,conv1]",), "recipe.frozen=[conv1, conv3]: conv2 lies below conv3"),
        (("recipe.frozen=[conv1]", "weights=none"), "with weights=none these stages would stay as they are drawn"),
        (
            ("recipe.frozen=[conv1,conv2]", "trunk=squeezenet", "weights=imagenet"),
            "trunk squeezenet has no stage conv2; expected the first of [conv1, conv3]",
        ),
    ],
)
def test_frozen_stages_that_cannot_be_had_are_refused(tmp_path: Path, overrides: tuple[str, ...], says: str) -> None:
    with pytest.raises(UserError, match=re.escape(says)):
        composed(tmp_path, *overrides)


def test_stages_are_in_their_order_however_they_are_written(tmp_path: Path) -> None:
    written, sorted_ = (composed(tmp_path, f"recipe.frozen=[{stages}]") for stages in ("conv2,conv1", "conv1,conv2"))
    assert written.science.recipe.frozen == ("conv1", "conv2")
    assert written.signature == sorted_.signature


def test_whole_number_and_float_are_the_same_configuration(tmp_path: Path) -> None:
    assert composed(tmp_path, "norm_scale=10").signature == composed(tmp_path, "norm_scale=10.0").signature


def test_composition_is_remembered_until_a_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = Composer(profile.load("quick"), ["fusion=late"], tmp_path)
    before = first.run_config()
    first.save()

    def refuse(_: object) -> dict[str, object]:
        raise AssertionError("composed again")

    monkeypatch.setattr("parsenet_cli.config.compose.hydra_compose", refuse)
    assert Composer(profile.load("quick"), ["fusion=late"], tmp_path).run_config() == before
    (tmp_path / "conf" / "recipe").mkdir(parents=True)
    (tmp_path / "conf" / "recipe" / "new.yaml").write_text("lr: 1\n")
    with pytest.raises(AssertionError):
        Composer(profile.load("quick"), ["fusion=late"], tmp_path).run_config()


def test_seed_on_the_command_line_is_the_only_seed(tmp_path: Path) -> None:
    assert Composer(profile.load("quick"), ["seed=7"], tmp_path).seeds(None) == [7]
    with pytest.raises(UserError, match="seed=7"):
        Composer(profile.load("quick"), ["seed=7"], tmp_path).seeds(3)


def test_a_network_is_described_without_its_data_and_weights(tmp_path: Path) -> None:
    """What needs a data set of the paper can be drawn up, counted and built on a machine that does not hold it."""
    composer = Composer(profile.load("paper"), ["weights=/nowhere.pth"], tmp_path)
    science = composer.science(["data=voc12", "fusion=late"])
    assert (science.trunk, science.fusion, science.data_id, science.weights) == ("vgg16", "late", "", "/nowhere.pth")
    with pytest.raises(UserError, match=r"/nowhere\.pth"):
        composer.run_config(["data=voc12"])
    with pytest.raises(UserError, match="'norm'"):
        composer.science(["nrom=l2"])


def test_described_and_composed_differ_in_identities_alone(tmp_path: Path) -> None:
    composer = Composer(profile.load("quick"), ["weights=none", "recipe.frozen=[]"], tmp_path)
    identified = composer.run_config().science
    assert identified.data_id
    assert composer.science() == identified.model_copy(update={"data_id": ""})


PROFILE = "about: mine\nseeds: 2\ndata: {voc12: folder}\nrecipe: {}\nset: [norm=l2]\n"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seeds: 2", "seeds: two", "mine.yaml:2: seeds: expected a whole number from 1 to 1000; found 'two'"),
        ("seeds", "sedes", "unknown key of a profile 'sedes'. Did you mean 'seeds'?"),
        ("recipe: {}\n", "", "the profile has no 'recipe'; add it"),
        ("folder", "[folder]", "mine.yaml:3: data.voc12: expected a text"),
    ],
)
def test_own_profile_is_read_or_answered_with_file_line_and_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, message: str
) -> None:
    (tmp_path / "conf" / "profile").mkdir(parents=True)
    file = tmp_path / "conf" / "profile" / "mine.yaml"
    monkeypatch.chdir(tmp_path)
    file.write_text(PROFILE)
    assert profile.load("mine") == profile.Profile("mine", "mine", 2, {"voc12": "folder"}, {}, ("norm=l2",))
    file.write_text(PROFILE.replace(old, new))
    with pytest.raises(UserError, match=re.escape(message)):
        profile.load("mine")


def test_options_of_the_launcher_are_told_from_those_of_runs() -> None:
    given = ["norm=l2", "launcher=slurm", "launcher.slots=2", "seed=1"]
    assert split_launcher(given) == (["norm=l2", "seed=1"], ["launcher=slurm", "launcher.slots=2"])
    with pytest.raises(UserError, match="launchers"):
        split_launcher(["launchers=slurm"])
