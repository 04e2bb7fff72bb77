"""The real command line in a subprocess: what a user types, what is printed, what is left on disk."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from parsenet_cli import __version__
from parsenet_cli.store.run import Store
from tests.conftest import PATIENCE_SECONDS, SHORT, Cli, Start, command, wait_for

TABLE = """
title: A small table
data: siftflow
base: [recipe=parsenet, body=fcn]
labels: ["Layers"]
columns:
  raw:  {header: "w/o Norm", set: [norm=none], metric: mean_iu}
  norm: {header: "w/ Norm",  set: [norm=l2],   metric: mean_iu}
rows:
  fc7:   {label: ["fc7"],         set: ["layers=[fc7]"],       paper: {raw: "36.6", norm: "**36.2**"}}
  pool6: {label: ["pool6 + fc7"], set: ["layers=[pool6,fc7]"], paper: {raw: "38.2"}}
"""


BROKEN = TABLE.replace('set: ["layers=[pool6,fc7]"]', 'set: ["layers=[pool6,fc7]", context=spp, "context_bins=[40]"]')


@pytest.fixture
def own_table(tmp_path: Path) -> str:
    """A table of two rows and two columns in the user's own ./ablations; beside it one with a row that fails."""
    (tmp_path / "ablations").mkdir()
    (tmp_path / "ablations" / "small.yaml").write_text(TABLE)
    (tmp_path / "ablations" / "broken.yaml").write_text(BROKEN)
    return "small"


def beats(results: Path) -> dict[str, int]:
    """How often each run's worker has said something: grows whenever one works on it."""
    return {run.signature: run.status().beat for run in Store(results).runs()}


def test_table_is_run_printed_written_and_not_run_again(cli: Cli, own_table: str, results: Path) -> None:
    first = cli("ablate", own_table, "--seeds", 1, *SHORT).stdout
    assert "A small table" in first
    runs = Store(results).runs()
    assert [run.state() for run in runs] == ["done"] * 4
    before = beats(results)
    second = cli("ablate", own_table, "--seeds", 1, *SHORT).stdout
    assert beats(results) == before
    assert [line for line in first.splitlines() if "pool6" in line][-1] in second

    markdown = (results / "tables/quick/small.md").read_text()
    assert cli("table", own_table, "--to", "md").stdout == markdown
    assert "**36.2**" in markdown
    assert r"\toprule" in cli("table", own_table, "--to", "latex").stdout
    assert len(cli("table", own_table, "--to", "csv").stdout.splitlines()) == 5

    assert "4 done" in cli("status").stdout
    details = json.loads(cli("show", runs[0].signature, "--json").stdout)
    assert details["result"]["network"]["features"]["fc7"]["field"] == 82
    assert str(Path.home()) not in json.dumps(details["environment"])
    differing = cli("diff", runs[0].signature, runs[1].signature).stdout
    assert "layers" in differing or "norm" in differing


def test_plan_says_what_a_narrowed_table_has_done_and_runs_nothing(cli: Cli, own_table: str, results: Path) -> None:
    assert "4 to do" in cli("plan", own_table, "--seeds", 1, *SHORT).stdout
    probed = json.loads(cli("plan", own_table, "--seeds", 1, "--probe", "--json", *SHORT).stdout)
    assert probed["seconds"] > 0, "measured without data or weights"
    assert not Store(results).runs()
    assert "±" in cli("ablate", own_table, "--seeds", 2, "--rows", "fc7", "--columns", "norm", *SHORT).stdout
    assert len(Store(results).runs()) == 2
    after = json.loads(cli("plan", own_table, "--seeds", 2, "--json", *SHORT).stdout)
    assert (after["runs"], after["missing"]) == (8, 6)
    assert after["seconds"] > 0


