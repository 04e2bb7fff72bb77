"""The schedule: what is skipped, joined, retried and given up, with workers that only pretend."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from parsenet_cli import files, schedule
from parsenet_cli.config import RunConfig, Science
from parsenet_cli.estimate import Estimate
from parsenet_cli.store import Run, Store
from parsenet_cli.worker import Task


@dataclass
class Pretender:
    """A launcher whose tasks are over at once; `behave` says what a training leaves behind."""

    behave: Callable[[Run], None]
    slots: int = 2
    threads: int = 1
    submitted: list[tuple[Task, str]] = field(default_factory=list)

    def submit(self, run: Run, task: Task) -> Pretender:
        self.submitted.append((task, run.signature))
        if task == "train":
            self.behave(run)
        else:
            run.say_preparation(task, done=True)
        return self

    def alive(self) -> bool:
        return False

    def cancel(self) -> None: ...

    def kill(self) -> None: ...

    @property
    def trained(self) -> list[str]:
        return [signature for task, signature in self.submitted if task == "train"]


class Silent:
    """A view that remembers what failed."""

    def __init__(self) -> None:
        self.failures: list[str] = []

    def preparing(self, texts: Sequence[str]) -> None: ...
    def started(self, run: Run) -> None: ...
    def finished(self, run: Run, finished: int, seconds_left: float | None) -> None: ...
    def refresh(self, active: Sequence[Run], finished: int, seconds_left: float | None) -> None: ...
    def failed(self, run: Run, error: str) -> None:
        self.failures.append(run.signature)


def succeed(run: Run) -> None:
    result = {"signature": run.signature, "outcome": "converged", "train_seconds": 1, "evaluate_seconds": 1, "steps": 2}
    files.write_json(run.folder / "result.json", result)


def fail(run: Run) -> None:
    run.update_status(state="failed", failures=run.status().get("failures", 0) + 1, error="broken")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


@pytest.fixture
def configs(config: RunConfig) -> dict[str, RunConfig]:
    seeds = [config.model_copy(update={"science": config.science.model_copy(update={"seed": s})}) for s in range(4)]
    return {one.signature: one for one in seeds}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "POLL_SECONDS", 0.001)


def test_every_missing_run_is_trained_once_and_a_second_command_trains_none(
    store: Store, configs: dict[str, RunConfig]
) -> None:
    first, second = Pretender(succeed), Pretender(succeed)
    assert not schedule.execute(store, configs, first, Silent()).failed
    assert sorted(first.trained) == sorted(configs)
    schedule.execute(store, configs, second, Silent())
    assert second.submitted == []


def test_done_run_is_trained_again_for_its_model_alone_and_only_once(
    store: Store, configs: dict[str, RunConfig]
) -> None:
    schedule.execute(store, configs, Pretender(succeed), Silent())
    keeping = {
        signature: config.model_copy(update={"runtime": config.runtime.model_copy(update={"keep_model": True})})
        for signature, config in configs.items()
    }
    signature = next(iter(configs))
    one = {signature: keeping[signature]}

    def with_model(run: Run) -> None:
        assert run.config().runtime.keep_model, "the frozen configuration asks for the model"
        run.model_file.touch()
        succeed(run)

    launcher, again = Pretender(with_model), Pretender(with_model)
    assert not schedule.execute(store, one, launcher, Silent()).failed
    assert launcher.trained == [signature]
    schedule.execute(store, one, again, Silent())
    schedule.execute(store, configs, again, Silent())
    assert again.submitted == []


def test_failure_to_make_the_model_is_a_failure_and_keeps_the_result(
    store: Store, configs: dict[str, RunConfig]
) -> None:
    signature, config = next(iter(configs.items()))
    schedule.execute(store, {signature: config}, Pretender(succeed), Silent())
    keeping = config.model_copy(update={"runtime": config.runtime.model_copy(update={"keep_model": True})})
    assert list(schedule.execute(store, {signature: keeping}, Pretender(fail), Silent()).failed) == [signature]
    assert store.run(signature).state() == "done"


def test_shared_data_is_prepared_once_before_any_run_that_needs_it(store: Store, configs: dict[str, RunConfig]) -> None:
    launcher = Pretender(succeed)
    schedule.execute(store, configs, launcher, Silent())
    assert [task for task, _ in launcher.submitted] == ["data", *["train"] * len(configs)]


def test_one_failure_touches_one_run(store: Store, configs: dict[str, RunConfig]) -> None:
    bad = next(iter(configs))
    view = Silent()
    outcome = schedule.execute(
        store, configs, Pretender(lambda run: (fail if run.signature == bad else succeed)(run)), view
    )
    assert list(outcome.failed) == view.failures == [bad]
    assert all(store.run(signature).state() == "done" for signature in configs if signature != bad)


def test_failed_run_is_tried_once_more_then_only_when_asked(store: Store, configs: dict[str, RunConfig]) -> None:
    one = dict([next(iter(configs.items()))])
    tried = []
    for retry in (False, False, False, True):
        launcher = Pretender(fail)
        assert schedule.execute(store, one, launcher, Silent(), retry=retry).failed
        tried.append(len(launcher.trained))
    assert tried == [1, 1, 0, 1]


def test_interrupted_and_lost_runs_go_on(store: Store, configs: dict[str, RunConfig]) -> None:
    signature, config = next(iter(configs.items()))
    run = store.run(signature)
    run.create(config)
    run.update_status(state="running")
    assert run.state() == "lost"
    assert schedule.decide(run, retry=False) == "run"


def test_run_of_a_living_worker_is_joined(store: Store, configs: dict[str, RunConfig]) -> None:
    signature, config = next(iter(configs.items()))
    run = store.run(signature)
    run.create(config)
    with run.lock():
        assert schedule.decide(run, retry=False) == "join"


def test_failed_preparation_fails_those_who_need_it_with_its_message(
    store: Store, configs: dict[str, RunConfig]
) -> None:
    class Unprepared(Pretender):
        def submit(self, run: Run, task: Task) -> Pretender:
            self.submitted.append((task, run.signature))
            run.say_preparation(task, error="no such folder", bad_input=True)
            return self

    launcher = Unprepared(succeed)
    outcome = schedule.execute(store, configs, launcher, Silent())
    assert outcome.bad_input == ["no such folder"]
    assert launcher.trained == []


@pytest.mark.parametrize("said", [{}, {"text": "reading files"}, {"done": True}])
def test_runs_start_unless_their_preparation_said_that_it_failed(
    store: Store, configs: dict[str, RunConfig], said: dict[str, Any]
) -> None:
    """Another driver's process may have overwritten or ended what ours said of the same preparation."""

    class Overwritten(Pretender):
        def submit(self, run: Run, task: Task) -> Pretender:
            super().submit(run, task)
            if task != "train":
                run.end_preparation(task)
                if said:
                    run.say_preparation(task, **said)
            return self

    launcher = Overwritten(succeed)
    assert not schedule.execute(store, configs, launcher, Silent()).failed
    assert sorted(launcher.trained) == sorted(configs)


