"""What runs share is prepared by jobs of its own, which can be cancelled or die like any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from parsenet_cli.store.run import Store
from tests.conftest import Cli, wait_for
from tests.slurm.cluster import Cluster
from tests.slurm.scenario import QUICK, TWO, Driver, Submit, Train, Training, end, job_of, jobs_of

pytestmark = pytest.mark.slurm


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A fresh results folder without what other tests have prepared."""
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


def preparation_of(training: Training) -> str:
    """The job that is not the only run's."""
    wait_for(lambda: training.run.job(), "the run's own job")
    (preparation,) = set(training.cluster.jobs()) - {training.job}
    return preparation


def test_command_leaves_before_anything_is_prepared_and_the_queue_keeps_the_order(
    cluster: Cluster, submit: Submit
) -> None:
    cluster.do("scontrol", "update", "PartitionName=short", "State=DOWN")
    runs = submit(*TWO, *QUICK)
    assert list(cluster.jobs().values()) == ["PENDING"] * 3
    cluster.do("scontrol", "update", "PartitionName=short", "State=UP")
    wait_for(lambda: not cluster.jobs(), "the end of all jobs, which no command follows")
    assert [run.state() for run in runs] == ["done", "done"]
    logs = [run.log.read_text() for run in runs]
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
    cluster.do("scontrol", "hold", *map(job_of, runs))
    cluster.do("scontrol", "update", "PartitionName=short", "State=UP")
    assert end(started, code=2).count("squeezenet1_1-b8a52dc0.pth could not be downloaded") == 1
    assert not cluster.jobs()
    assert [(run.state(), run.job(), jobs_of(run)) for run in runs] == [("failed", None, [])] * 2
    assert all("could not be downloaded" in run.status().error for run in runs)


def test_preparation_that_is_cancelled_while_it_waits_is_made_up_for_by_the_run(cluster: Cluster, begin: Train) -> None:
    cluster.do("scontrol", "update", "PartitionName=short", "State=DOWN")
    training = begin(*QUICK)
    wait_for(lambda: len(cluster.jobs()) == 2, "the run's own job beside the preparation")
    cluster.do("scancel", preparation_of(training))
    cluster.do("scontrol", "update", "PartitionName=short", "State=UP")
    assert len(training.ends_as_undisturbed()) == 1


def test_preparation_that_is_killed_is_made_up_for_by_the_run(cluster: Cluster, begin: Train, results: Path) -> None:
    training = begin(*QUICK)
    wait_for(lambda: Store(results).prerequisite_files(), "the preparation's first word")
    cluster.do("scancel", "--signal=KILL", preparation_of(training))
    assert len(training.ends_as_undisturbed()) == 1


def test_each_run_waits_for_its_own_preparation_and_cancelling_it_takes_that_away(
    cluster: Cluster, cli: Cli, submit: Submit
) -> None:
    """Two data sets: a job that prepares for each run."""
    cluster.do("scontrol", "update", "PartitionName=short", "State=DOWN")
    sweep = (
        "sweep",
        "data=synthetic_siftflow,synthetic_voc",
        "body=fcn",
        "--seeds",
        "1",
        "weights=none",
        "recipe.frozen=[]",
    )
    runs = submit(*sweep, *QUICK[2:])
    after = [run.prerequisite_jobs() for run in runs]
    assert [len(jobs) for jobs in after] == [1, 1]
    assert after[0] != after[1]
    lines = cluster.ask("squeue", "--noheader", "--array", "--format=%i %E").splitlines()
    dependencies = dict(line.split(maxsplit=1) for line in lines)
    for run, (before,) in zip(runs, after, strict=True):
        assert dependencies[job_of(run)].startswith(f"afterany:{before}")
    cluster.deeds.append("parsenet cancel")
    assert "left the queue" in cli("cancel", runs[0].signature).stdout
    assert set(cluster.jobs()) == {job_of(runs[1]), *after[1]}
