"""What networks cost is counted as by hand, and pairs of them take turns."""

from __future__ import annotations

from pathlib import Path

import pytest

from parsenet_cli.config import profile
from parsenet_cli.config.compose import Composer
from parsenet_cli.core.text import silent
from parsenet_cli.data import sets
from parsenet_cli.engine import cost
from parsenet_cli.engine.probe import Probe, take_turns

SHAPE = (3, 48, 48)
CONTEXT = ("body=reduced", "layers=[pool6,fc7]", "fusion=early")


@pytest.fixture
def configurations(cache: Path) -> cost.Configurations:
    return cost.Configurations(Composer(profile.load("quick"), ["device=cpu"], cache), silent)


def test_a_norm_has_a_parameter_for_each_channel(configurations: cost.Configurations) -> None:
    plain, normalised = (configurations.config((*CONTEXT, f"norm={norm}")) for norm in ("none", "l2"))
    before, after = cost.compare([plain, normalised], rounds=1)
    channels = 2 * Probe(plain, SHAPE).model.trunk.channels["fc7"]
    assert (before.norm_parameters, before.normalised_channels) == (0, 0)
    assert after.norm_parameters == after.normalised_channels == channels
    assert after.parameters == before.parameters + channels
    assert before.shape == (10, 144, 144)  # as the generated scenes
    assert len(after.step) == len(after.inference) == 1
    shared = cost.compare([configurations.config((*CONTEXT, "norm=l2", "norm_shared=true"))], rounds=1)[0]
    assert (shared.norm_parameters, shared.normalised_channels) == (2, channels)


def test_memory_of_a_step_is_what_autograd_keeps_and_three_times_the_parameters(
    configurations: cost.Configurations,
) -> None:
    probe = Probe(configurations.config(("body=reduced", "layers=[fc7]", "norm=none", "recipe.dropout=0")), SHAPE)
    parameters = sum(parameter.numel() for parameter in probe.model.parameters())
    kept = cost.step_memory(probe) - 3 * 4 * parameters
    assert cost.step_memory(probe) - 3 * 4 * parameters == kept, "the same each time"
    # Of the loss alone: softmax - onehot of every pixel, and a weight for each pixel.
    classes, height, width = SHAPE
    assert kept > 4 * (classes + 1) * height * width
    larger = Probe(configurations.config(("body=reduced", "layers=[fc7]", "norm=none")), (3, 96, 96))
    assert cost.step_memory(larger) - 3 * 4 * parameters == pytest.approx(4 * kept, rel=0.05)


def test_networks_stay_as_they_are_while_they_are_measured(configurations: cost.Configurations) -> None:
    config = configurations.config(CONTEXT)
    assert config.science.recipe.images == 1
    probe = Probe(config, SHAPE)
    before = [parameter.detach().clone() for parameter in probe.model.parameters()]
    probe.step()
    for old, new in zip(before, probe.model.parameters(), strict=True):
        assert new.detach().allclose(old, rtol=0, atol=1e-6)


def test_what_a_recipe_saves_is_not_measured(configurations: cost.Configurations) -> None:
    """The pairs would otherwise be compared without conv1 and conv2, where a pad of 100 takes most of its time."""
    saving = ("recipe.frozen=[conv1,conv2]", "recipe.loss_stride=2")
    assert configurations.composer.science(saving).recipe.frozen == ("conv1", "conv2")
    config = configurations.config((*CONTEXT, *saving))
    assert config == configurations.config((*CONTEXT, "recipe.frozen=[]", "recipe.loss_stride=1"))
    probe = Probe(config, SHAPE)
    probe.step()
    assert "frozen" not in probe.model.roles().values()
    assert all(parameter.grad is not None for parameter in probe.model.trunk.parameters())


def test_variants_take_turns_and_every_second_round_goes_the_other_way() -> None:
    called: list[str] = []
    times = take_turns([lambda: called.append("a"), lambda: called.append("b")], rounds=2, tries=2)
    assert "".join(called) == "bbaa" + "aabb" + "bbaa"
    assert [len(each) for each in times] == [2, 2]


def test_data_that_is_not_at_hand_has_a_usual_shape() -> None:
    assert sets.usual("voc12") == sets.usual("folder") == (21, 375, 500)
    assert sets.usual("siftflow") == (33, 256, 256)
    assert sets.usual("synthetic_context") == (12, 144, 144)