def test_grid_and_single_run_are_planned_as_they_are_carried_out(cli: Cli, results: Path) -> None:
    grid = ("norm=none,l2", "seed=0", "body=fcn", *SHORT)
    before = json.loads(cli("plan", *grid, "--json").stdout)
    assert (len(before["cells"]), before["runs"], before["missing"], before["steps"]) == (2, 2, 2, 24)
    single = json.loads(cli("plan", "norm=l2", "body=fcn", *SHORT, "--json").stdout)
    assert {run for cell in single["cells"] for run in cell["signatures"]} <= {
        run for cell in before["cells"] for run in cell["signatures"]
    }
    assert not Store(results).runs()
    cli("train", "norm=l2", "body=fcn", *SHORT)
    assert "1 distinct runs, 1 done, 0 to do" in cli("plan", "norm=l2", "body=fcn", *SHORT).stdout
    assert "2 distinct runs, 1 done, 1 to do" in cli("plan", *grid).stdout
    for mistake, answer in (
        (("seed=0,1",), "nothing is swept"),
        (("norm=l2", "--seeds", 2), "one run has one seed"),
        (("norm=l2,none", "--rows", "fc7"), "no table is named"),
        (("norm=l2,l3",), "unknown value for norm: 'l3'"),
        (("fuson=early",), "Did you mean 'fusion'?"),
    ):
        assert answer in cli("plan", *mistake, code=2).stderr


def test_inline_launcher_gives_the_same_result(cli: Cli, results: Path) -> None:
    arguments = ("train", "body=fcn", "launcher.threads=1", *SHORT)
    cli(*arguments)
    (run,) = Store(results).runs()
    metrics = run.done_result().metrics
    shutil.rmtree(run.folder)
    cli(*arguments, "--launcher", "inline")
    assert run.done_result().metrics == metrics


def test_one_failing_cell_leaves_the_others_and_shows_its_log(cli: Cli, own_table: str, results: Path) -> None:
    arguments = ("ablate", "broken", "--seeds", 1, *SHORT)
    done = cli(*arguments, code=2)
    assert "40" in done.stderr
    assert "failed" in done.stdout
    assert sorted(run.state() for run in Store(results).runs()) == ["done", "done", "failed", "failed"]
    cli(*arguments, code=2)
    before = beats(results)
    cli(*arguments, code=2)
    assert beats(results) == before


LONGER = (*SHORT[:3], "recipe.iterations=150", "checkpoint_seconds=0.3", "launcher.threads=1")


def test_kill_of_driver_and_workers_loses_nothing(
    cli: Cli, start: Start, own_table: str, results: Path, tmp_path: Path, cache: Path
) -> None:
    arguments = ("ablate", own_table, "--seeds", 1, *LONGER)
    store = Store(results)
    driver = start(*arguments)
    wait_for(
        lambda: any(run.result() for run in store.runs()) and any(run.has_checkpoint for run in store.runs()),
        "a result and a checkpoint", 60, every=0.02,
    )  # fmt: skip
    driver.kill()
    for pid in filter(None, [run.status().pid for run in store.runs() if run.alive()]):
        os.kill(pid, signal.SIGKILL)
    driver.wait()
    wait_for(lambda: not any(run.alive() for run in store.runs()), "the workers' end", 60, every=0.02)
    finished = {run: run.result_file.read_bytes() for run in store.runs() if run.result()}
    assert 0 < len(finished) < 4

    cli(*arguments)
    assert {run: run.result_file.read_bytes() for run in finished} == finished
    undisturbed = Store(tmp_path / "undisturbed")
    undisturbed.root.mkdir()
    undisturbed.cache.symlink_to(cache)
    cli(*arguments, "--results", undisturbed.root)
    assert [run.done_result().metrics for run in store.runs()] == [
        run.done_result().metrics for run in undisturbed.runs()
    ]


def test_interrupt_stops_cleanly_and_says_how_to_go_on(start: Start, own_table: str, results: Path) -> None:
    store = Store(results)
    driver = start("ablate", own_table, "--seeds", 1, *SHORT[:3], "recipe.iterations=100000")
    wait_for(lambda: any(run.status().iteration for run in store.runs()), "a step", 60, every=0.02)
    driver.send_signal(signal.SIGINT)
    _, printed = driver.communicate(timeout=PATIENCE_SECONDS)
    assert driver.returncode == 130
    assert "issue the same command again" in printed
    assert f"ablate {own_table}" in printed
    assert {run.state() for run in store.runs()} == {"queued"}
    assert any(run.has_checkpoint for run in store.runs())


