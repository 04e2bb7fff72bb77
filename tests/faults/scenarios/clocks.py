"""Clocks that jump by days, forwards and back, in one process and not in another."""

from __future__ import annotations

import re
import signal

from tests.faults import processes
from tests.faults.journey import Journey
from tests.faults.moments import SECONDS, in_driver, in_worker
from tests.faults.scenarios import scenario

DAY = 86400.0

_NEGATIVE = re.compile(r"-\d+:\d|-\d+(\.\d+)? (s|min|h)\b")


@scenario(share=24, injections=6)
def clock_jumps(journey: Journey) -> None:
    """No table, no estimate and no decision about a run follows from the wall clock."""
    chance = journey.chance
    for _ in range(2):
        places = [in_worker(journey) if chance.random() < 0.7 else in_driver(journey) for _ in range(8)]
        orders = journey.order(*({**place, "do": "clock", "seconds": DAY * chance.uniform(-9, 9)} for place in places))
        issued = journey.start()
        if chance.random() < 0.5 and journey.pause(issued, chance.uniform(4, SECONDS)):
            processes.send(issued.pid, signal.SIGINT)
        journey.end(issued, 0, 130)
        if _NEGATIVE.search(issued.said()):
            journey.problem("wrong end", f"a negative time:\n{issued.said()}")
        journey.count("clock jumps", orders)
    journey.finish()
