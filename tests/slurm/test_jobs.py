"""What happens to jobs, one at a time: cancelled, requeued, pre-empted, killed, hanging, out of time, refused."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from parsenet_cli.store.run import Store
from tests.conftest import Cli, Start, wait_for
from tests.slurm.cluster import Cluster
from tests.slurm.scenario import (
    ENDLESS,
    LONGER,
    ONE,
    PATIENCE_SECONDS,
    QUICK,
    Measured,
    end,
    hurry_until_ended,
    in_the_middle,
    jobs_of,
    only_run,
    scores,
    signal_worker,
)

pytestmark = pytest.mark.slurm


@pytest.mark.parametrize(
    ("signalled", "jobs"),
    [
        pytest.param([], 2, id="cancelled"),
        pytest.param(["--signal=KILL"], 2, id="killed"),
        pytest.param(["--signal=USR2"], 1, id="time limit comes near"),
    ],
)
def test_job_that_ends_early_goes_on_in_a_new_one_or_is_requeued_with_the_same_numbers(
    cluster: Cluster, driver: Start, results: Path, undisturbed: Measured, signalled: list[str], jobs: int
) -> None:
    started = driver(*ONE, *LONGER)
    run = in_the_middle(results)
    cluster.do("scancel", *signalled, run.job() or "")
    hurry_until_ended(cluster, started)
    end(started)
    assert (len(jobs_of(run)), len(set(jobs_of(run)))) == (2, jobs)
    assert scores(run) == undisturbed(*ONE, *LONGER)


def test_job_that_an_urgent_one_displaces_goes_on_when_there_is_room(
    cluster: Cluster, driver: Start, results: Path, undisturbed: Measured
) -> None:
    started = driver(*ONE, *LONGER)
    run = in_the_middle(results)
    cluster.do("sbatch", "--partition=urgent", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap=sleep 1")
    wait_for(lambda: cluster.jobs().get(run.job() or "") == "PENDING", "pre-emption")
    hurry_until_ended(cluster, started)
    end(started)
    first, second = jobs_of(run)
    assert first == second
    assert scores(run) == undisturbed(*ONE, *LONGER)


def test_hanging_worker_is_ended_and_its_run_goes_on_in_a_new_job(
    cluster: Cluster, driver: Start, results: Path, undisturbed: Measured
) -> None:
    started = driver(*ONE, *LONGER, "launcher.silence_seconds=4")
    run = in_the_middle(results)
    signal_worker(cluster, run, signal.SIGSTOP)
    said = end(started)
    assert "sent no heartbeat" in said
    assert len(set(jobs_of(run))) == 2
    assert scores(run) == undisturbed(*ONE, *LONGER)


def test_suspended_job_stands_still_and_goes_on(cluster: Cluster, driver: Start, results: Path) -> None:
    started = driver(*ONE, *ENDLESS)
    run = in_the_middle(results)
    wait_for(lambda: run.status().iteration, "the first beat")
    cluster.do("scontrol", "suspend", run.job() or "")
    time.sleep(3)  # Slurm asks first, and stops it two seconds later
    stood = run.status().iteration
    time.sleep(2)
    assert (run.state(), run.status().iteration) == ("running", stood)
    cluster.do("scontrol", "resume", run.job() or "")
    wait_for(lambda: (run.status().iteration or 0) > (stood or 0), "the next step")
    assert started.poll() is None
    assert len(jobs_of(run)) == 1


def test_job_that_is_cancelled_while_its_run_is_evaluated_finishes_it(
    cluster: Cluster, driver: Start, results: Path, undisturbed: Measured
) -> None:
    started = driver(*ONE, *LONGER)
    run = in_the_middle(results)
    last = run.config().science.recipe.iterations
    wait_for(lambda: run.metrics()[-1:] and run.metrics()[-1]["iteration"] == last, "the last step", every=0.001)
    signal_worker(cluster, run, signal.SIGSTOP)  # so that it does not end before it is cancelled; scancel wakes it up
    assert not run.done()
    cluster.do("scancel", run.job() or "")
    end(started)
    assert len(jobs_of(run)) == 1
    assert scores(run) == undisturbed(*ONE, *LONGER)


def test_time_limit_requeues_from_a_checkpoint_as_often_as_allowed_and_says_so(
    cluster: Cluster, driver: Start, results: Path
) -> None:
    # Slurm counts in minutes and looks every 30 s: the signal comes 10 to 40 s after the start, when the worker listens.
    started = driver(*ONE, *ENDLESS, "launcher.minutes=1", "launcher.signal_seconds=20", "launcher.requeues=1")
    hurry_until_ended(cluster, started)
    assert "its time limit hit 2 times" in end(started, code=1)
    run = only_run(results)
    first, second = jobs_of(run)
    assert first == second
    assert f"requeued {first}" in run.log.read_text()
    assert run.checkpoints[0].is_file()


def test_run_whose_jobs_never_finish_fails_within_the_limit(cluster: Cluster, driver: Start, results: Path) -> None:
    started = driver(*ONE, *ENDLESS, "launcher.resubmissions=0")
    run = in_the_middle(results)
    job = run.job()
    cluster.do("scancel", job or "")
    said = end(started, code=1)
    assert f"its job {job} left the queue" in said
    assert "never started Python" not in said
    assert run.state() == "failed"
    assert len(jobs_of(run)) == 1


def test_failing_run_says_why_and_leaves_the_others(cluster: Cluster, cli: Cli, results: Path) -> None:
    sweep = ("sweep", "context_bins=[1],[40]", "context=spp", "--seeds", "1", "body=fcn")
    assert "40" in cli(*sweep, *QUICK, code=2, timeout=PATIENCE_SECONDS).stderr
    assert sorted(run.state() for run in Store(results).runs()) == ["done", "failed"]


def test_partition_that_does_not_exist_is_one_sentence(cluster: Cluster, cli: Cli) -> None:
    assert "partition" in cli(*ONE, *QUICK, "launcher.partition=nowhere", code=2).stderr
    assert not cluster.jobs()
