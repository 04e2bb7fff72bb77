"""What is said of runs from the results folder alone: what waits, what runs, and how long `--watch` goes on."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.live import Live

from parsenet_cli.cli import progress, status
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.report.blocks import words
from parsenet_cli.report.formats import terminal
from parsenet_cli.runner import process, worker
from parsenet_cli.runner.state import Queue, RunSummary, summaries
from parsenet_cli.store.result import RunResult
from parsenet_cli.store.run import Run, Store
from tests.conftest import changed
from tests.fake_slurm import FakeSlurm
from tests.fakes import succeed

Watched = Callable[..., str]


def line(store: Store) -> RunSummary:
    """Of the only run."""
    (only,) = summaries(store)
    return only


def test_run_in_a_queue_names_its_job(store: Store, run: Run) -> None:
    assert line(store).says == ""
    run.record_job("12_3")
    assert (line(store).state, line(store).job, line(store).says) == ("queued", "12_3", "job 12_3")
    run.update_status(state="queued", job="11", iteration=40, steps=100)
    assert line(store).says == "job 12_3, starts afresh, had reached 40/100"
    run.checkpoints[1].touch()
    assert line(store).says == "job 12_3, goes on from its checkpoint, had reached 40/100"


def test_job_that_its_worker_has_left_is_not_said_to_wait(store: Store, run: Run) -> None:
    run.record_job("12_3")
    run.update_status(state="queued", job="12_3", iteration=40, steps=100)
    assert (line(store).job, line(store).says) == ("12_3", "job 12_3 stopped at 40/100")
    run.clear_job()
    assert (line(store).job, line(store).says) == (None, "stopped at 40/100")


def test_run_that_was_cancelled_names_no_job(store: Store, run: Run) -> None:
    run.record_job("12_3")
    run.cancel()
    assert (line(store).job, line(store).says) == (None, "cancelled")
    run.update_status(state="queued", job="12_3", iteration=40, steps=100)
    assert (line(store).job, line(store).says) == (None, "cancelled at 40/100")


def test_running_one_names_the_job_and_host_that_its_worker_said(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.record_job("99")  # of somebody who came too late
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "12")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    run.update_status(state="running", iteration=40, steps=100, seconds_left=60, **process.own() | {"host": "node7"})
    with run.lock():
        assert line(store).says == "job 12_3 on node7: 40/100, 1:00 left"
        assert (line(store).job, line(store).host) == ("12_3", "node7")


def test_worker_outside_of_a_cluster_names_no_job(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID"):
        monkeypatch.delenv(name, raising=False)
    run.record_job("12_3")  # when a cluster had it
    seen: list[RunSummary] = []
    monkeypatch.setattr("parsenet_cli.engine.train.train_run", lambda *_: seen.append(line(store)))
    assert worker.run_task(run, "train", 1) == 0
    assert (seen[0].state, seen[0].job) == ("running", None)
    assert run.job() is None


@pytest.mark.parametrize("state", ["done", "lost", "failed"])
def test_run_that_is_over_names_no_job(store: Store, run: Run, state: str) -> None:
    run.record_job("12_3")
    if state == "done":
        run.record_result(RunResult(run.signature, "converged", metrics={"mean_iu": 0.5}))
    else:
        run.update_status(state="failed" if state == "failed" else "running", job="12_3", host="node7", iteration=4)
    assert (line(store).state, line(store).job, line(store).host) == (state, None, None)
    assert "12_3" not in line(store).says


@pytest.fixture
def pair(store: Store, run: Run, config: RunConfig) -> list[Run]:
    """One that runs and one whose job waits."""
    other = changed(config, seed=1)
    waiting = store.run(other.signature)
    waiting.create(other)
    waiting.record_job("12_3")
    run.record_job("12_2")
    run.update_status(state="running", iteration=40, steps=100)
    return [run, waiting]


def test_command_counts_runs_that_wait_apart_from_those_that_run(
    pair: list[Run], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY_SECONDS", -1)
    view = progress.PlainView([], 2)
    view.refresh(pair, 0, None)
    view.refresh(pair[1:], 0, None)
    assert capsys.readouterr().out.splitlines() == [
        f"0/2  running {pair[0].signature} 40/100, ? left; 1 in the queue  (? left)",
        "0/2  1 in the queue  (? left)",
    ]


def test_line_of_the_last_run_promises_no_more_time(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("parsenet_cli.cli.progress.labels", lambda _: {run.signature: "a cell"})
    succeed(run)
    view = progress.PlainView([], 2)
    view.finished(run, 1, 31.0)
    view.finished(run, 2, 0.0)
    first, last = capsys.readouterr().out.splitlines()
    assert first.endswith("(2.0 s; 0:31 left)")
    assert last.endswith("(2.0 s)")


def test_live_view_counts_runs_that_wait_apart_from_those_that_run(store: Store, pair: list[Run]) -> None:
    printed = io.StringIO()
    console = Console(file=printed, width=100)
    view = progress.LiveView([], 2, store, console)
    with Live(console=console, auto_refresh=False) as view.live:
        view.refresh(pair, 0, None)
    assert printed.getvalue().strip() == "0/2 runs done · 1 running · 1 in the queue · ? left"


def test_live_view_leaves_cells_empty_that_the_study_has_not(store: Store) -> None:
    view = progress.LiveView([], 2, store, Console())
    cells = view._cell([], {}), view._cell([None], {})
    assert [(cell.text, cell.tone) for cell in cells] == [("", ""), ("n/a", "")]


HOSTILE = "[/b] [fc7] :smile: \x1b[31m\r\u202e"
SHOWN = "[/b] [fc7] :smile: \\u001b[31m\\u000d\\u202e"


def test_views_show_a_text_of_others_as_text(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run.log.write_text(HOSTILE.replace("\r", "")[:30] + "\n")
    monkeypatch.setattr("parsenet_cli.cli.progress.labels", lambda _: {run.signature: HOSTILE})
    printed = io.StringIO()
    console = Console(file=printed, width=200)
    live = progress.LiveView([], 1, store, console)
    with Live(console=console, auto_refresh=False) as live.live:
        live.refresh([], 0, None, [HOSTILE])
        live.failed(run, HOSTILE)
    progress.PlainView([], 1).failed(run, HOSTILE)
    with progress.ProgressLine() as line:
        line(HOSTILE)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with progress.ProgressLine() as line:
        line(f"{HOSTILE}\n2")
    plain = capsys.readouterr()
    for output, times in ((printed.getvalue(), 3), (plain.out, 2), (plain.err, 2)):
        assert output.count(SHOWN) == times
        assert "\r" not in output.replace("\r\x1b[K", "")
    assert f"{SHOWN} 2\n" in plain.err


def test_table_for_a_console_has_no_markup() -> None:
    names = [f"[{letter}]" for letter in "abcdefg"] + ["[/x]"]
    grid = words(names[:2], [names[2:4]], notes=names[4:5], name=names[5], title=names[6], caption=names[7])
    printed = io.StringIO()
    Console(file=printed, width=100).print(terminal.renderable(grid))
    assert all(name in printed.getvalue() for name in names)


@pytest.fixture
def watched(store: Store, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Do something while it watches, and return what it printed."""
    monkeypatch.setattr(status, "REFRESH_SECONDS", 0.05)
    monkeypatch.setattr(status, "QUEUE_SECONDS", 0.05)

    def watch(meanwhile: Callable[[], object], **wanted: Any) -> str:
        printed = io.StringIO()
        monkeypatch.setattr(terminal, "console", lambda: Console(file=printed))
        watcher = threading.Thread(target=status.watch_runs, args=(store, status.Wanted(**wanted)))
        watcher.start()
        watcher.join(1)
        assert watcher.is_alive()
        meanwhile()
        watcher.join(120)
        assert not watcher.is_alive()
        return printed.getvalue()

    return watch


