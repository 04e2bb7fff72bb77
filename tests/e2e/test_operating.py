"""`status --watch`, `cancel` and `clean` as they are used: beside a command that runs."""

from __future__ import annotations

import signal
from pathlib import Path

from parsenet_cli.store.run import Store
from tests.conftest import PATIENCE_SECONDS, SHORT, Cli, Start, wait_for


def test_interrupt_leaves_the_watch_alone_and_cancelling_ends_run_and_driver_with_a_checkpoint(
    cli: Cli, start: Start, results: Path
) -> None:
    driver = start("train", *SHORT[:3], "recipe.iterations=100000")
    wait_for(lambda: any(run.status().iteration for run in Store(results).runs()), "a step", 60, every=0.02)
    (run,) = Store(results).runs()
    left, watching = start("status", "--watch"), start("status", "--watch")
    assert left.stdout is not None
    assert left.stdout.readline() == "1 running\n"
    left.send_signal(signal.SIGINT)
    assert left.wait(120) == 0
    assert (run.state(), driver.poll()) == ("running", None)

    assert f"{run.signature}: stopped at iteration" in cli("cancel", run.signature[:6]).stdout
    assert watching.communicate(timeout=PATIENCE_SECONDS)[0].splitlines()[-1] == "1 queued"
    assert watching.returncode == 0
    _, printed = driver.communicate(timeout=PATIENCE_SECONDS)
    assert driver.returncode == 130
    assert "cancelled: 1 runs" in printed
    assert run.checkpoints[0].is_file()
    assert cli("cancel", "--all").stdout == f"{run.signature}: queued, will not be started\n"


def test_clean_shows_and_removes_nothing_before_it_is_told_to(cli: Cli, results: Path) -> None:
    cli("train", *SHORT)
    (run,) = Store(results).runs()
    run.checkpoints[1].write_bytes(b"x" * 2000)
    shown = cli("clean").stdout
    assert "nothing is removed" in shown
    assert f"2.0 kB  {run.checkpoints[1]}" in shown
    assert run.checkpoints[1].is_file()
    assert "removed: 2.0 kB" in cli("clean", "--yes").stdout
    assert not run.checkpoints[1].exists()
    assert run.state() == "done"
    assert "finished results" in cli("clean", "--results-too", "--yes").stdout
    assert run.state() == "new"
    assert "nothing to remove" in cli("clean").stdout
