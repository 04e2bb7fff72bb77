"""The scheduler: what is skipped, joined, tried again and given up, and who waits for what, with workers that only pretend."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.runner import scheduler
from parsenet_cli.runner.cost import CostModel
from parsenet_cli.runner.launch.inline import Inline
from parsenet_cli.runner.launcher import Handle, Resources, Task
from parsenet_cli.runner.retry import next_action
from parsenet_cli.store.run import Run, Store
from tests.conftest import changed
from tests.fakes import FakeHandle, FakeLauncher, NullView, fail, succeed, sweep

pytestmark = pytest.mark.usefixtures("driver_that_does_not_wait")


def test_every_missing_run_is_trained_once_and_a_second_command_trains_none(
    store: Store, configs: dict[str, RunConfig]
) -> None:
    first, second = FakeLauncher(succeed), FakeLauncher(succeed)
    assert not sweep(store, configs, first).failed
    assert sorted(first.trained) == sorted(configs)
    sweep(store, configs, second)
    assert second.submitted == []


def test_done_run_is_trained_again_for_its_model_alone_and_only_once(
    store: Store, configs: dict[str, RunConfig]
) -> None:
    sweep(store, configs, FakeLauncher(succeed))
    signature, config = next(iter(configs.items()))
    keeping = {signature: changed(config, keep_model=True)}

    def with_model(run: Run) -> None:
        assert run.config().runtime.keep_model, "the frozen configuration asks for the model"
        run.model_file.touch()
        succeed(run)

    launcher, again = FakeLauncher(with_model), FakeLauncher(with_model)
    assert not sweep(store, keeping, launcher).failed
    assert launcher.trained == [signature]
    sweep(store, keeping, again)
    sweep(store, configs, again)
    assert again.submitted == []


def test_failure_to_make_the_model_is_a_failure_and_keeps_the_result(store: Store, config: RunConfig) -> None:
    sweep(store, {config.signature: config}, FakeLauncher(succeed))
    outcome = sweep(store, {config.signature: changed(config, keep_model=True)}, FakeLauncher(fail))
    assert list(outcome.failed) == [config.signature]
    assert store.run(config.signature).state() == "done"


def test_one_failure_touches_one_run(store: Store, configs: dict[str, RunConfig]) -> None:
    bad, view = next(iter(configs)), NullView()
    outcome = sweep(store, configs, FakeLauncher(lambda run: (fail if run.signature == bad else succeed)(run)), view)
    assert list(outcome.failed) == view.failures == [bad]
    assert all(store.run(signature).state() == "done" for signature in configs if signature != bad)


def test_failed_run_is_tried_once_more_then_only_when_asked(store: Store, config: RunConfig) -> None:
    tried = []
    for retry in (False, False, False, True):
        launcher = FakeLauncher(fail)
        assert sweep(store, {config.signature: config}, launcher, retry=retry).failed
        tried.append(len(launcher.trained))
    assert tried == [1, 1, 0, 1]


def test_lost_run_goes_on_and_that_of_a_living_worker_is_joined(run: Run) -> None:
    run.update_status(state="running")
    assert run.state() == "lost"
    assert next_action(run, retry=False) == "run"
    assert next_action(run, retry=False, queue=lambda _: True) == "join"
    with run.lock():
        assert next_action(run, retry=False) == "join"


# --- what runs share ------------------------------------------------------------------------------------------------------


def test_shared_data_is_prepared_once_before_any_run_that_needs_it(store: Store, configs: dict[str, RunConfig]) -> None:
    launcher = FakeLauncher(succeed)
    sweep(store, configs, launcher)
    assert [task for task, _ in launcher.submitted] == ["data", *["train"] * len(configs)]


def test_run_waits_for_its_own_prerequisites_alone(store: Store, config: RunConfig) -> None:
    """Two data sets; making the second takes as long as it likes."""
    plain, other = changed(config, data_id="quick"), changed(config, data_id="slow")

    class Slow(FakeLauncher):
        def submit(self, run: Run, task: Task, needs: Resources, after: Sequence[Handle] = ()) -> FakeHandle:
            handle = super().submit(run, task, needs)
            if task == "data" and run.signature == other.signature:
                handle.lives = 10**9
            elif task == "train" and run.signature == plain.signature:
                assert self.handles[1].lives > 0, "the second is still being made"
                self.handles[1].lives = 0
            return handle

    launcher = Slow(succeed)
    assert not sweep(store, {one.signature: one for one in (plain, other)}, launcher).failed
    assert launcher.submitted == [
        *(("data", one.signature) for one in (plain, other)),
        *(("train", one.signature) for one in (plain, other)),
    ]


def test_with_one_slot_nothing_is_prepared_before_a_run_needs_it(store: Store, config: RunConfig) -> None:
    planned = [changed(config, data_id=data, seed=seed) for seed in range(2) for data in ("first", "second")]
    launcher = FakeLauncher(succeed, slots=1)
    sweep(store, {one.signature: one for one in planned}, launcher)
    assert [task for task, _ in launcher.submitted] == ["data", "train", "data", "train", "train", "train"]
    assert launcher.trained == [one.signature for one in planned]


def test_failed_preparation_fails_those_who_need_it_and_no_others(store: Store, config: RunConfig) -> None:
    bad, good = changed(config, data_id="none"), changed(config, data_id="good")

    class Unprepared(FakeLauncher):
        def submit(self, run: Run, task: Task, needs: Resources, after: Sequence[Handle] = ()) -> FakeHandle:
            self.prerequisite = {"error": "no such folder", "bad_input": True} if run.signature == bad.signature else {}
            return super().submit(run, task, needs)

    launcher = Unprepared(succeed)
    outcome = sweep(store, {one.signature: one for one in (bad, good)}, launcher)
    assert outcome.bad_input == ["no such folder"]
    assert launcher.trained == [good.signature]


@pytest.mark.parametrize("told", [{}, {"text": "reading files"}, {"done": True}])
def test_runs_start_unless_their_preparation_said_that_it_failed(
    store: Store, configs: dict[str, RunConfig], told: dict[str, Any]
) -> None:
    """Another driver's process may have overwritten or ended what ours said of the same preparation."""
    launcher = FakeLauncher(succeed, prerequisite=told)
    assert not sweep(store, configs, launcher).failed
    assert sorted(launcher.trained) == sorted(configs)


