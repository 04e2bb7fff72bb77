"""Random moments: half of them at any time, half in a place that lasts too short to be met by chance."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from tests.faults.journey import PATIENCE, Command, Journey
from tests.faults.observed import Event
from tests.faults.study import STEPS

SECONDS = 9.0
"""About what a command on few runs takes, from its start to its end."""

_WRITTEN = ("config.yaml", "status.json", "metrics.jsonl", "env.json", "checkpoint.pt", "confusion.npz", "predictions.npz",
            "model.safetensors", "result.json")  # fmt: skip

WORKER_PLACES = [
    *("worker train", "prepare", "evaluate", "record", "result", "checkpoint"),
    *("rename checkpoint.pt", "rename checkpoint.previous.pt", "remove checkpoint.pt", "remove checkpoint.previous.pt"),
    *(f"write {name} {part}" for name in _WRITTEN[1:] for part in ("opened", "filled", "done")),
]
DRIVER_PLACES = ["command", "submit", "submitted", "look", "tables", "write config.yaml filled", "rename config.yaml"]


def worker_place(chance: random.Random) -> str:
    """Somewhere in a worker's life; steps are where most of it is spent."""
    return f"step {chance.randrange(STEPS)}" if chance.random() < 0.3 else chance.choice(WORKER_PLACES)


def driver_place(chance: random.Random) -> str:
    """Somewhere in a command's life."""
    return chance.choice(DRIVER_PLACES)


def start_and_come_to(journey: Journey, places: list[str], *more: str) -> tuple[Command, Event | None, str] | None:
    """Issue the command and wait for a random moment of it.

    Returns the command, the process that holds there until the order (third) is released, or None and "" where the moment
    is a time and nothing holds; None where the command ended before.
    """
    chance = journey.chance
    if chance.random() < 0.5:
        journey.order()
        issued = journey.start(*more)
        return (issued, None, "") if journey.pause(issued, chance.uniform(0, SECONDS)) else None
    (order,) = journey.order({"at": chance.choice(places), "nth": chance.choice((1, 1, 2, 3)), "do": "hold"})
    issued = journey.start(*more)
    held = journey.wait_until_held(issued, order)
    return None if held is None else (issued, held, order)


def disturb_workers(journey: Journey, times: int, deed: Callable[[int, str], object], what: str) -> None:
    """Issue the command once and disturb workers up to so many times: half held in a place, half at any time.

    `deed` gets the worker's pid and the order by which it holds, or "" where it does not.
    """
    chance = journey.chance
    places = [worker_place(chance) for _ in range((times + 1) // 2)]
    holding = set(journey.order(*({"at": place, "nth": chance.randint(1, 2), "do": "hold"} for place in places)))
    moments = sorted(chance.uniform(3, 2 * SECONDS) for _ in range(times // 2))
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
