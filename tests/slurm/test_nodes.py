"""A node that dies, with everything on it, and a controller that does not answer."""

from __future__ import annotations

import signal
import time

import pytest

from tests.conftest import Cli, wait_for
from tests.slurm.cluster import NODES, Cluster
from tests.slurm.scenario import LONGER, ONE, QUICK, Train, jobs_of, starts

pytestmark = pytest.mark.slurm


def test_run_moves_from_a_dead_node_to_another_under_its_id(cluster: Cluster, train: Train) -> None:
    training = train(*LONGER)
    job = training.job
    node = cluster.node_of(job)
    cluster.kill_node(node)
    wait_for(lambda: cluster.node_states()[node].startswith("down"), "Slurm to miss the node")
    training.ends_as_undisturbed()
    (other,) = set(NODES) - {node}
    assert starts(training.run) == [(job, node), (job, other)]


def test_run_of_a_dead_node_that_is_not_requeued_goes_on_in_a_new_job_when_the_node_is_back(
    cluster: Cluster, train: Train
) -> None:
    cluster.do("scontrol", "update", "NodeName=node2", "State=DRAIN", "Reason=test")
    training = train(*LONGER)
    first = training.job
    cluster.do("scontrol", "update", f"JobId={first}", "Requeue=0")
    cluster.kill_node("node1")
    wait_for(lambda: training.run.job() not in (first, None), "another job")
    second = training.job
    assert cluster.jobs() == {second: "PENDING"}
    assert training.run.state() == "queued"
    cluster.mend()
    assert training.ends_as_undisturbed() == [first, second]


def test_run_and_command_end_without_a_controller(cluster: Cluster, train: Train) -> None:
    training = train(*LONGER)
    training.signal_worker(signal.SIGSTOP)
    time.sleep(6)  # a controller that is killed forgets the last five seconds
    cluster.kill_controller()
    training.signal_worker(signal.SIGCONT)
    assert len(training.ends_as_undisturbed()) == 1


def test_worker_that_dies_while_the_controller_is_silent_goes_on_afterwards(cluster: Cluster, train: Train) -> None:
    training = train(*LONGER)
    training.signal_worker(signal.SIGSTOP)
    cluster.silence_controller()
    time.sleep(7)  # longer than squeue waits for an answer
    training.signal_worker(signal.SIGKILL)
    wait_for(lambda: training.run.state() == "lost", "its death")
    time.sleep(2)
    assert training.process.poll() is None
    assert len(jobs_of(training.run)) == 1
    cluster.mend()
    assert len(set(training.ends_as_undisturbed())) == 2


def test_controller_that_never_answered_is_one_sentence(cluster: Cluster, cli: Cli) -> None:
    cluster.kill_controller()
    assert "squeue does not answer" in cli(*ONE, *QUICK, code=2).stderr
