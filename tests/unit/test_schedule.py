"""The schedule: what is skipped, joined, retried and given up, with workers that only pretend."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from typing import Any

import pytest

from parsenet_cli.core import files
from parsenet_cli.core.run_config import RunConfig, Science
from parsenet_cli.runner import scheduler
from parsenet_cli.runner.cost import CostModel
from parsenet_cli.runner.launcher import Resources
from parsenet_cli.runner.retry import next_action
from parsenet_cli.runner.worker import Task
from parsenet_cli.store.run import Run, Store
from tests.pretending import Pretended, Pretender, Silent, fail, succeed

pytestmark = pytest.mark.usefixtures("driver_that_does_not_wait")


def test_every_missing_run_is_trained_once_and_a_second_command_trains_none(
    store: Store, configs: dict[str, RunConfig]
) -> None:
    first, second = Pretender(succeed), Pretender(succeed)
    assert not scheduler.run_sweep(store, configs, first, Silent()).failed
    assert sorted(first.trained) == sorted(configs)
    scheduler.run_sweep(store, configs, second, Silent())
    assert second.submitted == []


def test_done_run_is_trained_again_for_its_model_alone_and_only_once(
    store: Store, configs: dict[str, RunConfig]
) -> None:
    scheduler.run_sweep(store, configs, Pretender(succeed), Silent())
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
    assert not scheduler.run_sweep(store, one, launcher, Silent()).failed
    assert launcher.trained == [signature]
    scheduler.run_sweep(store, one, again, Silent())
    scheduler.run_sweep(store, configs, again, Silent())
    assert again.submitted == []


def test_failure_to_make_the_model_is_a_failure_and_keeps_the_result(
    store: Store, configs: dict[str, RunConfig]
) -> None:
    signature, config = next(iter(configs.items()))
    scheduler.run_sweep(store, {signature: config}, Pretender(succeed), Silent())
    keeping = config.model_copy(update={"runtime": config.runtime.model_copy(update={"keep_model": True})})
    assert list(scheduler.run_sweep(store, {signature: keeping}, Pretender(fail), Silent()).failed) == [signature]
    assert store.run(signature).state() == "done"


def test_shared_data_is_prepared_once_before_any_run_that_needs_it(store: Store, configs: dict[str, RunConfig]) -> None:
    launcher = Pretender(succeed)
    scheduler.run_sweep(store, configs, launcher, Silent())
    assert [task for task, _ in launcher.submitted] == ["data", *["train"] * len(configs)]


def test_one_failure_touches_one_run(store: Store, configs: dict[str, RunConfig]) -> None:
    bad = next(iter(configs))
    view = Silent()
    outcome = scheduler.run_sweep(
        store, configs, Pretender(lambda run: (fail if run.signature == bad else succeed)(run)), view
    )
    assert list(outcome.failed) == view.failures == [bad]
    assert all(store.run(signature).state() == "done" for signature in configs if signature != bad)


def test_failed_run_is_tried_once_more_then_only_when_asked(store: Store, configs: dict[str, RunConfig]) -> None:
    one = dict([next(iter(configs.items()))])
    tried = []
    for retry in (False, False, False, True):
        launcher = Pretender(fail)
        assert scheduler.run_sweep(store, one, launcher, Silent(), retry=retry).failed
        tried.append(len(launcher.trained))
    assert tried == [1, 1, 0, 1]


def test_interrupted_and_lost_runs_go_on(store: Store, configs: dict[str, RunConfig]) -> None:
    signature, config = next(iter(configs.items()))
    run = store.run(signature)
    run.create(config)
    run.update_status(state="running")
    assert run.state() == "lost"
    assert next_action(run, retry=False) == "run"


def test_run_of_a_living_worker_is_joined(store: Store, configs: dict[str, RunConfig]) -> None:
    signature, config = next(iter(configs.items()))
    run = store.run(signature)
    run.create(config)
    with run.lock():
        assert next_action(run, retry=False) == "join"


def test_failed_preparation_fails_those_who_need_it_with_its_message(
    store: Store, configs: dict[str, RunConfig]
) -> None:
    class Unprepared(Pretender):
        def submit(self, run: Run, task: Task, needs: Resources) -> Pretended:
            self.submitted.append((task, run.signature))
            run.update_prerequisite(task, error="no such folder", bad_input=True)
            return Pretended(0)

    launcher = Unprepared(succeed)
    outcome = scheduler.run_sweep(store, configs, launcher, Silent())
    assert outcome.bad_input == ["no such folder"]
    assert launcher.trained == []


@pytest.mark.parametrize("said", [{}, {"text": "reading files"}, {"done": True}])
def test_runs_start_unless_their_preparation_said_that_it_failed(
    store: Store, configs: dict[str, RunConfig], said: dict[str, Any]
) -> None:
    """Another driver's process may have overwritten or ended what ours said of the same preparation."""

    class Overwritten(Pretender):
        def submit(self, run: Run, task: Task, needs: Resources) -> Pretended:
            handle = super().submit(run, task, needs)
            if task != "train":
                run.clear_prerequisite(task)
                if said:
                    run.update_prerequisite(task, **said)
            return handle

    launcher = Overwritten(succeed)
    assert not scheduler.run_sweep(store, configs, launcher, Silent()).failed
    assert sorted(launcher.trained) == sorted(configs)


