"""Random moments: half of them at any time, half in a place that lasts too short to be met by chance."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from tests.faults.journey import PATIENCE, Command, Journey
from tests.faults.observed import Event
from tests.faults.study import STEPS

SECONDS = 8.0
"""About what a command on few runs takes, from its start to its end, on two cores."""

_ONCE = ("env.json", "confusion.npz", "predictions.npz", "model.safetensors", "result.json")
_OFTEN = ("status.json", "metrics.jsonl", "checkpoint.pt")

_WORKER = [
    *("worker train", "prepare", "evaluate", "record", "result", "checkpoint"),
    *("rename checkpoint.pt", "rename checkpoint.previous.pt", "remove checkpoint.pt"),
    *(f"write {name} {part}" for name in (*_ONCE, *_OFTEN) for part in ("opened", "filled", "done")),
]
_DRIVER = ["command", "submit", "submitted", "look", "tables", "write config.yaml filled", "rename config.yaml"]
_NTH = {"submit": 4, "submitted": 4, "look": 40, "write config.yaml filled": 4, "rename config.yaml": 4}


def in_worker(journey: Journey, training: float = 0.35) -> dict[str, Any]:
    """Somewhere in the life of some run's worker; `training`: how likely at one of its steps."""
    chance = journey.chance
    steps = chance.random() < training
    place = f"step {chance.randrange(STEPS)}" if steps else chance.choice(_WORKER)
    return {"at": place, "run": chance.choice(journey.signatures), "do": "hold"}


def in_driver(journey: Journey) -> dict[str, Any]:
    """Somewhere in a command's life."""
    place = journey.chance.choice(_DRIVER)
    return {"at": place, "nth": journey.chance.randint(1, _NTH.get(place, 1)), "do": "hold"}


def start_and_come_to(journey: Journey, *more: str) -> tuple[Command, Event | None, str] | None:
    """Issue the command and wait for a random moment of it.

    Returns the command, the process that holds there until the order (third) is released, or None and "" where the moment
    is a time and nothing holds; None where the command ended before.
    """
    chance = journey.chance
    if chance.random() < 0.5:
        journey.order()
        issued = journey.start(*more)
        return (issued, None, "") if journey.pause(issued, chance.uniform(0, SECONDS)) else None
    (order,) = journey.order(in_worker(journey) if chance.random() < 0.7 else in_driver(journey))
    issued = journey.start(*more)
    held = journey.wait_until_held(issued, order)
    return None if held is None else (issued, held, order)


def disturb_commands(journey: Journey, times: int) -> Iterator[tuple[Command, Event | None, str]]:
    """Up to so many commands, one after the other, each at a random moment (`start_and_come_to`); none holds afterwards."""
    for _ in range(times):
        met = start_and_come_to(journey)
        if met is None:
            break
        yield met
    journey.order()


def disturb_workers(journey: Journey, times: int, deed: Callable[[int, str], object], what: str) -> None:
    """Issue the command once and disturb workers up to so many times: most held in a place, the others at any time.

    `deed` gets the worker's pid and the order by which it holds, or "" where it does not.
    """
    chance = journey.chance
    holding = set(journey.order(*(in_worker(journey) for _ in range(times - times // 3))))
    moments = sorted(chance.uniform(3, 1.5 * SECONDS) for _ in range(times // 3))
    issued = journey.start()
    while issued.running() and time.monotonic() - issued.started < PATIENCE:
        for event in journey.events():
            held = event.what.split()
            if held[0] == "hold" and held[1] in holding:
                holding.remove(held[1])
                with journey.injecting(what, event.pid):
                    deed(event.pid, held[1])
        if moments and time.monotonic() - issued.started > moments[0] and (workers := journey.workers()):
            del moments[0]
            pid = chance.choice(workers)
            with journey.injecting(what, pid):
                deed(pid, "")
        time.sleep(0.02)
    journey.end(issued, 0, 1)
    journey.order()
