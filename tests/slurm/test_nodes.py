"""A node that dies, with everything on it, and a controller that does not answer."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.conftest import Cli, Start, wait_for
from tests.slurm.cluster import NODES, Cluster
from tests.slurm.scenario import (
    LONGER,
    ONE,
    QUICK,
    Measured,
    end,
    hurry_until_ended,
    in_the_middle,
    jobs_of,
    scores,
    signal_worker,
    starts,
)

pytestmark = pytest.mark.slurm


def test_run_moves_from_a_dead_node_to_another_under_its_id(
    cluster: Cluster, driver: Start, results: Path, undisturbed: Measured
) -> None:
    started = driver(*ONE, *LONGER)
    run = in_the_middle(results)
    job = run.job() or ""
    node = cluster.node_of(job)
    cluster.kill_node(node)
    wait_for(lambda: cluster.node_states()[node].startswith("down"), "Slurm to miss the node")
    hurry_until_ended(cluster, started)
    end(started)
    (other,) = set(NODES) - {node}
    assert starts(run) == [(job, node), (job, other)]
    assert scores(run) == undisturbed(*ONE, *LONGER)


def test_run_of_a_dead_node_that_is_not_requeued_goes_on_in_a_new_job_when_the_node_is_back(
    cluster: Cluster, driver: Start, results: Path, undisturbed: Measured
) -> None:
    cluster.do("scontrol", "update", "NodeName=node2", "State=DRAIN", "Reason=test")
    started = driver(*ONE, *LONGER)
    run = in_the_middle(results)
    first = run.job() or ""
    cluster.do("scontrol", "update", f"JobId={first}", "Requeue=0")
    cluster.kill_node("node1")
    wait_for(lambda: run.job() not in (first, None), "another job")
    second = run.job() or ""
    assert cluster.jobs() == {second: "PENDING"}
    assert run.state() == "queued"
    cluster.mend()
    end(started)
    assert [job for job, _ in starts(run)] == [first, second]
    assert scores(run) == undisturbed(*ONE, *LONGER)


def test_run_and_command_end_without_a_controller(
    cluster: Cluster, driver: Start, results: Path, undisturbed: Measured
) -> None:
    started = driver(*ONE, *LONGER)
    run = in_the_middle(results)
    signal_worker(cluster, run, signal.SIGSTOP)
    time.sleep(6)  # a controller that is killed forgets the last five seconds
    cluster.kill_controller()
    signal_worker(cluster, run, signal.SIGCONT)
    end(started)
    assert len(jobs_of(run)) == 1
    assert scores(run) == undisturbed(*ONE, *LONGER)


def test_worker_that_dies_while_the_controller_is_silent_goes_on_afterwards(
    cluster: Cluster, driver: Start, results: Path, undisturbed: Measured
) -> None:
    started = driver(*ONE, *LONGER)
    run = in_the_middle(results)
    signal_worker(cluster, run, signal.SIGSTOP)
    cluster.silence_controller()
    time.sleep(7)  # longer than squeue waits for an answer
    signal_worker(cluster, run, signal.SIGKILL)
    wait_for(lambda: run.state() == "lost", "its death")
    time.sleep(2)
    assert started.poll() is None
    assert len(jobs_of(run)) == 1
    cluster.mend()
    end(started)
    assert len(set(jobs_of(run))) == 2
    assert scores(run) == undisturbed(*ONE, *LONGER)


def test_controller_that_never_answered_is_one_sentence(cluster: Cluster, cli: Cli) -> None:
    cluster.kill_controller()
    assert "squeue does not answer" in cli(*ONE, *QUICK, code=2).stderr
