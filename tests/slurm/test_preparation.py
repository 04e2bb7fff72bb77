"""What runs share is prepared by jobs of its own, which can be cancelled or die like any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.slurm.cluster import Cluster
from tests.slurm.scenario import ONE, QUICK, Driver, Measured, end, jobs_of, metrics, only_run, wait_for

pytestmark = pytest.mark.slurm


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A fresh results folder without what other tests have prepared."""
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


def test_preparation_that_is_cancelled_while_it_waits_is_made_up_for_by_the_run(
    cluster: Cluster, driver: Driver, results: Path, undisturbed: Measured
) -> None:
    cluster.do("scontrol", "update", "PartitionName=short", "State=DOWN")
    started = driver(*ONE, *QUICK)
    wait_for(lambda: "PENDING" in cluster.jobs().values(), "the preparation in the queue")
    (preparation,) = cluster.jobs()
    cluster.do("scancel", preparation)
    wait_for(lambda: set(cluster.jobs()) - {preparation}, "the run's own job")
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
    (preparation,) = cluster.jobs()
    cluster.do("scancel", "--signal=KILL", preparation)
    end(started)
    assert len(jobs_of(only_run(results))) == 1
    assert metrics(only_run(results)) == undisturbed(*ONE, *QUICK)