def test_two_drivers_never_train_a_run_twice(start: Start, own_table: str, results: Path) -> None:
    drivers = [start("ablate", own_table, "--seeds", 1, *LONGER) for _ in range(2)]
    printed = [driver.communicate(timeout=PATIENCE_SECONDS) for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0], printed
    for run in Store(results).runs():
        iterations = [record["iteration"] for record in run.metrics()]
        assert iterations == sorted(set(iterations))
        assert iterations[-1] == 150


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["plan", "small"]], ids=lambda arguments: arguments[0])
def test_driver_never_imports_torch_or_pandas_for_help_list_and_plan(
    arguments: list[str], own_table: str, tmp_path: Path
) -> None:
    code = (
        "import sys; from parsenet_cli.cli.app import app\n"
        f"try: app({arguments!r})\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'pandas'} & set(sys.modules), sorted({'torch', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_help_answers_at_once(cli: Cli) -> None:
    """However busy the machine is: beside a Python that does nothing, as 0.1 s are to 0.02 s on an idle one."""

    def seconds(called: Callable[[], object]) -> float:
        started = time.perf_counter()
        called()
        return time.perf_counter() - started

    nothing = [sys.executable, "-c", ""]
    both = [(seconds(lambda: cli("--help")), seconds(lambda: subprocess.run(nothing, check=True))) for _ in range(5)]
    assert min(ours for ours, _ in both) < 15 * min(python for _, python in both)


def test_wheel_carries_its_configuration(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=Path(__file__).parents[2], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    installed, elsewhere = tmp_path / "My venv (2024), it's", tmp_path / "új=1 [b]; $c"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    elsewhere.mkdir()

    def python(*arguments: str) -> str:
        environment = {**os.environ, "PYTHONPATH": str(installed), "COLUMNS": "160"}
        return subprocess.check_output([sys.executable, *arguments], cwd=elsewhere, env=environment, text=True)

    assert "10 distinct runs" in python("-m", "parsenet_cli", "plan", "table4", "--seeds", "1")
    assert "8 distinct runs" in python("-m", "parsenet_cli", "plan", "sharing", "--seeds", "1")
    assert python("-c", "import parsenet_cli; print(parsenet_cli.__file__)").startswith(str(installed))
    shipped = {file.relative_to(installed / "parsenet_cli/shipped") for file in installed.rglob("shipped/**/*.yaml")}
    ours = [file for name in ("conf", "ablations") for file in (Path(__file__).parents[2] / name).rglob("*.yaml")]
    assert shipped == {file.relative_to(Path(__file__).parents[2]) for file in ours}
    assert (installed / "parsenet_cli/py.typed").is_file()  # a user's type checker reads our annotations
    metadata = (installed / f"parsenet-{__version__}.dist-info" / "METADATA").read_text(encoding="utf-8")
    for line in (
        f"Version: {__version__}",
        "Requires-Python: >=3.11",
        "Project-URL: Paper, https://arxiv.org/abs/1506.04579",
        "Classifier: Typing :: Typed",
    ):
        assert line in metadata.splitlines()


OWN_TABLE = """
title: Mine
data: siftflow
columns: {raw: {header: raw, metric: mean_iu, set: [norm=none]}}
rows: {fc7: {label: fc7, set: ["layers=[fc7]", recipe=mine]}}
"""


def test_clone_and_own_files_work_below_folders_of_any_name(tmp_path: Path, results: Path) -> None:
    clone, own = tmp_path / "My Papers (2024), it's", tmp_path / "My Papers (2024), it's" / 'új "tables" [a=b]'
    for part in ("parsenet_cli", "conf", "ablations"):
        shutil.copytree(Path(__file__).parents[2] / part, clone / part, ignore=shutil.ignore_patterns("__pycache__"))
    (own / "conf/recipe").mkdir(parents=True)
    (own / "conf/recipe/mine.yaml").write_text("defaults: [quick_parsenet, _self_]\niterations: 3\n")
    (own / "conf/recipe/.#mine.yaml").symlink_to("nobody@nowhere.1")
    (own / "ablations").mkdir()
    (own / "ablations/own.yaml").write_text(OWN_TABLE)
    done = subprocess.run(
        command(
            "ablate",
            "own",
            "--seeds",
            1,
            "data=synthetic_siftflow",
            "weights=none",
            "recipe.frozen=[]",
            "recipe.iterations=3",
        ),
        cwd=own,
        env={**os.environ, "PYTHONPATH": str(clone), "PARSENET_RESULTS": str(results), "COLUMNS": "160"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (run,) = Store(results).runs()
    assert (run.state(), run.config().science.recipe.iterations) == ("done", 3)
    assert (results / "tables/quick/own.md").is_file()
