"""The questions of the protocol: every default is the configuration's, every other answer can be chosen and changes the run."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from parsenet_cli.config import profile, table_file
from parsenet_cli.config.compose import Composer
from parsenet_cli.config.deviations import cell_settings, deviations_of, settings_of
from parsenet_cli.config.overrides import axis_choices
from parsenet_cli.config.protocol import OPEN, STATED, Mark, Switch, in_a_table
from parsenet_cli.core import paths
from parsenet_cli.core.run_config import Recipe, RunConfig, Science
from parsenet_cli.models import support

SWITCHES = (*OPEN, *STATED)
COMPARED_OR_IDENTITY = {"classes", "data_id", "seed"}
REFUSED = {"skip_training=staged": "starts from a trained network"}
"""Answers that are not built: the cell says n/a and why."""


@pytest.fixture(scope="module")
def composer(tmp_path_factory: pytest.TempPathFactory) -> Composer:
    """In the authors' own arithmetic, which the profile does not take."""
    paper = profile.load("paper")
    assert "precision=bfloat16" in paper.overrides
    kept = tuple(text for text in paper.overrides if text != "precision=bfloat16")
    return Composer(replace(paper, overrides=kept), (), tmp_path_factory.mktemp("composed"))


def overrides_of(switch: Switch) -> tuple[str, ...]:
    table, row, column = switch.cell.split(".")
    (cell,) = table_file.load(table).cells(cited=True, rows=[row], columns=[column])
    return cell.overrides


def value(science: Science, key: str) -> object:
    group, _, name = key.rpartition(".")
    return getattr(science.recipe if group else science, name)


@pytest.mark.parametrize("switch", SWITCHES, ids=lambda switch: switch.question)
def test_default_is_what_its_cell_composes_to(switch: Switch, composer: Composer) -> None:
    science = composer.science(overrides_of(switch))
    assert {key: value(science, key) for key in switch.default} == dict(switch.default)
    assert switch.arises(science) or switch in STATED or switch.arises is in_a_table


@pytest.mark.parametrize("switch", SWITCHES, ids=lambda switch: switch.question)
def test_every_other_answer_makes_another_run_that_deviates(
    switch: Switch, composer: Composer, config: RunConfig
) -> None:
    cell = overrides_of(switch)
    given = config.model_copy(update={"science": composer.science(cell)})
    for answer in switch.others.split(" | "):
        science = composer.science((*cell, *answer.split()))
        assert config.model_copy(update={"science": science}).signature != given.signature
        reason = support.unsupported(science)
        assert (REFUSED[answer] in (reason or "")) if answer in REFUSED else reason is None
        found = deviations_of(settings_of(science), cell_settings(cell))
        assert {deviation.key for deviation in found} == {text.partition("=")[0] for text in answer.split()}


def test_every_axis_and_number_belongs_to_a_switch() -> None:
    keys = {key for switch in SWITCHES for key in switch.default}
    fields = {*Science.model_fields, *(f"recipe.{key}" for key in Recipe.model_fields)} - {"recipe"}
    assert fields - keys == COMPARED_OR_IDENTITY


def test_open_questions_are_the_rows_of_the_protocol_page() -> None:
    page = (Path(__file__).parents[3] / "docs/protocol.md").read_text()
    rows = re.findall(r"^\| (\d+) \| (.*) \| (.*) \| (.*) \|$", page.split("## Every open choice")[1], re.M)
    assert [int(number) for number, *_ in rows] == list(range(1, len(OPEN) + 1))
    for switch, (number, *_, other) in zip(OPEN, rows, strict=True):
        written = {text for answer in re.findall(r"`([^`]*)`", other) for text in answer.split() if "…" not in text}
        assert written - {"weights"} <= set(switch.others.split()), number


def test_the_page_defines_every_mark_and_no_other() -> None:
    page = (Path(__file__).parents[3] / "docs/protocol.md").read_text()
    assert tuple(re.findall(r"^\| \*\*([a-z -]+)\*\* \| ", page, re.M)) == get_args(Mark)


def test_every_number_of_a_recipe_has_a_mark_that_the_page_defines() -> None:
    for name in axis_choices("recipe"):
        head, _, numbers = (paths.shipped("conf/recipe") / f"{name}.yaml").read_text().partition("defaults:")
        comments = " ".join(re.findall(r"#.*", f"{head}{numbers}"))
        assert set(re.findall(r"\[([a-z][a-z -]*)\]", comments)) <= set(get_args(Mark)), name
        for line in numbers.splitlines()[1:]:
            assert re.search(r"# \[[a-z][a-z -]*\]", line), f"{name}: {line}"


@pytest.mark.parametrize("name", table_file.names())
def test_no_cell_of_a_table_deviates_from_itself(name: str, composer: Composer) -> None:
    for cell in table_file.load(name).cells(cited=True):
        assert not deviations_of(settings_of(composer.science(cell.overrides)), cell_settings(cell.overrides)), (
            cell.row.key
        )