def test_interrupt_asks_every_worker_to_stop_and_waits(store: Store, configs: dict[str, RunConfig]) -> None:
    class Endless(Pretender):
        cancelled = 0

        def submit(self, run: Run, task: Task) -> Pretender:
            self.submitted.append((task, run.signature))
            return self

        def alive(self) -> bool:
            return self.cancelled == 0

        def cancel(self) -> None:
            self.cancelled += 1

    class Interrupted(Silent):
        def refresh(self, active: Sequence[Run], finished: int, seconds_left: float | None) -> None:
            raise KeyboardInterrupt

    launcher = Endless(succeed)
    with pytest.raises(KeyboardInterrupt):
        schedule.execute(store, configs, launcher, Interrupted())
    assert launcher.cancelled == len(launcher.submitted) > 0


def test_time_left_is_not_told_anew_for_every_run_that_ends(
    store: Store, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks at every waiting run: two thousand runs would be looked at two million times."""
    monkeypatch.setattr(schedule, "SHOW_SECONDS", 1e9)
    seeds = [config.model_copy(update={"science": config.science.model_copy(update={"seed": s})}) for s in range(60)]
    looked: list[int] = []

    def look(_: Estimate, science: Science) -> None:
        looked.append(science.seed)

    monkeypatch.setattr(Estimate, "seconds", look)
    schedule.execute(store, {one.signature: one for one in seeds}, Pretender(succeed), Silent())
    assert 0 < len(looked) <= len(seeds)


def test_driver_looks_again_at_once_while_runs_end_and_seldom_while_they_do_not(
    store: Store, configs: dict[str, RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(schedule, "POLL_SECONDS", 0.1)
    monkeypatch.setattr(time, "sleep", slept.append)
    schedule.execute(store, configs, Pretender(succeed), Silent())
    assert max(slept) <= 2 * schedule.SOON_SECONDS
    slept.clear()
    lasting = Pretender(succeed)
    answers = iter([True] * 30)
    monkeypatch.setattr(lasting, "alive", lambda: next(answers, False))
    schedule.execute(Store(store.root / "other"), configs, lasting, Silent())
    assert max(slept) == 0.1
    assert slept.count(0.1) > 1
