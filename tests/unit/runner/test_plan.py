"""What a command would need, told before anything is carried out, and before the data are here."""

from __future__ import annotations

from pathlib import Path

import pytest

from parsenet_cli.config import profile, sweep, table_file
from parsenet_cli.config.compose import Composer
from parsenet_cli.core.errors import DataNotHere, UserError
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.models import trunks
from parsenet_cli.models.weights import sources
from parsenet_cli.runner import needs
from parsenet_cli.runner import plan as planning
from parsenet_cli.runner.cost import CostModel
from parsenet_cli.runner.plan import PlanSummary
from parsenet_cli.store.run import Store
from tests import made_store, voc_folder
from tests.conftest import changed


def summarize(composer: Composer, store: Store, *tables: str) -> PlanSummary:
    """The plan of these tables with one seed, whatever data are here."""
    plans = [planning.plan_table(table_file.load(name), composer, (0,), data_needed=False) for name in tables]
    return planning.summarize(plans, store, composer.launcher([]), probe=False, progress=pytest.fail)


@pytest.fixture
def paper(store: Store) -> Composer:
    """The profile of the paper, whose data are not here."""
    return Composer(profile.load("paper"), [], store.cache)


def test_runs_are_counted_without_data_as_they_are_with_them(paper: Composer, store: Store) -> None:
    summary = summarize(paper, store, "table3", "table4", "table6")
    quick = summarize(Composer(profile.load("quick"), [], store.cache), store, "table3", "table4", "table6")
    assert (len(summary.cells), summary.runs, summary.missing) == (len(quick.cells), quick.runs, quick.runs)
    assert [cell.shared_with for cell in summary.cells] == [cell.shared_with for cell in quick.cells]
    assert summary.steps >= 80_000 * summary.runs
    assert summary.seconds is None
    assert {tuple(cell["signatures"]) for cell in summary.as_json()["cells"]} == {()}
    assert all(cell["signatures"] for cell in quick.as_json()["cells"] if not cell["reason"])


def test_what_is_not_here_is_named_with_what_gets_it_and_its_size(paper: Composer, store: Store) -> None:
    told = [str(each) for each in summarize(paper, store, "table3", "table4", "table6").not_here]
    given = "or pass data_root=/path/to/folder"
    assert told[:3] == [
        f"not here: data=siftflow: `parsenet data get siftflow` (about 140.0 MB to download), {given}",
        f"not here: data=pascal_context: `parsenet data get pascal_context` (about 1.3 GB to download), {given}",
        f"not here: data=voc12: `parsenet data get voc12` (about 3.3 GB to download), {given}",
    ]
    assert any("`parsenet weights get caffe_full --trunk vgg16` (about 553.4 MB to download)" in each for each in told)


def test_weights_that_are_here_are_not_asked_for(paper: Composer, store: Store) -> None:
    (name,) = {config.science.weights for config in [paper.run_config(data_needed=False)]}
    file = sources.converted_file("vgg16", name, store.cache / "weights")
    runs = [paper.run_config(data_needed=False)]
    assert [each.what for each in needs.not_here(runs, store.cache)] == ["data=voc12", f"weights={name}"]
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")
    assert [each.what for each in needs.not_here(runs, store.cache)] == ["data=voc12"]


def test_only_a_plan_does_without_data(paper: Composer) -> None:
    with pytest.raises(DataNotHere, match="parsenet data get voc12"):
        planning.plan_table(table_file.load("table6"), paper, (0,))


def test_time_of_data_that_are_gone_is_that_of_runs_on_them(paper: Composer, store: Store) -> None:
    planned = paper.run_config(data_needed=False)
    cost = CostModel(store)
    cost.add(changed(planned, data_id="siftflow:0123"), 5.0)
    assert cost.seconds(planned) is None
    cost.add(changed(planned, data_id="voc12:0123"), 0.5)
    assert cost.seconds(planned) == 0.5 * planned.science.recipe.steps


def test_time_on_a_gpu_and_in_another_arithmetic_is_another_kind_of_time(config: RunConfig, store: Store) -> None:
    open_choice = changed(config, device="auto")
    made_store.add_run(store, open_choice)
    for on_gpu in (False, True):
        cost = CostModel(store, on_gpu)
        assert (cost.seconds(open_choice) is None) == on_gpu, "the run was done on a CPU"
        assert cost.seconds(changed(open_choice, device="cuda")) is None
        assert cost.seconds(changed(open_choice, precision="bfloat16")) is None
        assert cost.weights_count(changed(open_choice, precision="bfloat16")) == cost.weights_count(open_choice)
    assert CostModel(store, on_gpu=True).seconds(changed(open_choice, device="cpu")) is not None


