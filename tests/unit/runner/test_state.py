"""How a run stands when a queue is asked too; what its folder alone says is in tests/unit/cli/test_inspect.py."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from parsenet_cli.runner.state import progress_text, queue_of, state_of, summaries
from parsenet_cli.store.result import RunStatus
from parsenet_cli.store.run import Run
from tests.fakes import succeed


class Queue:
    """One that holds a job of somebody."""

    def held(self, jobs: Iterable[str]) -> set[str]:
        return set(jobs) & {"7"}

    def stop(self, jobs: Iterable[str]) -> set[str] | None:
        return None


@pytest.mark.parametrize("state", ["failed", "running"])
def test_run_whose_job_is_in_the_queue_waits_whatever_became_of_its_last_worker(run: Run, state: str) -> None:
    """Slurm starts a job again whose node has died."""
    alone = "failed" if state == "failed" else "lost"
    run.update_status(state=state, iteration=40, steps=100)
    run.record_job("7")
    queued = queue_of([run], Queue())
    assert (state_of(run), state_of(run, queued)) == (alone, "queued")
    (line,) = summaries(run.results, queued)
    assert (line.job, line.says) == ("7", "job 7, starts afresh, had reached 40/100")
    run.record_job("8")
    assert state_of(run, queue_of([run], Queue())) == alone


def test_queue_that_cannot_be_asked_may_hold_every_job_of_a_run_that_is_wanted(run: Run) -> None:
    assert not queue_of([run], None)(run)
    run.record_job("8")
    assert queue_of([run], None)(run)
    run.cancel()
    assert not queue_of([run], None)(run)
    run.clear_cancel()
    succeed(run)
    assert not queue_of([run], None)(run)
    assert state_of(run, lambda _: True) == "done"


def test_run_that_evaluates_says_how_long_that_takes() -> None:
    said = RunStatus(iteration=80, steps=80, evaluating="evaluated 2 of 8 images", seconds_left=31.0)
    assert progress_text(said) == "evaluated 2 of 8 images, 0:31 left"
    assert progress_text(replace(said, seconds_left=None)) == "evaluated 2 of 8 images"
