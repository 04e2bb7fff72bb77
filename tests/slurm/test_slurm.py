"""Runs on a real Slurm: what a user types, what happens to the jobs meanwhile, and what the store holds afterwards."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from parsenet_cli.store import Run, Store
from tests.conftest import SHORT, Cli, command, environment
from tests.slurm.cluster import Cluster

pytestmark = pytest.mark.slurm

ON_SLURM = (
    "--launcher",
    "slurm",
    "launcher.gpus=0",
    "launcher.threads=1",
    "launcher.poll_seconds=0.5",
    "launcher.slots=2",
)
QUICK = (*SHORT, *ON_SLURM)
LONGER = (*SHORT[:2], "recipe.iterations=400", "checkpoint_seconds=0.3", *ON_SLURM)
"""Long enough to be disturbed in the middle."""

ONE = ("train", "body=fcn")
PATIENCE_SECONDS = 150.0


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Wait until `condition()` holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited too long for {what}"
        time.sleep(0.05)


def only_run(results: Path) -> Run:
    """The one run of a store."""
    (run,) = Store(results).runs()
    return run


def in_the_middle(results: Path) -> bool:
    """Whether the only run trains and has something to go on from."""
    runs = Store(results).runs()
    return len(runs) == 1 and (runs[0].folder / "checkpoint.pt").is_file() and runs[0].state() == "running"


def metrics(run: Run) -> object:
    """What a run measured."""
    result = run.result()
    assert result is not None, run.log_tail()
    return result["metrics"]


@pytest.fixture
def undisturbed(cli: Cli, tmp_path: Path, cache: Path) -> Callable[..., object]:
    """What the same run measures when this machine carries it out without Slurm and without trouble."""

    def measure(*arguments: str) -> object:
        folder = tmp_path / "undisturbed"
        folder.mkdir()
        (folder / "cache").symlink_to(cache)
        plain = [text for text in arguments if text not in ON_SLURM]
        done = cli(*plain, "launcher.threads=1", "--results", folder)
        assert done.returncode == 0, done.stderr
        return metrics(only_run(folder))

    return measure


@pytest.fixture
def driver(cluster: Cluster, tmp_path: Path, results: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a command and do not wait for it; none outlives the test."""
    all_started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        started = subprocess.Popen(
            command(*arguments),
            cwd=tmp_path,
            env=environment(results),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        all_started.append(started)
        return started

    yield start
    for started in all_started:
        if started.poll() is None:
            started.kill()
            started.communicate()


def end(started: subprocess.Popen[str]) -> str:
    """Wait for a command that must succeed; returns what it printed."""
    said, wrong = started.communicate(timeout=PATIENCE_SECONDS)
    assert started.returncode == 0, said + wrong
    return said


def hurry_until_ended(cluster: Cluster, started: subprocess.Popen[str]) -> None:
    """Wait for a command whose job is requeued."""
    deadline = time.monotonic() + 2 * PATIENCE_SECONDS
    while started.poll() is None:
        assert time.monotonic() < deadline, "the command does not end"
        cluster.hurry()
        time.sleep(0.5)


def jobs_of(run: Run) -> list[str]:
    """The job of each start of the run's worker, from its log."""
    lines = (run.folder / "log.txt").read_text().splitlines()
    return [line.split("Slurm job ")[1].split()[0] for line in lines if line.startswith("train: Slurm job ")]


def test_plan_is_one_array_that_runs_no_more_than_asked_at_a_time(
    cluster: Cluster, driver: Callable[..., subprocess.Popen[str]], results: Path
) -> None:
    sweep = driver("sweep", "norm=none,l2", "layers=[fc7],[pool6,fc7]", "--seeds", "1", "body=fcn", *QUICK)
    at_a_time = 0
    while sweep.poll() is None:
        at_a_time = max(at_a_time, list(cluster.jobs().values()).count("RUNNING"))
        time.sleep(0.1)
    end(sweep)
    runs = Store(results).runs()
    assert {run.state() for run in runs} == {"done"}
    ids = [run.job() or "" for run in runs]
    assert len({job.partition("_")[0] for job in ids}) == 1
    assert sorted(job.partition("_")[2] for job in ids) == ["0", "1", "2", "3"]
    assert at_a_time <= 2
    folder = Path.home() / ".cache/parsenet/slurm"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert not list(results.rglob("*.pkl"))


def test_cancelled_job_goes_on_in_a_new_one_with_the_same_numbers(
    cluster: Cluster,
    driver: Callable[..., subprocess.Popen[str]],
    results: Path,
    undisturbed: Callable[..., object],
) -> None:
    started = driver(*ONE, *LONGER)
    wait_for(lambda: in_the_middle(results), "a checkpoint")
    run = only_run(results)
    cluster.ask("scancel", run.job() or "")
    end(started)
    first, second = jobs_of(run)
    assert first != second
    iterations = [record["iteration"] for record in run.metrics()]
    assert iterations == sorted(set(iterations))
    assert metrics(run) == undisturbed(*ONE, *LONGER)


def test_requeued_job_goes_on_under_its_id_with_the_same_numbers(
    cluster: Cluster,
    driver: Callable[..., subprocess.Popen[str]],
    results: Path,
    undisturbed: Callable[..., object],
) -> None:
    started = driver(*ONE, *LONGER)
    wait_for(lambda: in_the_middle(results), "a checkpoint")
    run = only_run(results)
    cluster.ask("scontrol", "requeue", run.job() or "")
    hurry_until_ended(cluster, started)
    end(started)
    first, second = jobs_of(run)
    assert first == second
    assert metrics(run) == undisturbed(*ONE, *LONGER)


def test_dead_worker_is_lost_and_its_run_goes_on_in_a_new_job(
    cluster: Cluster,
    driver: Callable[..., subprocess.Popen[str]],
    results: Path,
    undisturbed: Callable[..., object],
) -> None:
    started = driver(*ONE, *LONGER)
    wait_for(lambda: in_the_middle(results), "a checkpoint")
    run = only_run(results)
    cluster.ask("scancel", "--signal=KILL", run.job() or "")
    end(started)
    assert len(set(jobs_of(run))) == 2
    assert metrics(run) == undisturbed(*ONE, *LONGER)


def test_signal_before_the_time_limit_requeues_with_the_same_numbers(
    cluster: Cluster,
    driver: Callable[..., subprocess.Popen[str]],
    results: Path,
    undisturbed: Callable[..., object],
) -> None:
    started = driver(*ONE, *LONGER)
    wait_for(lambda: in_the_middle(results), "a checkpoint")
    run = only_run(results)
    cluster.ask("scancel", "--signal=USR2", run.job() or "")
    hurry_until_ended(cluster, started)
    end(started)
    first, second = jobs_of(run)
    assert first == second
    assert metrics(run) == undisturbed(*ONE, *LONGER)


def test_run_whose_jobs_never_finish_fails_within_the_limit(
    cluster: Cluster, driver: Callable[..., subprocess.Popen[str]], results: Path
) -> None:
    started = driver(*ONE, *LONGER, "launcher.resubmissions=0", "recipe.iterations=100000")
    wait_for(lambda: in_the_middle(results), "a checkpoint")
    run = only_run(results)
    cluster.ask("scancel", run.job() or "")
    _, said = started.communicate(timeout=PATIENCE_SECONDS)
    assert started.returncode == 1
    assert "its job left the queue" in said
    assert run.state() == "failed"
    assert len(jobs_of(run)) == 1


def test_time_limit_requeues_from_a_checkpoint_as_often_as_allowed_and_says_so(
    cluster: Cluster, driver: Callable[..., subprocess.Popen[str]], results: Path
) -> None:
    # Slurm counts in minutes and looks now and then: the signal comes within the first minute, the run takes longer than that.
    started = driver(*ONE, *LONGER, "recipe.iterations=100000", "launcher.minutes=1", "launcher.signal_seconds=50",
                     "launcher.requeues=1")  # fmt: skip
    hurry_until_ended(cluster, started)
    _, said = started.communicate(timeout=1)
    run = only_run(results)
    assert started.returncode == 1, said
    first, second = jobs_of(run)
    assert first == second
    assert "its time limit hit 2 times" in said
    log = (run.folder / "log.txt").read_text()
    assert f"requeued {first}" in log
    iterations = [record["iteration"] for record in run.metrics()]
    assert iterations == sorted(set(iterations))
    assert (run.folder / "checkpoint.pt").is_file()


def test_command_that_leaves_and_returns_submits_nothing_twice(cluster: Cluster, cli: Cli, results: Path) -> None:
    sweep = ("sweep", "norm=none,l2", "--seeds", "1", "body=fcn", *LONGER, "launcher.slots=1")
    left = cli(*sweep, "--detach")
    assert left.returncode == 0, left.stderr
    assert left.stdout.count("in the queue: ") == 2
    runs = Store(results).runs()
    submitted = [run.job() for run in runs]
    assert set(filter(None, submitted)) <= set(cluster.jobs())
    again = cli(*sweep, "--detach")
    assert again.returncode == 0, again.stderr
    assert [run.job() for run in runs] == submitted
    back = cli(*sweep, timeout=PATIENCE_SECONDS)
    assert back.returncode == 0, back.stderr
    assert [run.job() for run in runs] == submitted
    assert [jobs_of(run) for run in runs] == [[job] for job in submitted]
    assert {run.state() for run in runs} == {"done"}


def test_killed_command_leaves_its_jobs_to_the_next_one(
    cluster: Cluster, cli: Cli, driver: Callable[..., subprocess.Popen[str]], results: Path
) -> None:
    started = driver(*ONE, *LONGER)
    wait_for(lambda: in_the_middle(results), "a checkpoint")
    started.kill()
    started.communicate()
    back = cli(*ONE, *LONGER, timeout=PATIENCE_SECONDS)
    assert back.returncode == 0, back.stderr
    assert len(jobs_of(only_run(results))) == 1


def test_interrupt_stops_jobs_after_a_checkpoint_and_empties_the_queue(
    cluster: Cluster, driver: Callable[..., subprocess.Popen[str]], results: Path
) -> None:
    started = driver("sweep", "norm=none,l2", "--seeds", "1", "body=fcn", *LONGER, "recipe.iterations=100000",
                     "launcher.slots=1")  # fmt: skip
    wait_for(
        lambda: "RUNNING" in cluster.jobs().values() and any(r.metrics() for r in Store(results).runs()), "training"
    )
    started.send_signal(2)
    _, said = started.communicate(timeout=PATIENCE_SECONDS)
    assert started.returncode == 130
    assert "issue the same command again" in said
    assert not cluster.jobs()
    assert {run.state() for run in Store(results).runs()} == {"queued"}
    assert any((run.folder / "checkpoint.pt").is_file() for run in Store(results).runs())


def test_failing_run_says_why_and_leaves_the_others(cluster: Cluster, cli: Cli, results: Path) -> None:
    done = cli(
        "sweep", "context_bins=[1],[40]", "context=spp", "--seeds", "1", "body=fcn", *QUICK, timeout=PATIENCE_SECONDS
    )
    assert done.returncode == 2
    assert "40" in done.stderr
    assert sorted(run.state() for run in Store(results).runs()) == ["done", "failed"]


def test_partition_that_does_not_exist_is_one_sentence(cluster: Cluster, cli: Cli, results: Path) -> None:
    done = cli(*ONE, *QUICK, "launcher.partition=nowhere")
    assert done.returncode == 2
    assert "partition" in done.stderr
    assert "Traceback" not in done.stderr
    assert not cluster.jobs()
