"""kill -9: of a worker, of the command, of everything."""

from __future__ import annotations

import signal

from tests.faults import processes
from tests.faults.journey import Journey
from tests.faults.moments import disturb_commands, disturb_workers
from tests.faults.scenarios import scenario
from tests.faults.study import MANY


@scenario(share=30, injections=4)
def kill_driver(journey: Journey) -> None:
    """Its workers go on; the next command joins them."""
    for issued, _, order in disturb_commands(journey, 4):
        with journey.injecting("kill -9 of the driver"):
            processes.send(issued.pid, signal.SIGKILL)
            issued.process.wait()
        journey.release(order)
    journey.finish(temporary_files=True)


@scenario(share=30, injections=4)
def kill_everything(journey: Journey) -> None:
    """As when the machine goes down: the next command finds checkpoints and no process."""
    for issued, _, _ in disturb_commands(journey, 4):
        with journey.injecting("kill -9 of all processes"):
            processes.kill_all(journey.folder)
            issued.process.wait()
    journey.finish(temporary_files=True)


@scenario(share=48, injections=8)
def kill_worker(journey: Journey) -> None:
    """The other runs finish; this one goes on from its checkpoint, in this command or in the next."""
    journey.study = MANY
    disturb_workers(journey, 8, lambda pid, order: processes.send(pid, signal.SIGKILL), "kill -9 of a worker")
    journey.finish("--retry", failing=(1,), temporary_files=True)
