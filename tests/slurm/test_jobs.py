"""What happens to jobs, one at a time: cancelled, requeued, pre-empted, killed, hanging, out of time, refused."""

from __future__ import annotations

import shlex
import signal
import time
from pathlib import Path

import pytest

from parsenet_cli.store.run import Store
from tests.conftest import Cli, wait_for
from tests.slurm.cluster import Cluster
from tests.slurm.scenario import ENDLESS, LONGER, ONE, PATIENCE_SECONDS, QUICK, Train, end, jobs_of

pytestmark = pytest.mark.slurm


@pytest.mark.parametrize(
    ("deed", "jobs"),
    [
        pytest.param("scancel {job}", 2, id="cancelled"),
        pytest.param("scancel --signal=KILL {job}", 2, id="worker killed"),
        pytest.param("scancel --signal=USR2 {job}", 1, id="signal before the time limit"),
        pytest.param(
            "sbatch --partition=urgent --nodes=2 --exclusive --output=/dev/null --wrap='sleep 1'",
            1,
            id="displaced by an urgent job",
        ),
    ],
)
def test_run_goes_on_in_a_new_job_or_the_requeued_one_with_the_same_numbers(train: Train, deed: str, jobs: int) -> None:
    training = train(*LONGER)
    training.cluster.do(*shlex.split(deed.format(job=training.job)))
    started = training.ends_as_undisturbed()
    assert (len(started), len(set(started))) == (2, jobs)


def test_hanging_worker_is_ended_and_its_run_goes_on_in_a_new_job(train: Train) -> None:
    training = train(*LONGER, "launcher.silence_seconds=4")
    training.signal_worker(signal.SIGSTOP)
    assert "sent no heartbeat" in training.ends()
    assert len(set(training.ends_as_undisturbed())) == 2


def test_suspended_job_stands_still_and_goes_on(cluster: Cluster, train: Train) -> None:
    training = train(*ENDLESS)
    run, job = training.run, training.job
    wait_for(lambda: run.status().iteration, "the first beat")
    cluster.do("scontrol", "suspend", job)
    time.sleep(3)  # Slurm asks first, and stops it two seconds later
    stood = run.status().iteration
    time.sleep(2)
    assert (run.state(), run.status().iteration) == ("running", stood)
    cluster.do("scontrol", "resume", job)
    wait_for(lambda: run.status().iteration != stood, "the next step")
    assert training.process.poll() is None
    assert len(jobs_of(run)) == 1


def test_job_that_is_cancelled_while_its_run_is_evaluated_finishes_it(cluster: Cluster, train: Train) -> None:
    training = train(*LONGER)
    run = training.run
    last = run.config().science.recipe.iterations
    wait_for(lambda: run.metrics()[-1:] and run.metrics()[-1]["iteration"] == last, "the last step", every=0.001)
    training.signal_worker(signal.SIGSTOP)  # so that it does not end before it is cancelled; scancel wakes it up
    assert not run.done()
    cluster.do("scancel", training.job)
    assert len(training.ends_as_undisturbed()) == 1


def test_time_limit_requeues_from_a_checkpoint_as_often_as_allowed_and_says_so(begin: Train) -> None:
    # Slurm counts in minutes and looks every 30 s: the signal comes 10 to 40 s after the start, when the worker listens.
    training = begin(*ENDLESS, "launcher.minutes=1", "launcher.signal_seconds=20", "launcher.requeues=1")
    assert "its time limit hit 2 times" in training.ends(code=1)
    run = training.run
    first, second = jobs_of(run)
    assert first == second
    assert f"requeued {first}" in run.log.read_text()
    iterations = [record["iteration"] for record in run.metrics()]
    assert iterations == sorted(set(iterations))
    assert run.has_checkpoint


def test_run_whose_jobs_never_finish_fails_within_the_limit(cluster: Cluster, train: Train) -> None:
    training = train(*ENDLESS, "launcher.resubmissions=0")
    job = training.job
    cluster.do("scancel", job)
    printed = end(training.process, code=1)
    assert f"its job {job} left the queue" in printed
    assert "never started Python" not in printed
    assert training.run.state() == "failed"
    assert len(jobs_of(training.run)) == 1


def test_failing_run_says_why_and_leaves_the_others(cluster: Cluster, cli: Cli, results: Path) -> None:
    sweep = ("sweep", "context_bins=[1],[40]", "context=spp", "--seeds", "1", "body=fcn")
    assert "40" in cli(*sweep, *QUICK, code=2, timeout=PATIENCE_SECONDS).stderr
    assert sorted(run.state() for run in Store(results).runs()) == ["done", "failed"]


def test_partition_that_does_not_exist_is_one_sentence(cluster: Cluster, cli: Cli) -> None:
    assert "partition" in cli(*ONE, *QUICK, "launcher.partition=nowhere", code=2).stderr
    assert not cluster.jobs()
