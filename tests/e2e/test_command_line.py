"""The real command line in a subprocess: what a user types, what is printed, what is left on disk."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from parsenet_cli.store.run import Run, Store
from tests.conftest import SHORT, Cli, command, environment, wait_for

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


@pytest.fixture
def own_table(tmp_path: Path) -> str:
    """A table of two rows and two columns in the user's own ./ablations."""
    folder = tmp_path / "ablations"
    folder.mkdir()
    (folder / "small.yaml").write_text(TABLE)
    return "small"


def beats(results: Path) -> dict[str, int]:
    """How often each run's worker has said something: grows whenever one works on it."""
    return {run.signature: run.status().beat for run in Store(results).runs()}


def test_table_is_run_printed_written_and_not_run_again(cli: Cli, own_table: str, results: Path) -> None:
    first = cli("ablate", own_table, "--seeds", 1, *SHORT)
    assert first.returncode == 0, first.stderr
    assert "A small table" in first.stdout
    assert {run.state() for run in Store(results).runs()} == {"done"}
    assert len(Store(results).runs()) == 4
    before = beats(results)
    second = cli("ablate", own_table, "--seeds", 1, *SHORT)
    assert second.returncode == 0
    assert beats(results) == before
    assert [line for line in first.stdout.splitlines() if "pool6" in line][-1] in second.stdout

    markdown = (results / "tables/quick/small.md").read_text()
    assert cli("table", own_table, "--to", "md").stdout == markdown
    assert "**36.2**" in markdown
    assert r"\toprule" in cli("table", own_table, "--to", "latex").stdout
    lines = cli("table", own_table, "--to", "csv").stdout.splitlines()
    assert len(lines) == 5

    shown = cli("status")
    assert "4 done" in shown.stdout
    signature = Store(results).runs()[0].signature
    details = json.loads(cli("show", signature, "--json").stdout)
    assert details["result"]["network"]["features"]["fc7"]["field"] == 82
    assert str(Path.home()) not in json.dumps(details["environment"])
    differing = cli("diff", signature, Store(results).runs()[1].signature).stdout
    assert "layers" in differing or "norm" in differing


def test_rows_and_columns_narrow_a_table(cli: Cli, own_table: str, results: Path) -> None:
    done = cli("ablate", own_table, "--seeds", 2, "--rows", "fc7", "--columns", "norm", *SHORT)
    assert done.returncode == 0, done.stderr
    assert len(Store(results).runs()) == 2
    assert "±" in done.stdout


def test_plan_says_what_is_done_and_runs_nothing(cli: Cli, own_table: str, results: Path) -> None:
    before = cli("plan", own_table, "--seeds", 1, *SHORT)
    assert "4 to do" in before.stdout
    assert not Store(results).runs()
    cli("ablate", own_table, "--seeds", 1, "--rows", "fc7", *SHORT)
    after = json.loads(cli("plan", own_table, "--seeds", 1, "--json", *SHORT).stdout)
    assert (after["runs"], after["missing"]) == (4, 2)
    assert after["seconds"] > 0


def test_probe_measures_without_data_or_weights(cli: Cli, own_table: str, results: Path) -> None:
    probed = json.loads(cli("plan", own_table, "--seeds", 1, "--probe", "--json", *SHORT).stdout)
    assert probed["seconds"] > 0
    assert not Store(results).runs()


def test_sweep_prints_a_table_of_its_grid(cli: Cli) -> None:
    done = cli("sweep", "fusion=early,late", "norm=none,l2", "--seeds", 1, "body=fcn", *SHORT)
    assert done.returncode == 0, done.stderr
    assert "norm=none" in done.stdout
    assert "late" in done.stdout


def test_inline_launcher_gives_the_same_result(cli: Cli, results: Path) -> None:
    arguments = ("train", "body=fcn", "launcher.threads=1", *SHORT)
    assert cli(*arguments).returncode == 0
    (run,) = Store(results).runs()
    first = run.result()
    shutil.rmtree(run.folder)
    assert cli(*arguments, "--launcher", "inline").returncode == 0
    second = run.result()
    assert first is not None
    assert second is not None
    assert first["metrics"] == second["metrics"]


def test_one_failing_cell_leaves_the_others_and_shows_its_log(cli: Cli, tmp_path: Path, results: Path) -> None:
    folder = tmp_path / "ablations"
    folder.mkdir()
    broken = TABLE.replace(
        'set: ["layers=[pool6,fc7]"]', 'set: ["layers=[pool6,fc7]", context=spp, "context_bins=[40]"]'
    )
    (folder / "broken.yaml").write_text(broken)
    done = cli("ablate", "broken", "--seeds", 1, *SHORT)
    assert done.returncode == 2
    assert "40" in done.stderr
    states = [run.state() for run in Store(results).runs()]
    assert sorted(states) == ["done", "done", "failed", "failed"]
    assert "Traceback" not in done.stdout + done.stderr
    assert "failed" in done.stdout
    cli("ablate", "broken", "--seeds", 1, *SHORT)
    before = beats(results)
    third = cli("ablate", "broken", "--seeds", 1, *SHORT)
    assert third.returncode == 2
    assert beats(results) == before