def test_results_that_take_longer_to_write_take_more_disk(config: RunConfig, store: Store) -> None:
    cost, kept = CostModel(store), changed(config, keep_model=True)
    count = cost.weights_count(config)
    without = cost.total_bytes([config])
    assert count is not None
    assert without is not None
    assert cost.total_bytes([kept, kept]) == 2 * (without + 4 * count)
    assert cost.checkpoint_bytes([config] * 3, slots=2) == 2 * cost.checkpoint_bytes([config], slots=2)  # type: ignore[operator]
    made_store.add_run(store, config)
    assert CostModel(store).total_bytes([config]) != without, "what was measured goes before"


@pytest.mark.parametrize("name", ["vgg_tiny", "squeezenet"])
def test_weights_are_counted_as_they_are_built(name: str) -> None:
    trunk = trunks.find(name)
    for body in trunk.bodies:
        built = sum(parameter.numel() for parameter in trunk.skeleton(body).parameters())
        assert trunk.weights_count(body) == built


def test_decoded_images_are_part_of_the_disk_until_they_are_there(store: Store, tmp_path: Path) -> None:
    photos = voc_folder.write(tmp_path / "photos", "no yes", train="a b c", val="d")
    composer = Composer(profile.load("photos"), [f"data_root={photos}"], store.cache)
    spec, seed = sweep.single([])
    plan = planning.plan_table(spec, composer, [seed])

    def room() -> needs.CacheRoom:
        return planning.summarize([plan], store, composer.launcher([]), probe=False, progress=pytest.fail).cache

    assert room() == needs.CacheRoom(to_write=4 * 4 * 6 * 8, there=0)


@pytest.mark.parametrize(
    ("arguments", "several"),
    [(["fusion=early,late"], True), (["layers=[pool6,fc7]", "launcher.slots=2"], False), (["seed=range(3)"], True)],
)
def test_a_grid_is_told_from_a_run(arguments: list[str], several: bool) -> None:
    assert sweep.names_several(arguments) is several


def test_arithmetic_that_a_cpu_lacks_is_no_run_of_a_table_and_no_input_of_a_user(store: Store) -> None:
    quick = Composer(profile.load("quick"), [], store.cache)
    planned = planning.plan_table(table_file.load("arithmetic"), quick, (0,), data_needed=False)
    reasons = {cell.column: cell.reason for cell in planned.study.cells}
    assert reasons == {
        "float32": "",
        "bfloat16": "",
        "tf32": "a CPU has no TF32; use precision=float32 or bfloat16, or a GPU",
    }
    anywhere = Composer(profile.load("quick"), ["device=auto"], store.cache)
    planned = planning.plan_table(table_file.load("arithmetic"), anywhere, (0,), data_needed=False)
    assert not any(cell.reason for cell in planned.study.cells), "the launcher will see"
    asked = ["precision=tf32"]
    for composer, spec in (
        (Composer(profile.load("quick"), asked, store.cache), table_file.load("arithmetic")),
        (Composer(profile.load("quick"), asked, store.cache), sweep.single(asked)[0]),
        (quick, sweep.expand([*asked, "norm=none,l2"])[0]),
    ):
        with pytest.raises(UserError, match=r"precision=tf32 device=cpu: a CPU has no TF32; use"):
            planning.plan_table(spec, composer, (0,), data_needed=False)
    grid = planning.plan_table(sweep.expand(["precision=float32,tf32"])[0], quick, (0,), data_needed=False)
    assert [bool(cell.signature) for cell in grid.study.cells] == [True, False]


def test_profile_quick_is_pinned_to_the_cpu_and_stays_the_same_runs(store: Store) -> None:
    quick = Composer(profile.load("quick"), [], store.cache)
    free = Composer(profile.load("quick"), ["device=auto"], store.cache)
    plans = [planning.plan_table(table_file.load("table6"), one, (0,), data_needed=False) for one in (quick, free)]
    assert set(plans[0].configs) == set(plans[1].configs)
    assert [planning.any_on_gpu(plan.configs.values()) for plan in plans] == [False, True]
