"""Commands beside and after each other: leaving and coming back, two at once, stopping, cancelling, looking."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from parsenet_cli.store.run import Store
from tests.conftest import Cli, wait_for
from tests.slurm.cluster import LARGEST_ARRAY, Cluster
from tests.slurm.scenario import (
    ENDLESS,
    FOUR,
    LONGER,
    ONE,
    PATIENCE_SECONDS,
    QUICK,
    TWO,
    Driver,
    Submit,
    Train,
    end,
    in_the_middle,
    job_of,
    jobs_of,
)

pytestmark = pytest.mark.slurm

FEW_JOBS = r"""#!/bin/sh
last=$(sed -n "s/^#SBATCH --array='\{{0,1\}}0-\([0-9]*\)%.*/\1/p" "$1")
if [ $(($(squeue --me --noheader --array | wc -l) + ${{last:-0}} + 1)) -gt 2 ]; then
    echo "sbatch: error: job submit limit" >&2
    exit 1
fi
exec {sbatch} "$@"
"""
"""An `sbatch` that lets its user have two jobs."""

SCALES = ("sweep", "norm=l2", "--seeds", "1", "body=fcn", *ENDLESS, "launcher.slots=1")
"""A run per scale, one after the other."""


def peak(count: Callable[[], int], command: subprocess.Popen[str]) -> int:
    """The most that was counted while a command ran, which must succeed."""
    most = 0
    while command.poll() is None:
        most = max(most, count())
        time.sleep(0.1)
    end(command)
    return most


def test_plan_is_one_array_that_runs_no_more_than_asked_at_a_time(
    cluster: Cluster, driver: Driver, results: Path
) -> None:
    assert peak(lambda: list(cluster.jobs().values()).count("RUNNING"), driver(*FOUR, *QUICK)) == 2
    runs = Store(results).runs()
    assert {run.state() for run in runs} == {"done"}
    jobs = [job.partition("_") for run in runs for job in jobs_of(run)]
    assert len({array for array, _, _ in jobs}) == 1
    assert sorted(task for _, _, task in jobs) == ["0", "1", "2", "3"]
    folder = Path.home() / ".cache/parsenet/slurm"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert not list(results.rglob("*.pkl"))


def test_command_that_leaves_and_returns_submits_nothing_twice(cluster: Cluster, cli: Cli, submit: Submit) -> None:
    sweep = (*TWO, *LONGER, "launcher.slots=1")
    runs = submit(*sweep)
    jobs = [job_of(run) for run in runs]
    assert set(jobs) <= set(cluster.jobs())
    assert [job_of(run) for run in submit(*sweep)] == jobs
    cli(*sweep, timeout=PATIENCE_SECONDS)
    assert [jobs_of(run) for run in runs] == [[job] for job in jobs]
    assert {run.state() for run in runs} == {"done"}


def test_plan_larger_than_an_array_may_be_goes_out_in_several(cluster: Cluster, submit: Submit) -> None:
    scales = ",".join(str(1 + scale) for scale in range(LARGEST_ARRAY + 2))
    runs = submit(*SCALES, f"norm_scale={scales}")
    jobs = {job_of(run) for run in runs}
    assert jobs <= set(cluster.jobs())
    assert len(jobs) == len(runs) == LARGEST_ARRAY + 2
    assert len({job.partition("_")[0] for job in jobs}) == 2


def test_plan_larger_than_what_the_user_may_have_goes_out_as_others_end(
    cluster: Cluster, driver: Driver, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Such limits need an accounting database, which this Slurm has not: a script that refuses stands before sbatch.
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sbatch").write_text(FEW_JOBS.format(sbatch=shutil.which("sbatch")))
    (tmp_path / "bin/sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    printed = end(driver(*FOUR, *QUICK, "--detach"))
    assert printed.count("in the queue: ") == 1, "beside the job that prepares"
    assert "not in the queue, which takes no more now: 3 runs" in printed
    assert peak(lambda: len(cluster.jobs()), driver(*FOUR, *QUICK)) == 2
    runs = Store(results).runs()
    assert {run.state() for run in runs} == {"done"}
    assert all(len(jobs_of(run)) == 1 for run in runs)


def test_cancelled_runs_leave_the_queue_and_no_others_do(cluster: Cluster, cli: Cli, submit: Submit) -> None:
    runs = submit(*SCALES, "norm_scale=1,2,3,4")
    jobs = {job_of(run) for run in runs}
    waiting = next(run for run in runs if cluster.jobs()[job_of(run)] == "PENDING")
    job = job_of(waiting)
    cluster.deeds.append("parsenet cancel, one that waits")
    assert f"job {job} left the queue" in cli("cancel", waiting.signature).stdout
    assert set(cluster.jobs()) & jobs == jobs - {job}
    wait_for(lambda: any(run.state() == "running" for run in runs), "a worker")
    cluster.deeds.append("parsenet cancel --all")
    cli("cancel", "--all")
    wait_for(lambda: not cluster.jobs(), "an empty queue", seconds=20)
    assert {run.state() for run in runs} == {"queued"}
    assert len([job for run in runs for job in jobs_of(run)]) == 1
    assert all("cancelled" in line["says"] and line["job"] is None for line in status(cli))


def test_requeued_job_that_waits_for_its_time_is_cancelled_too(cluster: Cluster, cli: Cli, train: Train) -> None:
    training = train(*ENDLESS)
    job = training.job
    cluster.do("scontrol", "requeue", job)
    wait_for(lambda: cluster.jobs().get(job) == "PENDING", "the job in the queue")
    cluster.deeds.append("parsenet cancel")
    assert "left the queue" in cli("cancel", training.run.signature).stdout
    end(training.process, code=130)
    assert not cluster.jobs()
    assert len(jobs_of(training.run)) == 1


def test_looking_names_jobs_and_goes_on_while_any_waits(
    cluster: Cluster, cli: Cli, driver: Driver, submit: Submit
) -> None:
    runs = submit(*TWO, *LONGER, "launcher.slots=1")
    first, second = sorted(runs, key=job_of)
    job, held_job = job_of(first), job_of(second)
    cluster.do("scontrol", "hold", held_job)
    watching = driver("status", "--watch")
    wait_for(lambda: first.state() == "running" and first.status().iteration, "training")
    line, held = (next(line for line in status(cli) if line["signature"] == run.signature) for run in (first, second))
    assert line["job"] == job
    assert line["says"].startswith(f"job {job} on {line['host']}: ")
    assert (held["job"], held["state"], held["says"]) == (held_job, "queued", f"job {held_job}")
    wait_for(first.done, "the first run")
    time.sleep(6)
    assert watching.poll() is None
    cluster.do("scontrol", "release", held_job)
    assert end(watching).splitlines()[-1] == "2 done"
    assert [line["job"] for line in status(cli)] == [None, None]


def test_commands_at_once_submit_each_run_once(cluster: Cluster, driver: Driver, results: Path) -> None:
    commands = [driver(*TWO, *LONGER) for _ in range(3)]
    cluster.deeds.append("three commands at once")
    for process in commands:
        end(process)
    submitted = list((Path.home() / ".cache/parsenet/slurm").glob("*_submitted.pkl"))
    runs = Store(results).runs()
    # Each run has one job; a command prepares unless it found all runs in the queue.
    assert len(runs) < len(submitted) <= len(runs) + len(commands)
    assert [len(jobs_of(run)) for run in runs] == [1, 1]
    assert {run.state() for run in runs} == {"done"}


def test_run_with_two_jobs_is_trained_once(cluster: Cluster, submit: Submit, begin: Train, results: Path) -> None:
    (run,) = submit(*ONE, *LONGER)
    wait_for(lambda: in_the_middle(results), "a checkpoint")
    first = job_of(run)
    cluster.do("scontrol", "requeuehold", first)
    wait_for(lambda: cluster.jobs().get(first) == "PENDING", "the job in the queue")
    run.clear_job()
    training = begin(*LONGER)
    wait_for(lambda: len(jobs_of(run)) == 2 and run.state() == "running", "a second job")
    cluster.do("scontrol", "release", first)
    training.ends()
    wait_for(lambda: not cluster.jobs(), "the first job's end")
    assert training.ends_as_undisturbed() == [first, run.status().job, first]


def test_killed_command_leaves_its_jobs_to_the_next_one(cluster: Cluster, train: Train, begin: Train) -> None:
    killed = train(*LONGER)
    cluster.deeds.append("kill -9 to the command")
    killed.process.kill()
    assert len(begin(*LONGER).ends_as_undisturbed()) == 1


def test_interrupt_of_a_command_that_joined_leaves_the_jobs_and_names_them(
    cluster: Cluster, driver: Driver, submit: Submit, results: Path
) -> None:
    (run,) = submit(*ONE, *ENDLESS)
    wait_for(lambda: in_the_middle(results), "a checkpoint")
    job = job_of(run)
    joined = driver(*ONE, *ENDLESS)
    assert joined.stdout is not None
    assert "running" in joined.stdout.readline()
    joined.send_signal(signal.SIGINT)
    cluster.deeds.append("Ctrl-C to a command that joined")
    assert f"jobs that another command has submitted go on: {job} " in end(joined, code=130)
    assert cluster.jobs() == {job: "RUNNING"}


def test_interrupt_stops_jobs_after_a_checkpoint_and_empties_the_queue(
    cluster: Cluster, driver: Driver, results: Path
) -> None:
    started = driver(*TWO, *ENDLESS, "launcher.slots=1")
    wait_for(lambda: in_the_middle(results), "a checkpoint")
    cluster.deeds.append("Ctrl-C")
    started.send_signal(signal.SIGINT)
    assert "issue the same command again" in end(started, code=130)
    assert not cluster.jobs()
    runs = Store(results).runs()
    assert {(run.state(), run.job()) for run in runs} == {("queued", None)}
    assert any(run.has_checkpoint for run in runs)


def status(cli: Cli) -> list[dict[str, Any]]:
    """What `parsenet status --json` says."""
    lines: list[dict[str, Any]] = json.loads(cli("status", "--json").stdout)
    return lines
