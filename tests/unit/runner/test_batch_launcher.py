"""Launchers with a queue of their own: what a scheduler hands them, joins and takes back; and that adding one is two files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from parsenet_cli.config import profile
from parsenet_cli.config.compose import Composer
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.runner import cancel, clean, launch, process
from parsenet_cli.runner.launch.inline import Inline
from parsenet_cli.runner.retry import next_action
from parsenet_cli.store.run import Run, Store
from tests.fakes import FakeCluster, FakeJob, fail, succeed, sweep

pytestmark = pytest.mark.usefixtures("driver_that_does_not_wait")


def test_all_runs_go_out_at_once_whatever_the_bound(store: Store, configs: dict[str, RunConfig]) -> None:
    cluster = FakeCluster(succeed)
    assert not sweep(store, configs, cluster).failed
    assert cluster.arrays == [list(configs)]


def test_detached_runs_are_joined_and_not_submitted_again(store: Store, configs: dict[str, RunConfig]) -> None:
    working = False

    def work(run: Run) -> bool:
        return working and succeed(run)

    cluster = FakeCluster(work)
    for _ in range(2):
        left = sweep(store, configs, cluster, detach=True).left
        assert sorted(run.signature for run in left) == sorted(configs)
    working = True
    assert not sweep(store, configs, cluster).left
    assert all(store.run(signature).state() == "done" for signature in configs)
    assert len(cluster.arrays) == 1


def test_command_leaves_while_what_runs_share_is_still_being_prepared(
    store: Store, configs: dict[str, RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeJob, "alive", lambda _: True)
    cluster = FakeCluster(lambda _: False)
    left = sweep(store, configs, cluster, detach=True).left
    assert [run.signature for run in left] == list(configs)
    assert cluster.arrays == [list(configs)]


UNPREPARED = {"error": "no such folder", "bad_input": True}


@pytest.mark.parametrize("bad_input", [True, False])
def test_failed_preparation_takes_those_who_need_it_out_of_the_queue(
    store: Store, configs: dict[str, RunConfig], bad_input: bool
) -> None:
    cluster = FakeCluster(lambda _: False, {**UNPREPARED, "bad_input": bad_input})
    outcome = sweep(store, configs, cluster)
    assert not cluster.jobs
    assert outcome.bad_input == (["no such folder"] if bad_input else [])
    assert list(outcome.failed) == ([] if bad_input else list(configs))
    for run in map(store.run, configs):
        assert run.state() == "failed"
        assert "no such folder" in run.status().error
        assert next_action(run, retry=False) == "run", "it has not been tried"


@pytest.mark.parametrize("end", [succeed, fail])
def test_run_that_begins_before_it_is_out_of_the_queue_tells_its_own_end(
    store: Store, configs: dict[str, RunConfig], monkeypatch: pytest.MonkeyPatch, end: Callable[[Run], object]
) -> None:
    """It has prepared itself what it needs, or found out why that cannot be."""
    monkeypatch.setattr(FakeJob, "cancel", lambda job: end(job.run))
    outcome = sweep(store, configs, FakeCluster(lambda run: run.state() in ("done", "failed"), UNPREPARED))
    assert not outcome.bad_input
    assert outcome.failed == ({} if end is succeed else dict.fromkeys(configs, "broken"))


def test_run_that_another_command_has_submitted_meanwhile_is_followed(
    store: Store, configs: dict[str, RunConfig]
) -> None:
    """That this command could not prepare what it needs is nothing to it."""
    meanwhile: dict[str, Run] = {}

    class Late(FakeCluster):
        def flush(self) -> list[Run]:
            """All that is to be sent has been sent by somebody else."""
            joined, self._unsent = self._unsent, []
            self.jobs |= {run.signature: run for run in joined}
            meanwhile.update(self.jobs)
            return joined

    launcher = Late(lambda run: run.signature in meanwhile and succeed(run), UNPREPARED)
    outcome = sweep(store, configs, launcher)
    assert list(meanwhile) == list(configs)
    assert not outcome.bad_input
    assert not outcome.failed


@pytest.mark.parametrize("state", ["queued", "running"])
def test_run_whose_job_vanished_is_submitted_again_within_the_limit(
    store: Store, config: RunConfig, state: str
) -> None:
    def vanish(run: Run) -> bool:
        run.update_status(state=state)
        return True

    cluster = FakeCluster(vanish)
    (error,) = sweep(store, {config.signature: config}, cluster).failed.values()
    assert "3 times" in error
    assert len(cluster.arrays) == 1 + cluster.resubmissions


def test_launcher_without_a_queue_cannot_be_left(store: Store, configs: dict[str, RunConfig]) -> None:
    with pytest.raises(UserError, match="--launcher slurm"):
        sweep(store, configs, Inline(1), detach=True)


MODULE = """
from tests.fakes import FakeCluster, succeed

class Queue:
    jobs = {"7": "waits", "8": "runs"}

    def held(self, jobs):
        return set(jobs) & self.jobs.keys()

    def stop(self, jobs):
        return {job for job in jobs if self.jobs.pop(job, "") == "waits"}

def open_launcher(options, jobs, results, on_gpu):
    launcher = FakeCluster(succeed)
    launcher.threads = options["threads"]
    return launcher

def queue(results):
    return Queue()

def current_job():
    return "7"
"""


@pytest.fixture
def two_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A launcher of the user's own; Slurm is not there."""
    monkeypatch.setattr("shutil.which", lambda _: None)
    for name in ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID"):
        monkeypatch.delenv(name, raising=False)
    for file, content in (("modules/mine.py", MODULE), ("conf/launcher/mine.yaml", "name: mine\nthreads: 3\n")):
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).write_text(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(launch, "__path__", [*launch.__path__, str(tmp_path / "modules")])
    monkeypatch.delitem(sys.modules, f"{launch.__name__}.mine", raising=False)


@pytest.mark.usefixtures("two_files")
def test_launcher_with_a_queue_is_two_files(store: Store, configs: dict[str, RunConfig]) -> None:
    options = Composer(profile.load("quick"), [], store.cache).launcher(["launcher=mine"])
    launcher = launch.open_launcher(options, len(configs), store.root)
    assert launcher.threads == 3
    assert not sweep(store, configs, launcher).failed
    assert isinstance(launcher, FakeCluster)
    assert launcher.arrays == [list(configs)]
    assert process.own()["job"] == "7"


@pytest.mark.usefixtures("two_files")
def test_commands_reach_whatever_queue_there_is(run: Run) -> None:
    """One that runs is not named as taken out, one that is not in the queue is not waited for."""
    for job, busy in (("7", 1), ("8", 1), ("9", 0)):
        run.record_job(job)
        assert clean.removable(run.results, False)[1] == busy
    said: list[str] = []
    for job in ("7", "8"):
        run.record_job(job)
        cancel.cancel_runs([run], said.append)
    assert said == [f"{run.signature}: queued, will not be started{text}" for text in ("; job 7 left the queue", "")]


def test_unknown_launcher_is_named_with_those_there_are() -> None:
    with pytest.raises(
        UserError, match=r"unknown launcher 'slrum'. Did you mean 'slurm'\? Valid: inline, local, slurm"
    ):
        launch.find("slrum")
