"""The Slurm launcher where there is no Slurm: which options it refuses, what it writes into a job script, how runs are joined."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from parsenet_cli.config import profile
from parsenet_cli.config.compose import Composer
from parsenet_cli.core import files, paths
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.runner import scheduler
from parsenet_cli.runner.launch import slurm
from parsenet_cli.runner.launch.inline import Inline
from parsenet_cli.runner.launch.slurm import options as slurm_options
from parsenet_cli.runner.launcher import Resources
from parsenet_cli.runner.retry import next_action
from parsenet_cli.runner.worker import Task
from parsenet_cli.store.run import Run, Store
from tests.pretending import Silent

pytestmark = pytest.mark.usefixtures("driver_that_does_not_wait")


@pytest.fixture(scope="module")
def options() -> dict[str, Any]:
    """As shipped."""
    content = yaml.safe_load((paths.shipped("conf") / "launcher/slurm.yaml").read_text())
    assert isinstance(content, dict)
    return content


def test_shipped_options_are_accepted(options: dict[str, Any]) -> None:
    slurm_options.check(options)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("partition", "a b"),
        ("partition", "--wrap=x"),
        ("account", "a\n#SBATCH --uid=root"),
        ("qos", "$(id)"),
        ("constraint", "a100'; id"),
        ("minutes", 0),
        ("minutes", "4:00:00"),
        ("minutes", None),
        ("signal_seconds", 7200),
        ("threads", 0),
        ("gpus", -1),
        ("gpus", True),
        ("slots", 0),
        ("memory_gb", 0),
        ("memory_gb", "4G"),
        ("poll_seconds", 0),
        ("requeues", -1),
        ("setup", "module load cuda"),
        ("setup", ["a\nb"]),
        ("folder", None),
    ],
)
def test_wrong_option_is_named_with_what_was_expected(options: dict[str, Any], key: str, value: object) -> None:
    with pytest.raises(UserError, match=rf"launcher\.{key}=.*expected"):
        slurm_options.check({**options, key: value})


@given(value=st.text(max_size=30), key=st.sampled_from(["partition", "account", "qos", "constraint"]))
def test_name_that_is_accepted_is_one_word_of_its_line(options: dict[str, Any], value: str, key: str) -> None:
    try:
        slurm_options.check({**options, key: value})
    except UserError:
        return
    assert shlex.split(f"--{key}={shlex.quote(value)}") == [f"--{key}={value}"]
    assert not set(value) & set("\n\r'\"`$\\; ")


def test_what_is_not_asked_for_is_left_to_the_cluster(options: dict[str, Any]) -> None:
    given = slurm_options.sbatch_parameters({**options, "gpus": 0}, slots=7)
    assert not {"partition", "account", "qos", "constraint", "mem", "gpus_per_node", "setup"} & set(given)
    asked = slurm_options.sbatch_parameters({**options, "memory_gb": 1.5, "partition": "long"}, slots=7)
    assert (asked["mem"], asked["partition"], asked["gpus_per_node"], asked["array_parallelism"]) == (
        "1536MB",
        "long",
        1,
        7,
    )


def test_unknown_option_is_named_with_those_there_are(tmp_path: Path) -> None:
    composer = Composer(profile.load("quick"), [], tmp_path)
    with pytest.raises(UserError, match=r"unknown option of launcher slurm 'gpuz'. Did you mean 'gpus'\?"):
        composer.launcher(["launcher=slurm", "launcher.gpuz=1"])
    with pytest.raises(UserError, match=r"unknown option of launcher local 'partition'.*Valid: name, slots"):
        composer.launcher(["launcher.partition=long"])


def test_launcher_options_are_no_part_of_a_run(config: RunConfig, tmp_path: Path) -> None:
    composer = Composer(profile.load("quick"), ["weights=none"], tmp_path)
    assert composer.run_config(["launcher=slurm", "launcher.gpus=0"]).signature == config.signature
    assert composer.launcher(["launcher.gpus=0", "launcher=slurm"])["gpus"] == 0


def test_folder_of_pickles_that_others_can_read_is_refused(tmp_path: Path) -> None:
    made = slurm_options.private_folder(str(tmp_path / "a/b"))
    assert made.stat().st_mode & 0o777 == 0o700
    made.chmod(0o755)
    with pytest.raises(UserError, match="chmod 700"):
        slurm_options.private_folder(str(made))


@pytest.mark.parametrize("missing", ["submitit", "sbatch"])
def test_missing_program_or_package_is_named(
    options: dict[str, Any], missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None if name == missing else f"/usr/bin/{name}")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == missing else object())
    with pytest.raises(UserError, match=missing):
        slurm.open_launcher(options, jobs=1)


class Cluster:
    """A queue in memory; `work` says what each turn of it does to the runs it holds."""

    slots, threads, resubmissions, silence_seconds = 1, 1, 2, 1e9

    def __init__(self, work: Callable[[Run], bool]) -> None:
        self._work = work
        self._unsent: list[Run] = []
        self.jobs: dict[str, Run] = {}
        self.arrays: list[list[str]] = []

    def has_room(self, needs: Resources) -> bool:
        return True

    def submit(self, run: Run, task: Task, needs: Resources) -> Job:
        if task == "train":
            self._unsent.append(run)
        else:
            self.prepare(run, task)
        return Job(self, run, task)

    def prepare(self, run: Run, task: Task) -> None:
        run.update_prerequisite(task, done=True)

    def flush(self) -> list[Run]:
        if self._unsent:
            self.arrays.append([run.signature for run in self._unsent])
        self.jobs |= {run.signature: run for run in self._unsent}
        self._unsent = []
        return []

    def holds(self, run: Run) -> bool:
        if run.signature in self.jobs and self._work(run):
            del self.jobs[run.signature]
        return run.signature in self.jobs

    def end(self, run: Run) -> None:
        self.jobs.pop(run.signature, None)

    def last_words(self, run: Run) -> str:
        return "its job vanished"


class Job:
    """What `Cluster.submit` returns."""

    def __init__(self, cluster: Cluster, run: Run, task: Task) -> None:
        self._cluster, self.run, self._task = cluster, run, task

    def alive(self) -> bool:
        return self._task == "train" and self._cluster.holds(self.run)

    def cancel(self) -> None:
        self._cluster.jobs.pop(self.run.signature, None)

    kill = cancel


def succeed(run: Run) -> bool:
    result = {"signature": run.signature, "outcome": "converged", "train_seconds": 1, "evaluate_seconds": 1, "steps": 2}
    files.write_json(run.folder / "result.json", result)
    return True


def fail(run: Run) -> bool:
    run.update_status(state="failed", failures=1, error="broken")
    return True


def test_all_runs_go_out_at_once_whatever_the_bound(store: Store, configs: dict[str, RunConfig]) -> None:
    cluster = Cluster(succeed)
    assert not scheduler.run_sweep(store, configs, cluster, Silent()).failed
    assert cluster.arrays == [list(configs)]


def test_detached_runs_are_joined_and_not_submitted_again(store: Store, configs: dict[str, RunConfig]) -> None:
    working = False

    def work(run: Run) -> bool:
        return working and succeed(run)

    cluster = Cluster(work)
    for _ in range(2):
        left = scheduler.run_sweep(store, configs, cluster, Silent(), detach=True).left
        assert sorted(run.signature for run in left) == sorted(configs)
    working = True
    assert not scheduler.run_sweep(store, configs, cluster, Silent()).left
    assert all(store.run(signature).state() == "done" for signature in configs)
    assert len(cluster.arrays) == 1


def test_command_leaves_while_what_runs_share_is_still_being_prepared(
    store: Store, configs: dict[str, RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Job, "alive", lambda _: True)
    cluster = Cluster(lambda _: False)
    left = scheduler.run_sweep(store, configs, cluster, Silent(), detach=True).left
    assert [run.signature for run in left] == list(configs)
    assert cluster.arrays == [list(configs)]


def unprepared(monkeypatch: pytest.MonkeyPatch, bad_input: bool) -> None:
    said = {"error": "no such folder", "bad_input": bad_input}
    monkeypatch.setattr(Cluster, "prepare", lambda _, run, task: run.update_prerequisite(task, **said))


@pytest.mark.parametrize("bad_input", [True, False])
def test_failed_preparation_takes_those_who_need_it_out_of_the_queue(
    store: Store, configs: dict[str, RunConfig], monkeypatch: pytest.MonkeyPatch, bad_input: bool
) -> None:
    unprepared(monkeypatch, bad_input)
    cluster = Cluster(lambda _: False)
    outcome = scheduler.run_sweep(store, configs, cluster, Silent())
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
    unprepared(monkeypatch, bad_input=True)
    monkeypatch.setattr(Job, "cancel", lambda job: end(job.run))
    outcome = scheduler.run_sweep(store, configs, Cluster(lambda run: run.state() in ("done", "failed")), Silent())
    assert not outcome.bad_input
    assert outcome.failed == ({} if end is succeed else dict.fromkeys(configs, "broken"))


def test_run_that_another_command_has_submitted_meanwhile_is_followed(
    store: Store, configs: dict[str, RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That this command could not prepare what it needs is nothing to it."""
    unprepared(monkeypatch, bad_input=True)
    meanwhile: dict[str, Run] = {}

    class Late(Cluster):
        def flush(self) -> list[Run]:
            """All that is to be sent has been sent by somebody else."""
            joined, self._unsent = self._unsent, []
            self.jobs |= {run.signature: run for run in joined}
            meanwhile.update(self.jobs)
            return joined

    outcome = scheduler.run_sweep(
        store, configs, Late(lambda run: run.signature in meanwhile and succeed(run)), Silent()
    )
    assert list(meanwhile) == list(configs)
    assert not outcome.bad_input
    assert not outcome.failed


@pytest.mark.parametrize("said", ["queued", "running"])
def test_run_whose_job_vanished_is_submitted_again_within_the_limit(
    store: Store, configs: dict[str, RunConfig], said: str
) -> None:
    def vanish(run: Run) -> bool:
        run.update_status(state=said)
        return True

    one = dict([next(iter(configs.items()))])
    cluster = Cluster(vanish)
    outcome = scheduler.run_sweep(store, one, cluster, Silent())
    assert list(outcome.failed) == list(one)
    assert "3 times" in next(iter(outcome.failed.values()))
    assert len(cluster.arrays) == 1 + cluster.resubmissions


def test_launcher_without_a_queue_cannot_be_left(store: Store, configs: dict[str, RunConfig]) -> None:
    with pytest.raises(UserError, match="--launcher slurm"):
        scheduler.run_sweep(store, configs, Inline(1), Silent(), detach=True)