def test_watch_goes_on_while_a_job_waits(run: Run, fake_slurm: FakeSlurm, watched: Watched) -> None:
    run.record_job("12")
    fake_slurm.queue = {"12": "PENDING"}
    assert watched(lambda: setattr(fake_slurm, "queue", {"13": "PENDING"})) == "1 queued\n"


def test_watch_of_failed_runs_goes_on_while_others_wait_that_may_fail(
    run: Run, fake_slurm: FakeSlurm, watched: Watched
) -> None:
    run.record_job("12")
    fake_slurm.queue = {"12": "PENDING"}

    def fail() -> None:
        run.update_status(state="failed", error="broken")
        fake_slurm.queue = {}

    assert watched(fail, states=("failed", "lost")) == "no runs\n1 failed\n"


def test_watch_goes_on_while_slurm_cannot_be_asked(run: Run, monkeypatch: pytest.MonkeyPatch, watched: Watched) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    run.record_job("12")
    assert watched(run.cancel) == "1 queued\n"


def test_watch_goes_on_while_something_is_prepared(run: Run, monkeypatch: pytest.MonkeyPatch, watched: Watched) -> None:
    """No run is at work then. What an interrupted command has left says nothing new."""
    prepared = threading.Event()

    def prepare_meanwhile(store: Store, queue: Queue, runs: Sequence[Run]) -> list[RunSummary]:
        if not prepared.is_set():
            run.update_prerequisite("data", text="decoding")
        return summaries(store, queue, runs)

    monkeypatch.setattr("parsenet_cli.runner.state.summaries", prepare_meanwhile)
    assert watched(prepared.set) == "1 queued\n"
    assert run.prerequisite("data").text == "decoding"
