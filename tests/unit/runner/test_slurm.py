"""The Slurm launcher without a Slurm: options that it refuses, what it asks of Slurm, how much at once, and whom it ends."""

from __future__ import annotations

import shlex
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from parsenet_cli.config import profile
from parsenet_cli.config.compose import Composer
from parsenet_cli.core import paths
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.runner import worker
from parsenet_cli.runner.launch import slurm
from parsenet_cli.runner.launch.slurm import Slurm, job
from parsenet_cli.runner.launch.slurm import options as slurm_options
from parsenet_cli.runner.launcher import Handle, Resources
from parsenet_cli.store.run import Run
from tests.fake_slurm import FakeSlurm
from tests.fakes import succeed

POLL_SECONDS = 0.005


OPTIONS: dict[str, Any] = yaml.safe_load((paths.shipped("conf") / "launcher/slurm.yaml").read_text())
"""As shipped."""


def test_shipped_options_are_accepted() -> None:
    slurm_options.check(OPTIONS)


WRONG: dict[str, list[object]] = {
    "partition": ["a b", "--wrap=x"],
    "account": ["a\n#SBATCH --uid=root"],
    "qos": ["$(id)"],
    "constraint": ["a100'; id"],
    "minutes": [0, "4:00:00", None],
    "signal_seconds": [7200],
    "threads": [0],
    "gpus": [-1, True],
    "slots": [0],
    "memory_gb": [0, "4G"],
    "poll_seconds": [0],
    "requeues": [-1],
    "setup": ["module load cuda", ["a\nb"]],
    "folder": [None],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in WRONG.items() for value in values])
def test_wrong_option_is_named_with_what_was_expected(key: str, value: object) -> None:
    with pytest.raises(UserError, match=rf"launcher\.{key}=.*expected"):
        slurm_options.check({**OPTIONS, key: value})


@given(value=st.text(max_size=30), key=st.sampled_from(["partition", "account", "qos", "constraint"]))
def test_name_that_is_accepted_is_one_word_of_its_line(value: str, key: str) -> None:
    try:
        slurm_options.check({**OPTIONS, key: value})
    except UserError:
        return
    assert shlex.split(f"--{key}={shlex.quote(value)}") == [f"--{key}={value}"]
    assert not set(value) & set("\n\r'\"`$\\; ")


def test_what_is_not_asked_for_is_left_to_the_cluster() -> None:
    given = slurm_options.sbatch_parameters({**OPTIONS, "gpus": 0}, slots=7, name="own")
    assert not {"partition", "account", "qos", "constraint", "mem", "gpus_per_node", "setup"} & set(given)
    asked = slurm_options.sbatch_parameters({**OPTIONS, "memory_gb": 1.5, "partition": "long"}, slots=7, name="own")
    assert (asked["mem"], asked["partition"]) == ("1536MB", "long")
    assert (asked["gpus_per_node"], asked["array_parallelism"]) == (1, 7)


def test_unknown_option_is_named_with_those_there_are(tmp_path: Path) -> None:
    composer = Composer(profile.load("quick"), [], tmp_path)
    with pytest.raises(UserError, match=r"unknown option of launcher slurm 'gpuz'. Did you mean 'gpus'\?"):
        composer.launcher(["launcher=slurm", "launcher.gpuz=1"])
    with pytest.raises(UserError, match=r"unknown option of launcher local 'partition'.*Valid: name, slots"):
        composer.launcher(["launcher.partition=long"])


def test_launcher_options_are_no_part_of_a_run(config: RunConfig, tmp_path: Path) -> None:
    composer = Composer(profile.load("quick"), ["weights=none", "recipe.frozen=[]"], tmp_path)
    assert composer.run_config(["launcher=slurm", "launcher.gpus=0"]).signature == config.signature
    assert composer.launcher(["launcher.gpus=0", "launcher=slurm"]).options["gpus"] == 0


def test_folder_of_pickles_that_others_can_read_is_refused(tmp_path: Path) -> None:
    made = slurm_options.private_folder(str(tmp_path / "a/b"))
    assert made.stat().st_mode & 0o777 == 0o700
    made.chmod(0o755)
    with pytest.raises(UserError, match="chmod 700"):
        slurm_options.private_folder(str(made))


