"""What runs share is prepared by jobs of its own, which can be cancelled or die like any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from parsenet_cli.store.run import Store
from tests.conftest import Cli, wait_for
from tests.slurm.cluster import Cluster
from tests.slurm.scenario import (
    ONE,
    PATIENCE_SECONDS,
    QUICK,
    TWO,
    Driver,
    Measured,
    end,
    jobs_of,
    metrics,
    only_run,
)

pytestmark = pytest.mark.slurm


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A fresh results folder without what other tests have prepared."""
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


def preparation_of(cluster: Cluster, results: Path) -> str:
    """The job that is not the only run's."""
    wait_for(lambda: only_run(results).job(), "the run's own job")
    (preparation,) = set(cluster.jobs()) - {only_run(results).job()}
    return preparation


def test_command_leaves_before_anything_is_prepared_and_the_queue_keeps_the_order(
    cluster: Cluster, cli: Cli, results: Path
) -> None:
    cluster.do("scontrol", "update", "PartitionName=short", "State=DOWN")
    left = cli(*TWO, *QUICK, "--detach")
    assert left.returncode == 0, left.stderr
    assert left.stdout.count("in the queue: ") == 2
    assert list(cluster.jobs().values()) == ["PENDING"] * 3
    cluster.do("scontrol", "update", "PartitionName=short", "State=UP")
    wait_for(lambda: not cluster.jobs(), "the end of all jobs, which no command follows")
    runs = Store(results).runs()
    assert [run.state() for run in runs] == ["done", "done"]
    logs = [(run.folder / "log.txt").read_text() for run in runs]
    assert sorted(log.startswith("data: Slurm job ") for log in logs) == [False, True]


def test_preparation_that_fails_takes_its_runs_out_of_the_queue(
    cluster: Cluster, driver: Driver, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Held, its runs cannot begin and find out themselves."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    cluster.do("scontrol", "update", "PartitionName=short", "State=DOWN")
    started = driver(*TWO, *QUICK, "trunk=squeezenet", "weights=imagenet")
    wait_for(lambda: all(run.job() for run in Store(results).runs()) and len(cluster.jobs()) == 4, "all jobs")
    runs = Store(results).runs()
    cluster.do("scontrol", "hold", *(run.job() or "" for run in runs))
    cluster.do("scontrol", "update", "PartitionName=short", "State=UP")
    said, wrong = started.communicate(timeout=PATIENCE_SECONDS)
    assert started.returncode == 2, said + wrong
    assert wrong.count("squeezenet1_1-b8a52dc0.pth could not be downloaded") == 1
    assert not cluster.jobs()
    assert [(run.state(), run.job(), jobs_of(run)) for run in runs] == [("failed", None, [])] * 2
    assert all("could not be downloaded" in run.status().error for run in runs)


def test_preparation_that_is_cancelled_while_it_waits_is_made_up_for_by_the_run(
    cluster: Cluster, driver: Driver, results: Path, undisturbed: Measured
) -> None:
    cluster.do("scontrol", "update", "PartitionName=short", "State=DOWN")
    started = driver(*ONE, *QUICK)
    wait_for(lambda: "PENDING" in cluster.jobs().values(), "the preparation in the queue")
    wait_for(lambda: len(cluster.jobs()) == 2, "the run's own job beside it")
    cluster.do("scancel", preparation_of(cluster, results))
    cluster.do("scontrol", "update", "PartitionName=short", "State=UP")
    end(started)
    assert len(jobs_of(only_run(results))) == 1
    assert metrics(only_run(results)) == undisturbed(*ONE, *QUICK)


def test_preparation_that_is_killed_is_made_up_for_by_the_run(
    cluster: Cluster, driver: Driver, results: Path, undisturbed: Measured
) -> None:
    started = driver(*ONE, *QUICK)
    wait_for(
        lambda: results.exists() and any(results.glob("runs/*/preparing-data.json")), "the preparation's first word"
    )
    cluster.do("scancel", "--signal=KILL", preparation_of(cluster, results))
    end(started)
    assert len(jobs_of(only_run(results))) == 1
    assert metrics(only_run(results)) == undisturbed(*ONE, *QUICK)
