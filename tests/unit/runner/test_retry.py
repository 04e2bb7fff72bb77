"""What a scheduler does about runs that are killed, hang, or find too little memory, with workers that only pretend."""

from __future__ import annotations

import itertools

import pytest

from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.runner import retry
from parsenet_cli.store.run import Run, Store
from tests.fakes import FakeLauncher, NullView, succeed, sweep

pytestmark = pytest.mark.usefixtures("driver_that_does_not_wait")


def lose(run: Run) -> None:
    """A worker that is killed."""
    run.update_status(state="running")


def test_killed_run_is_started_again_alone_within_the_limit_and_then_fails(
    store: Store, configs: dict[str, RunConfig]
) -> None:
    first, *others = configs
    launcher, view = FakeLauncher(lambda run: (lose if run.signature == first else succeed)(run)), NullView()
    outcome = sweep(store, configs, launcher, view)
    assert [signature for signature, needs in launcher.asked if needs.alone] == [first] * launcher.resubmissions
    assert launcher.trained.count(first) == 1 + launcher.resubmissions
    assert len(view.repeated) == launcher.resubmissions
    assert "exited without a status" in outcome.failed[first]
    assert "3 times in this command" in outcome.failed[first]
    assert (store.run(first).state(), store.run(first).status().failures) == ("failed", 1)
    assert all(store.run(signature).state() == "done" for signature in others)


def test_run_whose_status_could_not_be_written_fails_with_the_last_error_of_its_log(
    store: Store, config: RunConfig
) -> None:
    def refused(run: Run) -> None:
        lose(run)
        run.log.write_text("going on\nerror: status.json: the disk is full\n")

    launcher = FakeLauncher(refused)
    outcome = sweep(store, {config.signature: config}, launcher)
    assert outcome.bad_input == ["status.json: the disk is full"]
    assert launcher.trained == [config.signature]


def test_killed_run_that_then_succeeds_is_no_failure(store: Store, configs: dict[str, RunConfig]) -> None:
    first = next(iter(configs))
    launcher = FakeLauncher(lambda run: (lose if launcher.trained == [first] else succeed)(run))
    assert not sweep(store, configs, launcher).failed
    assert launcher.trained.count(first) == 2


def test_run_that_found_too_little_memory_beside_others_is_tried_alone_once(
    store: Store, configs: dict[str, RunConfig]
) -> None:
    first = next(iter(configs))

    def too_little(run: Run) -> None:
        if run.signature == first:
            run.update_status(state="failed", out_of_memory=True, error="CUDA out of memory")
        else:
            succeed(run)

    launcher = FakeLauncher(too_little, lives=1)
    outcome = sweep(store, configs, launcher)
    assert [needs.alone for signature, needs in launcher.asked if signature == first] == [False, True]
    assert outcome.failed == {first: "CUDA out of memory"}
    by_itself = FakeLauncher(too_little, slots=1)
    sweep(store, {first: configs[first]}, by_itself, retry=True)
    assert by_itself.trained == [first]


@pytest.mark.parametrize("kernel_did_it", [False, True])
def test_run_that_the_kernel_kills_although_it_is_alone_takes_fewer_images_at_a_time(
    store: Store, config: RunConfig, kernel_did_it: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    kills = itertools.count() if kernel_did_it else itertools.repeat(0)
    monkeypatch.setattr(retry, "oom_kill_count", lambda: next(kills))
    batch, taken = config.science.recipe.batch, []

    def die(run: Run) -> None:
        taken.append(run.config().runtime.micro_batch)
        lose(run)

    assert sweep(store, {config.signature: config}, FakeLauncher(die)).failed
    assert taken == [None, None, -(-batch // 2) if kernel_did_it else None]


def test_worker_without_a_heartbeat_is_killed_and_its_run_goes_on(store: Store, configs: dict[str, RunConfig]) -> None:
    first = next(iter(configs))

    def hang_once(run: Run) -> None:
        if run.signature == first and launcher.trained.count(first) == 1:
            lose(run)
            launcher.handles[-1].lives = 10**9
        else:
            succeed(run)

    launcher, view = FakeLauncher(hang_once, slots=1, silence_seconds=0.05), NullView()
    assert not sweep(store, configs, launcher, view).failed
    assert [handle.killed for handle in launcher.handles].count(True) == 1
    assert any("sent no heartbeat" in reason for reason in view.repeated)
    assert all(store.run(signature).state() == "done" for signature in configs)


def test_joined_run_whose_worker_hangs_out_of_reach_is_named(store: Store, run: Run, config: RunConfig) -> None:
    run.update_status(state="running", pid=7, host="node3", process="another-boot 7 1")
    launcher = FakeLauncher(succeed, silence_seconds=0.05)
    with run.lock():
        outcome = sweep(store, {run.signature: config}, launcher)
    assert "process 7 on node3, has sent no heartbeat" in outcome.failed[run.signature]
    assert launcher.submitted == []
