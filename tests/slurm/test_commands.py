"""Commands beside and after each other: leaving and coming back, two at once, stopping, cancelling, looking."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from parsenet_cli.store.run import Run, Store
from tests.conftest import Cli, Start, wait_for
from tests.slurm.cluster import LARGEST_ARRAY, Cluster
from tests.slurm.scenario import (
    ENDLESS,
    LONGER,
    ONE,
    PATIENCE_SECONDS,
    QUICK,
    TWO,
    Measured,
    detached,
    end,
    hurry_until_ended,
    in_the_middle,
    jobs_of,
    only_run,
    scores,
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


def ids(runs: list[Run]) -> list[str]:
    """The job of each run."""
    return [run.job() or "" for run in runs]


def test_plan_is_one_array_that_runs_no_more_than_asked_at_a_time(
    cluster: Cluster, driver: Start, results: Path
) -> None:
    sweep = driver("sweep", "norm=none,l2", "layers=[fc7],[pool6,fc7]", "--seeds", "1", "body=fcn", *QUICK)
    at_a_time = 0
    while sweep.poll() is None:
        at_a_time = max(at_a_time, list(cluster.jobs().values()).count("RUNNING"))
        time.sleep(0.1)
    end(sweep)
    runs = Store(results).runs()
    assert {run.state() for run in runs} == {"done"}
    jobs = [job for run in runs for job in jobs_of(run)]
    assert len({job.partition("_")[0] for job in jobs}) == 1
    assert sorted(job.partition("_")[2] for job in jobs) == ["0", "1", "2", "3"]
    assert at_a_time == 2
    folder = Path.home() / ".cache/parsenet/slurm"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert not list(results.rglob("*.pkl"))


def test_command_that_leaves_and_returns_submits_nothing_twice(cluster: Cluster, cli: Cli, results: Path) -> None:
    sweep = (*TWO, *LONGER, "launcher.slots=1")
    runs = detached(cli, results, *sweep)
    submitted = ids(runs)
    assert set(submitted) <= set(cluster.jobs())
    detached(cli, results, *sweep)
    assert ids(runs) == submitted
    cli(*sweep, timeout=PATIENCE_SECONDS)
    assert [jobs_of(run) for run in runs] == [[job] for job in submitted]
    assert {run.state() for run in runs} == {"done"}


def test_plan_larger_than_an_array_may_be_goes_out_in_several(cluster: Cluster, cli: Cli, results: Path) -> None:
    scales = ",".join(str(1 + scale) for scale in range(LARGEST_ARRAY + 2))
    sweep = ("sweep", "norm=l2", f"norm_scale={scales}", "--seeds", "1", "body=fcn")
    runs = detached(cli, results, *sweep, *ENDLESS, "launcher.slots=1")
    submitted = ids(runs)
    assert set(submitted) <= set(cluster.jobs())
    assert len(set(submitted)) == len(runs) == LARGEST_ARRAY + 2
    assert len({job.partition("_")[0] for job in submitted}) == 2


def test_plan_larger_than_what_the_user_may_have_goes_out_as_others_end(
    cluster: Cluster, driver: Start, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Such limits need an accounting database, which this Slurm has not: a script that refuses stands before sbatch.
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sbatch").write_text(FEW_JOBS.format(sbatch=shutil.which("sbatch")))
    (tmp_path / "bin/sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    sweep = ("sweep", "norm=none,l2", "layers=[fc7],[pool6,fc7]", "--seeds", "1", "body=fcn", *QUICK)
    said = end(driver(*sweep, "--detach"))
    assert said.count("in the queue: ") == 1, "beside the job that prepares"
    assert "not in the queue, which takes no more now: 3 runs" in said
    started = driver(*sweep)
    most = 0
    while started.poll() is None:
        most = max(most, len(cluster.jobs()))
        time.sleep(0.1)
    end(started)
    assert most == 2
    runs = Store(results).runs()
    assert {run.state() for run in runs} == {"done"}
    assert all(len(jobs_of(run)) == 1 for run in runs)


def test_cancelled_runs_leave_the_queue_and_no_others_do(cluster: Cluster, cli: Cli, results: Path) -> None:
    sweep = ("sweep", "norm=l2", "norm_scale=1,2,3,4", "--seeds", "1", "body=fcn")
    runs = detached(cli, results, *sweep, *ENDLESS, "launcher.slots=1")
    submitted = ids(runs)
    one = next(run for run in runs if cluster.jobs()[run.job() or ""] == "PENDING")
    cluster.deeds.append("parsenet cancel, one that waits")
    assert f"job {one.job()} left the queue" in cli("cancel", one.signature).stdout
    assert set(cluster.jobs()) & set(submitted) == set(submitted) - {one.job()}
    wait_for(lambda: any(run.state() == "running" for run in runs), "a worker")
    cluster.deeds.append("parsenet cancel --all")
    cli("cancel", "--all")
    wait_for(lambda: not cluster.jobs(), "an empty queue", seconds=20)
    assert {run.state() for run in runs} == {"queued"}
    assert len([job for run in runs for job in jobs_of(run)]) == 1
    assert all("cancelled" in line["says"] and line["job"] is None for line in status(cli))


def test_requeued_job_that_waits_for_its_time_is_cancelled_too(
    cluster: Cluster, cli: Cli, driver: Start, results: Path
) -> None:
    started = driver(*ONE, *ENDLESS)
    run = in_the_middle(results)
    cluster.do("scontrol", "requeue", run.job() or "")
    wait_for(lambda: cluster.jobs().get(run.job() or "") == "PENDING", "the job in the queue")
    cluster.deeds.append("parsenet cancel")
    assert "left the queue" in cli("cancel", run.signature).stdout
    end(started, code=130)
    assert not cluster.jobs()
    assert len(jobs_of(run)) == 1


def test_looking_names_jobs_and_goes_on_while_any_waits(
    cluster: Cluster, cli: Cli, driver: Start, results: Path
) -> None:
    runs = detached(cli, results, *TWO, *LONGER, "launcher.slots=1")
    first, second = sorted(runs, key=lambda run: run.job() or "")
    cluster.do("scontrol", "hold", second.job() or "")
    watching = driver("status", "--watch")
    in_the_middle_of(first)
    line, held = (next(line for line in status(cli) if line["signature"] == run.signature) for run in (first, second))
    assert (line["job"], held["job"]) == (first.job(), second.job())
    assert line["says"].startswith(f"job {first.job()} on {line['host']}: ")
    assert (held["state"], held["says"]) == ("queued", f"job {second.job()}")
    wait_for(first.done, "the first run")
    time.sleep(6)
    assert watching.poll() is None
    cluster.do("scontrol", "release", second.job() or "")
    said = end(watching)
    assert said.splitlines()[-1] == "2 done"
    assert [line["job"] for line in status(cli)] == [None, None]


def test_two_commands_at_once_submit_each_run_once(
    cluster: Cluster, driver: Start, results: Path, undisturbed: Measured
) -> None:
    several = [driver(*TWO, *LONGER) for _ in range(3)]
    cluster.deeds.append("three commands at once")
    for each in several:
        end(each)
    submitted = list((Path.home() / ".cache/parsenet/slurm").glob("*_submitted.pkl"))
    runs = Store(results).runs()
    # Each run has one job; a command prepares unless it found all runs in the queue.
    assert len(runs) < len(submitted) <= len(runs) + len(several)
    assert [len(jobs_of(run)) for run in runs] == [1, 1]
    assert {run.state() for run in runs} == {"done"}


def test_run_with_two_jobs_is_trained_once(
    cluster: Cluster, cli: Cli, driver: Start, results: Path, undisturbed: Measured
) -> None:
    detached(cli, results, *ONE, *LONGER)
    run = in_the_middle(results)
    first = run.job() or ""
    cluster.do("scontrol", "requeuehold", first)
    wait_for(lambda: cluster.jobs().get(first) == "PENDING", "the job in the queue")
    run.clear_job()
    started = driver(*ONE, *LONGER)
    wait_for(lambda: len(jobs_of(run)) == 2 and run.state() == "running", "a second job")
    cluster.do("scontrol", "release", first)
    hurry_until_ended(cluster, started)
    end(started)
    wait_for(lambda: not cluster.jobs(), "the first job's end")
    assert jobs_of(run) == [first, run.status().job, first]
    assert scores(run) == undisturbed(*ONE, *LONGER)


def test_killed_command_leaves_its_jobs_to_the_next_one(
    cluster: Cluster, cli: Cli, driver: Start, results: Path
) -> None:
    started = driver(*ONE, *LONGER)
    in_the_middle(results)
    cluster.deeds.append("kill -9 to the command")
    started.kill()
    started.communicate()
    cli(*ONE, *LONGER, timeout=PATIENCE_SECONDS)
    assert len(jobs_of(only_run(results))) == 1


def test_interrupt_of_a_command_that_joined_leaves_the_jobs_and_names_them(
    cluster: Cluster, cli: Cli, driver: Start, results: Path
) -> None:
    detached(cli, results, *ONE, *ENDLESS)
    job = in_the_middle(results).job()
    joined = driver(*ONE, *ENDLESS)
    assert joined.stdout is not None
    assert "running" in joined.stdout.readline()
    joined.send_signal(signal.SIGINT)
    cluster.deeds.append("Ctrl-C to a command that joined")
    assert f"jobs that another command has submitted go on: {job} " in end(joined, code=130)
    assert cluster.jobs() == {job: "RUNNING"}


def test_interrupt_stops_jobs_after_a_checkpoint_and_empties_the_queue(
    cluster: Cluster, driver: Start, results: Path
) -> None:
    started = driver(*TWO, *ENDLESS, "launcher.slots=1")
    wait_for(lambda: any(run.checkpoints[0].is_file() for run in Store(results).runs()), "a checkpoint")
    cluster.deeds.append("Ctrl-C")
    started.send_signal(signal.SIGINT)
    assert "issue the same command again" in end(started, code=130)
    assert not cluster.jobs()
    runs = Store(results).runs()
    assert {(run.state(), run.job()) for run in runs} == {("queued", None)}
    assert any(run.checkpoints[0].is_file() for run in runs)


def status(cli: Cli) -> list[dict[str, Any]]:
    """What `parsenet status --json` says."""
    lines: list[dict[str, Any]] = json.loads(cli("status", "--json").stdout)
    return lines


def in_the_middle_of(run: Run) -> None:
    """Wait until it trains."""
    wait_for(lambda: run.state() == "running" and run.status().iteration, "training")