def test_no_run_is_started_that_there_is_no_room_for(store: Store, configs: dict[str, RunConfig]) -> None:
    class Narrow(Pretender):
        """Room for one task at a time, although it has two slots."""

        def has_room(self, needs: Resources) -> bool:
            return not any(handle.lives > 0 for handle in self.handles)

        def submit(self, run: Run, task: Task, needs: Resources) -> Pretended:
            assert self.has_room(needs)
            return super().submit(run, task, needs)

    launcher = Narrow(succeed, lives=3)
    assert not scheduler.run_sweep(store, configs, launcher, Silent()).failed
    assert sorted(launcher.trained) == sorted(configs)


def test_memory_of_a_kind_is_known_once_one_of_it_is_done(store: Store, configs: dict[str, RunConfig]) -> None:
    def measured(run: Run) -> None:
        succeed(run)
        files.write_json(run.folder / "result.json", {**run.done_result(), "gpu_mb": 3000})

    launcher = Pretender(measured, slots=1)
    scheduler.run_sweep(store, configs, launcher, Silent())
    assert [needs.gpu_mb for _, needs in launcher.asked] == [None, 3000, 3000, 3000]


def test_sigterm_stops_a_command_as_ctrl_c_does(store: Store, configs: dict[str, RunConfig]) -> None:
    launcher = Pretender(succeed, lives=10**9)
    before = signal.getsignal(signal.SIGTERM)

    class Terminated(Silent):
        def refresh(self, active: Sequence[Run], finished: int, seconds_left: float | None) -> None:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        scheduler.run_sweep(store, configs, launcher, Terminated())
    assert all(handle.cancelled for handle in launcher.handles)
    assert signal.getsignal(signal.SIGTERM) is before


def test_interrupt_asks_every_worker_to_stop_and_waits(store: Store, configs: dict[str, RunConfig]) -> None:
    class Interrupted(Silent):
        def refresh(self, active: Sequence[Run], finished: int, seconds_left: float | None) -> None:
            raise KeyboardInterrupt

    launcher = Pretender(succeed, lives=10**9)
    with pytest.raises(KeyboardInterrupt):
        scheduler.run_sweep(store, configs, launcher, Interrupted())
    assert launcher.handles
    assert all(handle.cancelled for handle in launcher.handles)


def test_time_left_is_not_told_anew_for_every_run_that_ends(
    store: Store, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks at every waiting run: two thousand runs would be looked at two million times."""
    monkeypatch.setattr(scheduler, "SHOW_SECONDS", 1e9)
    seeds = [config.model_copy(update={"science": config.science.model_copy(update={"seed": s})}) for s in range(60)]
    looked: list[int] = []

    def look(_: CostModel, science: Science) -> None:
        looked.append(science.seed)

    monkeypatch.setattr(CostModel, "seconds", look)
    scheduler.run_sweep(store, {one.signature: one for one in seeds}, Pretender(succeed), Silent())
    assert 0 < len(looked) <= len(seeds)


def test_driver_looks_again_at_once_while_runs_end_and_seldom_while_they_do_not(
    store: Store, configs: dict[str, RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(scheduler, "POLL_SECONDS", 0.1)
    monkeypatch.setattr(time, "sleep", slept.append)
    scheduler.run_sweep(store, configs, Pretender(succeed), Silent())
    assert max(slept) <= 2 * scheduler.SOON_SECONDS
    slept.clear()
    lasting = Pretender(succeed, lives=8)
    scheduler.run_sweep(Store(store.root / "other"), configs, lasting, Silent())
    assert max(slept) == 0.1
    assert slept.count(0.1) > 1