# --- room -----------------------------------------------------------------------------------------------------------------


def test_no_run_is_started_that_does_not_fit(store: Store, configs: dict[str, RunConfig]) -> None:
    class Narrow(FakeLauncher):
        """Room for one task at a time, although it has two slots."""

        def fits(self, needs: Resources) -> bool:
            return not any(handle.lives > 0 for handle in self.handles)

        def submit(self, run: Run, task: Task, needs: Resources, after: Sequence[Handle] = ()) -> FakeHandle:
            assert self.fits(needs)
            return super().submit(run, task, needs)

    launcher = Narrow(succeed, lives=3)
    assert not sweep(store, configs, launcher).failed
    assert sorted(launcher.trained) == sorted(configs)


def test_memory_of_a_kind_is_known_once_one_of_it_is_done(store: Store, configs: dict[str, RunConfig]) -> None:
    launcher = FakeLauncher(lambda run: succeed(run, gpu_mb=3000), slots=1)
    sweep(store, configs, launcher)
    assert [needs.gpu_mb for _, needs in launcher.asked] == [None, *[3000] * 4]


def test_memory_of_a_kind_is_known_once_one_of_it_has_said_what_it_takes(
    store: Store, configs: dict[str, RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of another data set and other layers counts too: what takes the memory is the body and the batch."""
    several = list(configs.values())[:2]
    several[1] = changed(several[1], data="synthetic_context", layers=("fc7",))
    says: list[dict[str, Any]] = [{}, {"gpu_mb": 3000}, {}, {}, {}]

    class Speaking(FakeLauncher):
        def fits(self, needs: Resources) -> bool:
            return not self.asked or needs.gpu_mb is not None

        def submit(self, run: Run, task: Task, needs: Resources, after: Sequence[Handle] = ()) -> FakeHandle:
            first = task == "train" and not self.asked
            handle = super().submit(run, task, needs, after)
            return SpeakingHandle(lives=0, run=run, says=says) if first else handle

    monkeypatch.setattr(scheduler, "SHOW_SECONDS", -1.0)
    launcher = Speaking(lambda run: run.signature == several[1].signature and succeed(run), on_gpu=True)
    sweep(store, {one.signature: one for one in several}, launcher)
    assert [needs.gpu_mb for _, needs in launcher.asked] == [None, 3000]
    assert not store.run(several[0].signature).status().iteration


# --- the loop -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_signal", [True, False])
def test_ctrl_c_and_sigterm_ask_every_worker_to_stop(
    store: Store, configs: dict[str, RunConfig], by_signal: bool
) -> None:
    class Interrupted(NullView):
        def refresh(self, *_: object) -> None:
            if by_signal:
                signal.raise_signal(signal.SIGTERM)
            raise KeyboardInterrupt

    launcher = FakeLauncher(succeed, lives=10**9)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        sweep(store, configs, launcher, Interrupted())
    assert launcher.handles
    assert all(handle.cancelled for handle in launcher.handles)
    assert signal.getsignal(signal.SIGTERM) is before


def test_interrupt_of_a_preparation_in_the_commands_own_process_is_no_failure_of_it(
    run: Run, config: RunConfig, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("parsenet_cli.engine.inputs.data", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sweep(store, {config.signature: config}, Inline(1))
    assert run.state() == "queued"


def test_time_left_counts_runs_that_are_left_and_no_others(
    store: Store, configs: dict[str, RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CostModel, "seconds", lambda *_: 10.0)
    for show_seconds in (1e9, -1.0):  # told once, and told anew each time
        monkeypatch.setattr(scheduler, "SHOW_SECONDS", show_seconds)
        view = NullView()
        sweep(Store(store.root / str(show_seconds)), configs, FakeLauncher(succeed, slots=1), view)
        assert view.seconds_left == [40, 30, 20, 10, 0]


def test_last_run_takes_as_long_as_it_takes_however_many_could_run_beside_it(
    store: Store, configs: dict[str, RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CostModel, "seconds", lambda *_: 10.0)
    view = NullView()
    sweep(store, configs, FakeLauncher(succeed, slots=2), view)
    assert view.seconds_left == [20, 15, 10, 10, 0]


@dataclass(kw_only=True)
class SpeakingHandle(FakeHandle):
    """A worker that says one thing after the other, is done then, and has ended."""

    run: Run
    says: list[dict[str, Any]]

    def alive(self) -> bool:
        if not self.says:
            return not succeed(self.run)
        self.run.update_status(state="running", **self.says.pop(0))
        return True


def test_time_left_counts_the_evaluation_and_goes_down_in_it(
    store: Store, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    says: list[dict[str, Any]] = [
        {"iteration": 40, "steps": 80, "seconds_left": 20.0},
        {"iteration": 80, "steps": 80, "seconds_left": 0.0},
        {"evaluating": "evaluated 2 of 8 images", "seconds_left": 6.0},
        {"evaluating": "evaluated 6 of 8 images", "seconds_left": 2.0},
    ]

    class Speaking(FakeLauncher):
        def submit(self, run: Run, task: Task, needs: Resources, after: Sequence[Handle] = ()) -> FakeHandle:
            handle = super().submit(run, task, needs, after)
            return SpeakingHandle(lives=0, run=run, says=says) if task == "train" else handle

    class Refreshed(NullView):
        def refresh(
            self, active: Sequence[Run], finished: int, seconds_left: float | None, preparing: Sequence[str] = ()
        ) -> None:
            if active:
                self.seconds_left.append(seconds_left)

    monkeypatch.setattr(scheduler, "SHOW_SECONDS", -1.0)
    monkeypatch.setattr(CostModel, "seconds", lambda *_: 100.0)
    monkeypatch.setattr(CostModel, "evaluation_seconds", lambda *_: 8.0)
    view = Refreshed()
    sweep(store, {config.signature: config}, Speaking(lambda _: None), view)
    assert view.seconds_left == [100, 28, 8, 6, 2, 0]


def test_evaluation_takes_as_long_after_few_steps_as_after_many(store: Store, config: RunConfig) -> None:
    """Two steps of four seconds and an evaluation of five: two hundred steps are not taken for as many evaluations."""
    run = store.run(config.signature)
    run.create(config)
    succeed(run, train_seconds=8, evaluate_seconds=5)
    longer = changed(config, iterations=200)
    assert CostModel(store).seconds(longer) == 200 * 4 + 5
    learnt = CostModel(store)
    learnt.learn(config, replace(store.run(config.signature).done_result(), evaluate_seconds=9.0))
    assert learnt.evaluation_seconds(longer) == 9


def test_time_left_is_not_told_anew_for_every_run_that_ends(
    store: Store, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks at every waiting run: two thousand runs would be looked at two million times."""
    monkeypatch.setattr(scheduler, "SHOW_SECONDS", 1e9)
    looked: list[int] = []

    def look(_: CostModel, config: RunConfig) -> None:
        looked.append(config.science.seed)

    monkeypatch.setattr(CostModel, "seconds", look)
    seeds = [changed(config, seed=seed) for seed in range(60)]
    sweep(store, {one.signature: one for one in seeds}, FakeLauncher(succeed))
    assert 0 < len(looked) <= len(seeds)


def test_driver_looks_again_at_once_while_runs_end_and_seldom_while_they_do_not(
    store: Store, configs: dict[str, RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(scheduler, "POLL_SECONDS", 0.1)
    monkeypatch.setattr(time, "sleep", slept.append)
    sweep(store, configs, FakeLauncher(succeed))
    assert max(slept) <= 2 * scheduler.SOON_SECONDS
    slept.clear()
    sweep(Store(store.root / "other"), configs, FakeLauncher(succeed, lives=8))
    assert max(slept) == 0.1
    assert slept.count(0.1) > 1