@pytest.mark.parametrize("missing", ["submitit", "sbatch"])
def test_missing_program_or_package_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None if name == missing else f"/usr/bin/{name}")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == missing else object())
    with pytest.raises(UserError, match=missing):
        slurm.open_launcher(OPTIONS, 1, Path())


@pytest.mark.usefixtures("fake_slurm")
@pytest.mark.parametrize(("gpus", "on_gpu", "demanded"), [(1, True, True), (1, False, False), (0, True, False)])
def test_jobs_of_runs_on_the_cpu_ask_for_no_gpu_and_others_demand_theirs(
    gpus: int, on_gpu: bool, demanded: bool, monkeypatch: pytest.MonkeyPatch, runs: list[Run]
) -> None:
    launcher = slurm.open_launcher({**OPTIONS, "gpus": gpus, "poll_seconds": POLL_SECONDS}, 1, Path(), on_gpu)
    asked: list[Any] = []
    parameters = slurm_options.sbatch_parameters

    def seen(options: dict[str, Any], *more: Any) -> dict[str, Any]:
        asked.append(parameters(options, *more).get("gpus_per_node"))
        return parameters(options, *more)

    def made(*fields: Any) -> job.Job:
        asked.append(fields[4])
        assert fields[5] == str(Path.cwd()), "where the command has blocks of its own"
        return job.Job(*fields)

    monkeypatch.setattr(slurm_options, "sbatch_parameters", seen)
    monkeypatch.setattr(slurm, "Job", made)
    launcher.submit(runs[0], "train", Resources())
    launcher.flush()
    assert launcher.on_gpu == demanded
    assert asked == [demanded, 1 if demanded else None]


def opened(jobs: int, poll_seconds: float = POLL_SECONDS, results: Path = Path()) -> Slurm:
    return slurm.open_launcher({**OPTIONS, "poll_seconds": poll_seconds}, jobs, results)


def sent(runs: list[Run], poll_seconds: float = POLL_SECONDS) -> tuple[Slurm, list[Handle]]:
    """A launcher that has handed them all to Slurm."""
    launcher = opened(len(runs), poll_seconds)
    handles: list[Handle] = [launcher.submit(run, "train", Resources()) for run in runs]
    launcher.flush()
    return launcher, handles


def later() -> None:
    """What was refused may be offered again."""
    time.sleep((slurm.REFUSED_POLLS + 1) * POLL_SECONDS)


def test_plan_larger_than_an_array_may_be_goes_out_in_several(fake_slurm: FakeSlurm, runs: list[Run]) -> None:
    fake_slurm.allow(largest_array=3)
    sent(runs)
    assert [run.job() for run in runs] == ["1_0", "1_1", "1_2", "2_0", "2_1"]
    assert list(fake_slurm.queue) == [run.job() for run in runs]


def test_runs_wait_in_the_queue_for_the_jobs_that_prepare_what_they_share(
    fake_slurm: FakeSlurm, runs: list[Run]
) -> None:
    launcher = opened(3)
    preparations = [launcher.submit(runs[0], "weights", Resources()), launcher.submit(runs[0], "data", Resources())]
    for run in runs[:2]:
        launcher.submit(run, "train", Resources(), preparations)
    launcher.flush()
    assert list(fake_slurm.queue) == ["1_0", "1_1", "2_0", "2_1"]
    assert [(run.job(), run.prerequisite_jobs()) for run in runs[:2]] == [(f"2_{i}", ["1_0", "1_1"]) for i in range(2)]
    assert (fake_slurm.dependency("1"), fake_slurm.dependency("2")) == ("", "afterany:1_0:1_1")
    fake_slurm.queue = {"1_1": "RUNNING", "2_0": "PENDING", "2_1": "PENDING"}
    time.sleep(2 * POLL_SECONDS)
    assert [task.alive() for task in preparations] == [False, True]
    for run in runs[2:4]:
        launcher.submit(run, "train", Resources(), preparations)
        launcher.flush()
        fake_slurm.queue = {}
        later()
    assert (fake_slurm.dependency("3"), fake_slurm.dependency("4")) == ("afterany:1_1", "")