LONGER = (*SHORT[:2], "recipe.iterations=150", "checkpoint_seconds=0.3", "launcher.threads=1")


def scores(results: Path) -> dict[str, object]:
    """What each run measured."""
    return {run.signature: run.done_result().get("metrics") for run in Store(results).runs()}


def test_kill_of_driver_and_workers_loses_nothing(
    cli: Cli, own_table: str, results: Path, tmp_path: Path, cache: Path
) -> None:
    arguments = ("ablate", own_table, "--seeds", 1, *LONGER)
    driver = subprocess.Popen(
        command(*arguments),
        cwd=tmp_path,
        env=environment(results),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    store = Store(results)

    def checkpoints() -> list[Run]:
        return [run for run in store.runs() if (run.folder / "checkpoint.pt").is_file()]

    wait_for(
        lambda: sum(run.result() is not None for run in store.runs()) >= 1 and checkpoints(),
        "a result and a checkpoint", 60, every=0.02,
    )  # fmt: skip
    driver.kill()
    for run in store.runs():
        if run.alive():
            os.kill(run.status().pid, 9)
    driver.wait()
    wait_for(lambda: not any(run.alive() for run in store.runs()), "the workers' end", 60, every=0.02)
    finished = {run.signature: (run.folder / "result.json").read_bytes() for run in store.runs() if run.result()}
    assert 0 < len(finished) < 4

    resumed = cli(*arguments)
    assert resumed.returncode == 0, resumed.stderr
    for signature, content in finished.items():
        assert (store.run(signature).folder / "result.json").read_bytes() == content
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    (undisturbed / "cache").symlink_to(cache)
    assert cli(*arguments, "--results", undisturbed).returncode == 0
    assert scores(results) == scores(undisturbed)


def test_interrupt_stops_cleanly_and_says_how_to_go_on(cli: Cli, own_table: str, results: Path, tmp_path: Path) -> None:
    arguments = ("ablate", own_table, "--seeds", 1, *SHORT[:2], "recipe.iterations=100000")
    driver = subprocess.Popen(
        command(*arguments),
        cwd=tmp_path,
        env=environment(results),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    store = Store(results)
    wait_for(lambda: any(run.status().iteration > 0 for run in store.runs()), "a step", 60, every=0.02)
    driver.send_signal(2)
    _, said = driver.communicate(timeout=60)
    assert driver.returncode == 130
    assert "issue the same command again" in said
    assert f"ablate {own_table}" in said
    assert {run.state() for run in store.runs()} == {"queued"}
    assert any((run.folder / "checkpoint.pt").is_file() for run in store.runs())


def test_two_drivers_never_train_a_run_twice(own_table: str, results: Path, tmp_path: Path) -> None:
    arguments = command("ablate", own_table, "--seeds", 1, *LONGER)
    drivers = [
        subprocess.Popen(
            arguments, cwd=tmp_path, env=environment(results), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [driver.communicate(timeout=120) for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0], said
    for run in Store(results).runs():
        iterations = [record["iteration"] for record in run.metrics()]
        assert iterations == sorted(set(iterations))
        assert iterations[-1] == 150


def test_driver_never_imports_torch_or_pandas_for_help_list_and_plan(cli: Cli, own_table: str, tmp_path: Path) -> None:
    for arguments in (("--help",), ("list",), ("plan", own_table)):
        code = (
            "import sys; from parsenet_cli.cli.app import app\n"
            f"try: app({list(arguments)!r})\n"
            "except SystemExit: pass\n"
            "assert not {'torch', 'pandas'} & set(sys.modules), sorted({'torch', 'pandas'} & set(sys.modules))"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_help_answers_at_once(cli: Cli) -> None:
    def seconds() -> float:
        started = time.perf_counter()
        assert cli("--help").returncode == 0
        return time.perf_counter() - started

    assert min(seconds() for _ in range(3)) < 0.6  # 0.1 s on an idle machine; tests share theirs


def test_wheel_carries_its_configuration(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=root, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "parsenet_cli", "plan", "table4", "--seeds", "1"],
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": str(installed), "COLUMNS": "160"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "11 distinct runs" in done.stdout
    check = "import parsenet_cli, pathlib, sys; sys.exit(str(pathlib.Path(parsenet_cli.__file__).parents[1]) != sys.argv[1])"
    subprocess.run(
        [sys.executable, "-c", check, str(installed)],
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": str(installed)},
        check=True,
    )
