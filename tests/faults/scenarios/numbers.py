"""What goes wrong inside of a run: a loss that is not finite, an exception."""

from __future__ import annotations

import signal

from tests.faults import processes
from tests.faults.journey import Journey
from tests.faults.scenarios import scenario
from tests.faults.study import STEPS


@scenario(share=14, injections=2)
def loss_is_not_finite(journey: Journey) -> None:
    """A collapse is a result: recorded at its step, whether the run was killed before or after, and never tried again."""
    chance = journey.chance
    run, step = chance.choice(journey.signatures), chance.randrange(STEPS)
    collapse = {"at": f"loss {step}", "run": run, "do": "nan", "always": True}
    places = [f"step {chance.randrange(step + 1)}", f"step {step}", "evaluate", "record", "write result.json filled"]
    nan, hold = journey.order(collapse, {"at": chance.choice(places), "run": run, "do": "hold"})
    issued = journey.start()
    held = journey.wait_until_held(issued, hold)
    if held is not None:
        with journey.injecting("kill -9 of a run that collapses", held.pid):
            processes.send(held.pid, signal.SIGKILL)
    journey.end(issued, 0, 1)
    journey.until_it_ends_well()
    journey.count("a loss that is not finite", [nan])
    _expect_collapse(journey, run, step)
    journey.remember_finished()
    before = len(journey.events())
    journey.until_it_ends_well()
    if any(event.run for event in journey.events()[before:]):
        journey.problem("doubled", "a finished study is carried out again")
    journey.check(without=frozenset({run}), temporary_files=True)


@scenario(share=12, injections=1)
def run_fails(journey: Journey) -> None:
    """Its message is told, the others finish, and the same command goes on from the checkpoint."""
    run, step = journey.chance.choice(journey.signatures), journey.chance.randrange(STEPS)
    orders = journey.order({"at": f"step {step}", "run": run, "do": "fail"})
    journey.tracebacks = True  # in the run's log
    issued = journey.start()
    journey.end(issued, 1)
    journey.count("an exception", orders)
    if f"made up by the test at step {step}" not in issued.said():
        journey.problem("wrong end", f"the run's message is not told:\n{issued.said()}")
    for other in journey.store.runs():
        if other.signature != run and other.result() is None:
            journey.problem("wrong end", f"{other.signature} has not finished beside the one that failed")
    journey.remember_finished()
    journey.finish()


def _expect_collapse(journey: Journey, run: str, step: int) -> None:
    result = journey.store.run(run).result()
    told = result and (result.outcome, result.collapsed_at, result.steps)
    if told != ("collapsed", step, step + 1):
        journey.problem("different", f"{run}: {told}, expected a collapse at {step}")
    undisturbed, own = (
        [(record["iteration"], record["loss"]) for record in store.run(run).metrics() if record["iteration"] <= step]
        for store in (journey.undisturbed.store(journey.study), journey.store)
    )
    if own[: len(undisturbed)] != undisturbed:
        journey.problem("different", f"{run}: the losses before its collapse are not the undisturbed ones")