def test_runs_wait_for_what_they_need_and_for_nothing_else(fake_slurm: FakeSlurm, runs: list[Run]) -> None:
    launcher = opened(3)
    first, second = (launcher.submit(run, "data", Resources()) for run in runs[:2])
    for run, after in zip(runs, ([first], [second], [first], [first, second], []), strict=True):
        launcher.submit(run, "train", Resources(), after)
    launcher.flush()
    assert [run.job() for run in runs] == ["2_0", "3", "2_1", "4", "5"]
    dependencies = [fake_slurm.dependency(job) for job in "12345"]
    assert dependencies == ["", "afterany:1_0", "afterany:1_1", "afterany:1_0:1_1", ""]


def test_no_run_goes_out_before_the_jobs_that_prepare_what_it_needs(fake_slurm: FakeSlurm, runs: list[Run]) -> None:
    launcher, _ = sent(runs[:1])
    fake_slurm.allow(room=1)
    launcher.submit(runs[1], "train", Resources(), [launcher.submit(runs[1], "data", Resources())])
    launcher.flush()
    assert fake_slurm.queue == {"1": "PENDING"}
    fake_slurm.allow()
    later()
    launcher.flush()
    assert list(fake_slurm.queue) == ["1", "2", "3"]
    assert fake_slurm.dependency("3") == "afterany:2"


def test_job_that_is_taken_back_leaves_the_queue_though_nobody_looks_at_it_again(
    fake_slurm: FakeSlurm, runs: list[Run]
) -> None:
    launcher, (handle,) = sent(runs[:1])
    handle.cancel()
    launcher.flush()
    assert fake_slurm.calls("scancel") == ["--quiet 1"]


