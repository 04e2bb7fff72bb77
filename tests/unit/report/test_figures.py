"""Figures: what is measured is right, what is kept is found again, and what is drawn is a whole file."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from torch import nn

from parsenet_cli.config import table_file
from parsenet_cli.core import sealed
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.core.text import silent
from parsenet_cli.engine.cost import NetworkCost
from parsenet_cli.engine.loaded import LoadedNetwork
from parsenet_cli.models.build import build_model
from parsenet_cli.models.geometry import Grid
from parsenet_cli.report import figures, measure, plot
from parsenet_cli.report.figures import context, cost, curves, receptive_field, scales, table
from parsenet_cli.store import figures as figure_store
from parsenet_cli.store.run import Run, Store
from parsenet_cli.store.study import StudyCell
from tests.claim_store import signature_of
from tests.conftest import changed
from tests.unit.engine.test_training import split
from tests.unit.report.test_paper_table import study_of

SIDE = 96
ABOUT = {"study": "s", "table": "table4", "profile": "quick", "seeds": 2, "overrides": [], "command": ""}


@pytest.fixture(scope="module")
def network(config: RunConfig) -> LoadedNetwork:
    """An untrained thin VGG with every layer and norm, and four images of noise."""
    science = changed(config, layers=("pool6", "fc7", "conv5", "conv4", "conv3")).science
    model = build_model(science, 3, None).eval()
    return LoadedNetwork(model, split(4, SIDE), science, None, torch.device("cpu"), silent)


# --- what is measured ------------------------------------------------------------------------------------------------


def test_scales_are_the_norms_of_the_features(network: LoadedNetwork) -> None:
    measured = scales.data(network, images=4, positions=2)
    with torch.inference_mode():
        maps = [network.model.trunk(network.model.preprocess(network.image(i)), ["conv4"])["conv4"] for i in range(4)]
    expected = float(torch.stack(maps).norm(dim=2).mean())
    assert measured["layers"]["conv4"]["mean"] == pytest.approx(expected, rel=1e-5)
    for layer in measured["layers"].values():
        assert layer["after"]["quantiles"]["50"] == pytest.approx(10, rel=1e-4)
    means = {layer: content["mean"] for layer, content in measured["layers"].items()}
    assert measured["ratio"]["estimate"] == pytest.approx(max(means.values()) / means["fc7"])
    assert measured["ratio"]["low"] <= measured["ratio"]["estimate"] <= measured["ratio"]["high"]
    assert [len(place["values"]["conv3"]) for place in measured["positions"]] == [24, 24]
    assert not measured["by_construction"]


def test_scales_of_a_trunk_that_was_rescaled_are_said_to_be_no_evidence(network: LoadedNetwork) -> None:
    rescaled = network.science.model_copy(update={"weights": "pretrained:vgg_tiny:1"})
    for run, by_construction in ((None, True), ("0123456789ab", False)):
        loaded = replace(network, science=rescaled, run=run)
        assert scales.data(loaded, images=1)["by_construction"] == by_construction


class _Looking(nn.Module):
    """A stand-in for a trunk whose fc7 is the mean of a square of known side around each 8th pixel."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side
        self.grids = {"fc7": Grid(stride=8, offset=4.0, field=65)}

    def forward(self, x: torch.Tensor, wanted: list[str]) -> dict[str, torch.Tensor]:
        padded = nn.functional.pad(x.mean(1, keepdim=True), [self.side // 2] * 4)
        return {"fc7": nn.functional.avg_pool2d(padded, self.side, stride=1)[:, :, 4::8, 4::8].relu()}


@pytest.mark.parametrize("side", [5, 13])
def test_receptive_field_is_what_a_network_looks_at(network: LoadedNetwork, side: int) -> None:
    model = nn.Module()
    model.trunk, model.preprocess = _Looking(side), _Plain()
    looking: Any = replace(network, model=model)  # type: ignore[arg-type]
    measured = receptive_field.data(looking, images=2, units=1, draws=1, patch=4, stride=2)
    for unit in measured["units"]:
        assert unit["area"]["gradient"] == side**2
        assert side**2 <= unit["area"]["0.10"] <= unit["area"]["0.05"] <= (side + 8) ** 2
        assert 0.9 * 65**2 * 0.9 <= unit["theoretical_area"] <= 65**2
    shares = [unit["area"]["0.05"] / unit["theoretical_area"] for unit in measured["units"]]
    assert measured["shares"]["0.05"]["estimate"] == pytest.approx(np.mean(shares))


class _Plain(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.float()


def test_noise_outside_the_theoretical_field_changes_nothing(network: LoadedNetwork) -> None:
    grid = network.model.trunk.grids["fc7"]
    images = torch.randint(0, 256, (2, 3, 160, 160), dtype=torch.uint8)
    images[1] = images[0]
    cell = round(80 / grid.stride)
    low, high = int(grid.centre(cell) - grid.field / 2), int(grid.centre(cell) + grid.field / 2) + 2
    assert 0 < low < high < 160
    images[1, :, :low], images[1, :, high:] = 0, 255
    images[1, :, :, :low], images[1, :, :, high:] = 255, 0
    with torch.inference_mode():
        fc7 = network.model.trunk(network.model.preprocess(images), ["fc7"])["fc7"]
    assert torch.equal(fc7[0, :, cell, cell], fc7[1, :, cell, cell])


def test_context_counts_confusions_by_their_kind() -> None:
    baseline = np.array([[50, 4, 0], [6, 20, 10], [0, 8, 2]])  # background, cat, dog
    parsenet = np.array([[50, 4, 0], [6, 27, 3], [0, 3, 7]])
    errors = context._errors(["background", "cat", "dog"], np.array([[[baseline] * 3, [parsenet] * 3]]))
    assert errors["between_objects"]["baseline"] == pytest.approx(18.0)
    assert errors["between_objects"]["drop"]["estimate"] == pytest.approx(12.0)
    assert errors["object_background"]["drop"]["estimate"] == pytest.approx(0.0)
    without = context._errors(["sky", "sea", "sand"], np.array([[[baseline], [parsenet]]]))
    assert without["object_background"] is without["spurious"] is None


def test_spurious_is_an_object_on_background_or_one_that_is_absent() -> None:
    both = [[50, 4, 0], [6, 20, 10], [0, 8, 2]]  # background, cat, dog: 4 cat on background
    no_dog = [[50, 4, 1], [6, 20, 19], [0, 0, 0]]  # 4 + 1 on background, 19 dog on a cat without any dog
    cleaned = [[55, 0, 0], [6, 39, 0], [0, 0, 0]]
    errors = context._errors(["background", "cat", "dog"], np.array([[[both, no_dog], [both, cleaned]]]))
    assert errors["spurious"]["baseline"] == pytest.approx(100 * (4 + 24) / 200)
    assert errors["spurious"]["parsenet"] == pytest.approx(100 * 4 / 200)
    assert errors["spurious"]["drop"]["estimate"] == pytest.approx(100 * 24 / 200)


def test_an_image_loses_where_every_seed_does() -> None:
    gain = np.array([[-0.1, -0.1, 0.2, np.nan], [-0.2, 0.1, 0.1, -0.1]])
    losing = context._losing(gain)
    assert losing["estimate"] == 1 / 4
    assert losing["low"] == pytest.approx(1 - 0.975 ** (1 / 4))  # Clopper and Pearson, one of four
    assert context._losing(np.ones((2, 4)))["low"] == 0


def test_cost_is_the_ratio_of_the_second_to_the_first_over_rounds() -> None:
    ratio = cost._ratio([1.0, 2.0, 4.0], [2.0, 2.0, 16.0])
    half = (
        4.3027 * np.log(2) / 3**0.5
    )  # Student's t of two degrees of freedom; logarithms of 2, 1, 4 to the base 2: 1, 0, 2
    error = np.log(2) / 3**0.5  # of the logarithm
    expected = [2.0, 2 * np.exp(-half), 2 * np.exp(half), error, 2]
    assert list(ratio.values()) == pytest.approx(expected, abs=1e-3)
    assert cost._ratio([1.0], [3.0]) == pytest.approx({"estimate": 3.0, "low": 3.0, "high": 3.0})


def test_cost_draws_what_can_be_built_and_names_the_rest() -> None:
    networks = [NetworkCost((21, 8, 8), n, 0, n, 100 * n, [1.0, 2.0], [1.0, 1.5]) for n in (10, 12)]
    first, second = networks
    ratios = {"parameters": cost._exact(1.2), "memory": cost._exact(1.2), "step": cost._ratio(first.step, second.step)}
    pair = {"title": "a over b", "cells": ["a", "b"], **ratios, "inference": ratios["step"]}
    about = {"profile": "quick", "trunk": "vgg_tiny", "device": "a processor", "threads": 2}
    missing = {"title": "c over d", "cells": ["c", "d"], "not_applicable": "no such body"}
    whole(cost.draw, {"rounds": 2, "pairs": {"one": pair, "other": missing}, "about": about})
    whole(cost.draw, {"rounds": 2, "pairs": {"other": missing}, "about": about})
    assert cost._per_channel(first, second) == cost._exact(1.0)
    assert cost._per_channel(first, first) is None


@pytest.mark.parametrize("name", cost.PAIRS)
def test_pairs_of_cost_are_cells_that_can_be_run(name: str) -> None:
    _, first, second = cost._pair(name)
    assert cost._overrides(first) != cost._overrides(second)


def test_context_without_such_a_pair_says_which_cells_there_are(store: Store, run: Run) -> None:
    study = replace(study_of("table4", {}, store), cells=(StudyCell("fc7", "raw", 0, run.signature),))
    with pytest.raises(UserError, match=r"name them, baseline=ROW.COLUMN parsenet=ROW.COLUMN, of fc7.raw"):
        context.data(study, store)
    with pytest.raises(UserError, match=r"unknown cell of table4 'fc8\.raw'"):
        context.data(study, store, baseline="fc8.raw")


def test_curves_share_a_line_where_columns_share_runs_and_mark_collapse(store: Store) -> None:
    study = study_of("table4", {("conv3", "raw"): [0.009], ("conv3", "norm"): [0.5]}, store)
    for column, losses in (("raw", [3.0, None, 5.0]), ("norm", [3.0, 2.0, 1.0])):
        for iteration, loss in enumerate(losses):
            run = store.run(signature_of(f"conv3-{column}-0"))
            run.append_metrics({"iteration": iteration, "loss": loss, "lr": 1, "seconds": 0})
    measured = curves.data(study, store)
    (row,) = measured["rows"]
    assert [(c["label"], c["seeds"][0]["iteration"], c["seeds"][0]["collapsed"]) for c in row["curves"]] == [
        ("w/o Norm", [0, 2], True),
        ("w/ Norm", [0, 1, 2], False),
    ]
    whole(curves.draw, measured)
    shared = study_of("table3", {}, store)
    cells = tuple(StudyCell("fc7", column.key, 0, signature_of("conv3-norm-0")) for column in shared.table.columns)
    (row,) = curves.data(replace(shared, cells=cells), store)["rows"]
    assert [len(curve["columns"]) for curve in row["curves"]] == [4]


def test_nothing_measured_is_said_not_drawn(store: Store) -> None:
    study = study_of("table4", {("fc7", "raw"): ["failed"]}, store)
    for module in (curves, table):
        with pytest.raises(UserError, match=r"none of its runs .* Run `parsenet ablate table4` first"):
            module.data(study, store)


def test_table_has_every_printed_and_measured_number(store: Store) -> None:
    study = study_of("table4", {("fc7", "raw"): [0.30, 0.32], ("conv3", "raw"): [0.009, 0.5]}, store)
    measured = {(cell["row"], cell["column"]): cell for cell in table.data(study, store)["cells"]}
    assert measured["fc7", "raw"]["mean"] == pytest.approx(31)
    assert measured["fc7", "raw"]["paper"] == 36.6
    assert measured["conv3", "raw"]["collapsed"] == 1
    assert measured["fc7", "norm"]["values"] == []
    assert ("fcn8s", "norm") not in measured


# --- what is kept and drawn ------------------------------------------------------------------------------------------


def whole(draw: Any, data: dict[str, Any]) -> None:
    with plot.style():
        draw({"about": ABOUT, **data}).savefig("/dev/null", format="svg")


def table_data(store: Store, name: str) -> dict[str, Any]:
    spec = table_file.load(name)
    values: dict[tuple[str, str], list[float | str]] = {(c.row.key, c.column.key): [0.5, 0.4] for c in spec.cells()}
    measured = table.data(study_of(name, values, store), store)
    return {"figure": "table", "created": "2026", "about": {**ABOUT, "table": name}, **measured}


@pytest.mark.parametrize("name", table_file.names())
def test_every_table_can_be_drawn(store: Store, name: str) -> None:
    whole(table.draw, table_data(store, name))


def test_svgs_of_one_page_share_no_name_refer_to_nothing_outside_and_escape(store: Store) -> None:
    data = table_data(store, "table4")
    data["rows"]["fc7"] = "<script>alert(1)</script> $x$ & co"
    first, second = figures.svg("table", data), figures.svg("table", {**data, "created": "2027"})
    ids = []
    for text in (first, second):
        ElementTree.fromstring(text)
        assert "<script" not in text
        ids_here = re.findall(r'\bid="([^"]+)"', text)
        references = re.findall(r'(?:href="#|url\(#)([^")]+)', text)
        assert references
        assert set(references) <= set(ids_here)
        assert not re.search(r'href="(?!#|data:)', text)
        ids += ids_here
    assert len(set(ids)) == len(ids)
    assert figures.svg("table", data) == first


def test_saved_figures_are_the_same_bytes_each_time(store: Store) -> None:
    data = table_data(store, "table4")
    for form in plot.SUFFIXES:
        contents = []
        for n in range(2):
            file = store.root / f"{n}.{form}"
            with plot.style(), figures.drawing("table", data) as drawn:
                plot.save(drawn, file)
            contents.append(file.read_bytes())
        assert contents[0] == contents[1]
        assert len(contents[0]) > 1000


def test_newest_measurement_of_a_study_is_found_and_what_is_none_passed_over(store: Store) -> None:
    study = study_of("table4", {}, store)
    assert figure_store.newest_first(store, "scales", [study]) == []
    folder, about = store.figures / "scales", {"study": study.name}
    for key, created in (("a", "2026-01-02"), ("b", "2026-01-03"), ("c", "2026-01-01")):
        sealed.write_json(folder / f"{key}.json", {"figure": "scales", "created": created, "about": about, "key": key})
    sealed.write_json(
        folder / "of_another.json", {"figure": "scales", "created": "2027", "about": {"study": "another"}}
    )
    sealed.write_json(folder / "foreign.json", {"figure": "another", "created": "2027", "about": about})
    sealed.write_json(folder / "list.json", [])
    (folder / "half.json").write_text('{"figure": "sca')
    assert [one["key"] for one in figure_store.newest_first(store, "scales", [study])] == ["b", "a", "c"]
    assert (figure_store.load(store, "scales", "a") or {})["key"] == "a"
    assert figure_store.load(store, "scales", "half") is None
    assert list(figure_store.load_all(store, "scales")) == ["a", "b", "c", "of_another"]


def test_data_of_another_version_is_named(store: Store) -> None:
    with pytest.raises(UserError, match=r"kept data of figure scales .* measure again"):
        figures.svg("scales", {"figure": "scales", "layers": {}})


def test_options_are_found_and_other_keys_are_refused_by_name(store: Store) -> None:
    assert figures.names() == ["context", "cost", "curves", "receptive-field", "scales", "table"]
    assert figures.options(figures.find("receptive-field"))["patch"] is None
    for arguments, message in {
        ("scale",): "unknown figure 'scale'. Did you mean 'scales'",
        ("scales", "image=3"): "unknown option of figure scales: 'image'. Did you mean 'images'",
        ("scales", "images=0"): "images=0: expected a whole number from 1",
        ("scales", "table4"): "is of a network, not of a table",
        ("cost", "table4"): "is of configurations, not of a table",
        ("cost", "pairs=padd"): "unknown pair of figure cost 'padd'. Did you mean 'pad'",
        ("cost", "pairs=table6.fc7_n.mean_iu/fc7_n"): "'fc7_n': expected a cell, table.row.column, or overrides",
        ("cost", "pairs=table3.fcn16s.mean_iu/table4.fcn8s.norm"): "fcn8s.norm of table4 cannot be run",
        ("curves",): "expected a table",
        ("curves", "table99"): "unknown table 'table99'",
        ("curves", "table4"): "table4 has not been run",
        ("curves", "table4", "norm=none"): "unknown option of figure curves: 'norm'",
    }.items():
        with pytest.raises(UserError, match=re.escape(message)):
            measure.make_figure(store, arguments[0], arguments[1:], None, None, None, pytest.fail)
    with pytest.raises(UserError, match=r"expected a name that ends in .png, .pdf, .svg"):
        measure.make_figure(store, "scales", [], None, None, store.root / "a.jpg", pytest.fail)
    assert not store.figures.exists()


def test_a_measurement_that_says_the_same_is_not_rewritten(store: Store) -> None:
    first = measure._kept(store, "table", "k", {"command": "one"}, {}, {"cells": (1, 2)}, silent)
    again = measure._kept(store, "table", "k", {"command": "two"}, {}, {"cells": (1, 2)}, silent)
    assert again == json.loads(json.dumps(first))
    assert measure._kept(store, "table", "k", {}, {}, {"cells": (1, 3)}, silent) != again


def test_context_intervals_are_over_seeds_and_images() -> None:
    labelled = np.full(4, 100)
    over_seeds = context._estimated(np.outer([1, 2, 3], np.ones(4, np.int64)), labelled)
    half = 4.3027 / 3**0.5  # Student's t of two degrees of freedom, standard deviation 1
    assert list(over_seeds.values()) == pytest.approx([2.0, 2.0 - half, 2.0 + half, 3**-0.5, 2.0], abs=1e-4)
    over_images = context._estimated(np.array([[0, 1, 2, 3]]), labelled)
    error = (5 / 4**2) ** 0.5  # squared distances to the mean 1.5 add to 5
    half = 3.1824 * error  # three degrees of freedom
    assert list(over_images.values()) == pytest.approx([1.5, 1.5 - half, 1.5 + half, error, 3.0], abs=1e-4)
