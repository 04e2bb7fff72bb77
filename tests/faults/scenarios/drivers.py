"""Two commands on one store."""

from __future__ import annotations

import signal

from tests.faults import processes
from tests.faults.journey import Journey
from tests.faults.moments import SECONDS
from tests.faults.scenarios import scenario


@scenario(share=16, injections=2)
def two_drivers(journey: Journey) -> None:
    """The same command twice, together or one after the other; sometimes one of them is ended."""
    chance = journey.chance
    first = journey.start()
    if chance.random() < 0.6:
        journey.pause(first, chance.uniform(0, SECONDS))
    with journey.injecting("a second driver"):
        second = journey.start()
    victim, deed = chance.choice((first, second)), chance.choice((signal.SIGKILL, signal.SIGINT, None))
    if deed is not None and journey.pause(victim, chance.uniform(0.5, SECONDS)):
        with journey.injecting(f"{deed.name} of one of two drivers"):
            processes.send(victim.pid, deed)
    for issued in (first, second):
        ended = deed is not None and issued is victim
        journey.end(issued, *((0, 130, -signal.SIGKILL, -signal.SIGINT) if ended else (0,)))
    journey.finish(temporary_files=deed is signal.SIGKILL)