def test_what_finds_no_room_goes_out_when_others_have_ended(
    fake_slurm: FakeSlurm, runs: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    fake_slurm.allow(room=2)
    launcher, handles = sent(runs)
    first = [run.job() for run in runs if run.job()]
    assert first == list(fake_slurm.queue)
    assert 0 < len(first) <= 2
    assert all(handle.alive() for handle in handles)
    for _ in range(20):
        later()
        fake_slurm.queue = {}
        assert not handles[0].alive()
        launcher.flush()
    assert not any(handle.alive() for handle in handles)
    assert len(fake_slurm.calls("sbatch")) >= 3
    assert capsys.readouterr().err.count("no room") == 1


def test_refusal_of_everything_is_one_error(fake_slurm: FakeSlurm, runs: list[Run]) -> None:
    fake_slurm.allow(room=0)
    with pytest.raises(UserError, match=r"Slurm does not take the jobs: .*no room for 1"):
        sent(runs)
    assert not fake_slurm.queue


def test_second_command_joins_the_job_that_the_first_has_just_submitted(fake_slurm: FakeSlurm, runs: list[Run]) -> None:
    first, second = (opened(1) for _ in range(2))
    for launcher in (first, second):
        launcher.submit(runs[0], "train", Resources())
    assert first.flush() == []
    assert second.flush() == [runs[0]]
    assert fake_slurm.queue == {"1": "PENDING"}
    assert second.is_queued(runs[0])
    assert second.flush() == []


def test_nothing_is_submitted_while_the_controller_is_silent(fake_slurm: FakeSlurm, runs: list[Run]) -> None:
    launcher, _ = sent(runs[:1])
    fake_slurm.silent(True)
    second = launcher.submit(runs[1], "train", Resources())
    launcher.flush()
    assert second.alive()
    assert launcher.is_queued(runs[0])
    assert len(fake_slurm.calls("sbatch")) == 1
    fake_slurm.silent(False)
    time.sleep(2 * POLL_SECONDS)
    launcher.flush()
    assert runs[1].job() == "2"


def test_jobs_are_stopped_by_their_ids_alone_in_two_calls(fake_slurm: FakeSlurm, runs: list[Run]) -> None:
    _, handles = sent(runs)
    fake_slurm.queue = {"1_0": "RUNNING", "1_1": "RUNNING", "1_2": "PENDING", "1_3": "PENDING", "1_4": "PENDING"}
    for handle in handles[:1] + handles[2:4]:
        handle.cancel()
    assert all(handle.alive() for handle in handles)
    assert fake_slurm.calls("scancel") == ["--quiet 1_2 1_3", "--quiet --signal=TERM 1_0"]


def test_jobs_are_stopped_once_the_controller_answers(fake_slurm: FakeSlurm, runs: list[Run]) -> None:
    _, handles = sent(runs, poll_seconds=2.0)
    fake_slurm.silent(True)
    for handle in handles:
        handle.cancel()
    questions = len(fake_slurm.calls("squeue"))
    assert all(handle.alive() for handle in handles)
    assert len(fake_slurm.calls("squeue")) == questions + 1, "asked once, not for each"
    fake_slurm.silent(False)
    time.sleep(2.1)
    assert all(handle.alive() for handle in handles)
    assert fake_slurm.calls("scancel") == ["--quiet 1_0 1_1 1_2 1_3 1_4"]


def test_job_that_has_left_the_queue_is_forgotten(fake_slurm: FakeSlurm, runs: list[Run]) -> None:
    _, (handle,) = sent(runs[:1])
    assert runs[0].job() == "1"
    fake_slurm.queue = {}
    time.sleep(2 * POLL_SECONDS)
    assert not handle.alive()
    assert runs[0].job() is None


def test_job_that_never_came_to_python_names_the_file_with_what_it_said(
    fake_slurm: FakeSlurm, runs: list[Run], tmp_path: Path
) -> None:
    launcher, handles = sent(runs[:2])
    runs[1].log.write_text("train: Slurm job 1_1 on node1, restarted 0 times\n")
    folder = tmp_path / ".cache/parsenet/slurm"
    for task in range(2):
        (folder / f"1_{task}_0_log.err").write_text("module: command not found\n")
    fake_slurm.queue = {}
    time.sleep(2 * POLL_SECONDS)
    assert not any(handle.alive() for handle in handles)
    never, killed, outside = map(launcher.last_error, runs[:3])
    assert never == f"{killed.replace('1_1', '1_0')}; it never started Python: see {folder}/1_0_0_log.err"
    assert killed == "its job 1_1 left the queue before the run was done: cancelled, killed, or lost"
    assert outside == "its worker, which is no job of Slurm, exited before the run was done: killed, or lost"


def test_commands_that_meet_prepare_once(fake_slurm: FakeSlurm, runs: list[Run]) -> None:
    sent(runs[:1])
    second = opened(1)
    preparation = second.submit(runs[0], "data", Resources())
    second.submit(runs[0], "train", Resources(), [preparation])
    assert second.flush() == runs[:1]
    assert not preparation.alive()
    assert fake_slurm.queue == {"1": "PENDING"}


def test_run_is_over_when_its_result_is_there_whatever_slurm_says_of_its_job(
    fake_slurm: FakeSlurm, runs: list[Run]
) -> None:
    launcher, (handle,) = sent(runs[:1])
    with runs[0].lock():
        succeed(runs[0])
        time.sleep(2 * POLL_SECONDS)
        assert handle.alive()
        assert launcher.is_queued(runs[0])
    assert not launcher.is_queued(runs[0])
    time.sleep(2 * POLL_SECONDS)
    assert not handle.alive()
    assert fake_slurm.queue


@pytest.mark.parametrize("said", ["failed", "running"])
def test_run_that_is_tried_again_is_queued_until_it_starts(fake_slurm: FakeSlurm, runs: list[Run], said: str) -> None:
    runs[0].update_status(state=said, failures=1)
    assert runs[0].state() == ("failed" if said == "failed" else "lost")
    opened(1).submit(runs[0], "train", Resources())
    assert runs[0].state() == "queued"
    assert runs[0].status().failures == 1


@pytest.fixture
def handlers() -> Iterator[None]:
    """As they were."""
    numbers = (signal.SIGUSR2, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize(("restarts", "requeued"), [(0, True), (2, True), (3, False)])
def test_preparation_at_its_time_limit_is_requeued_as_often_as_allowed_and_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restarts: int, requeued: bool
) -> None:
    """After that the runs that wait for it make themselves what they need."""
    happened: list[str] = []
    monkeypatch.setenv("SLURM_RESTART_COUNT", str(restarts))
    monkeypatch.setattr(job, "_put_back", lambda: happened.append("requeued"))

    def prepare(*_: object) -> None:
        signal.signal(signal.SIGTERM, lambda *_: happened.append("left"))
        signal.raise_signal(signal.SIGUSR2)

    monkeypatch.setattr(worker, "main", prepare)
    job.Job(str(tmp_path), "data", threads=1, requeues=3)()
    assert happened == (["requeued", "left"] if requeued else ["left"])
