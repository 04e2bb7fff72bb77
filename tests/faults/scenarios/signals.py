"""SIGTERM and Ctrl-C: what is asked to stop writes a checkpoint and leaves."""

from __future__ import annotations

import signal

from tests.faults import processes
from tests.faults.journey import LEAVING, Journey
from tests.faults.moments import disturb_commands, disturb_workers
from tests.faults.scenarios import scenario
from tests.faults.study import MANY

INTERRUPTED = 130


@scenario(share=32, injections=8)
def terminate_worker(journey: Journey) -> None:
    """It goes on in the same command, whoever asked it to stop."""

    def terminate(pid: int, order: str) -> None:
        processes.send(pid, signal.SIGTERM)
        journey.release(order)

    journey.study = MANY
    disturb_workers(journey, 8, terminate, "SIGTERM of a worker")
    journey.finish("--retry", failing=(1,))


@scenario(share=12, injections=3)
def terminate_driver(journey: Journey) -> None:
    """Whatever becomes of its workers, the next command finishes the study."""
    for issued, _, order in disturb_commands(journey, 3):
        with journey.injecting("SIGTERM of the driver"):
            processes.send(issued.pid, signal.SIGTERM)
            journey.release(order)
            journey.end(issued)
    journey.finish(temporary_files=True)


@scenario(share=15, injections=3)
def interrupt_once(journey: Journey) -> None:
    """Ctrl-C: every worker writes a checkpoint, the command says how to go on, nothing is left running."""
    _interrupt(journey, times=1)


@scenario(share=15, injections=3)
def interrupt_twice(journey: Journey) -> None:
    """An impatient Ctrl-C: workers may be killed, nothing is lost but the last seconds."""
    _interrupt(journey, times=2)


def _interrupt(journey: Journey, times: int) -> None:
    for issued, held, order in disturb_commands(journey, 3):
        with journey.injecting("Ctrl-C" if times == 1 else "Ctrl-C twice"):
            for number in range(times):
                if number:
                    journey.pause(issued, journey.chance.choice((0.001, 0.1, 0.5)))
                if issued.running():
                    journey.interrupt(issued)
                if held is None or held.pid == issued.pid or journey.chance.random() < 0.5:
                    journey.release(order)
            journey.release(order)
            journey.end(issued, INTERRUPTED, -signal.SIGINT)
        if left := processes.gone(journey.folder, LEAVING):
            journey.problem("left over", f"processes {left} after Ctrl-C")
            processes.kill_all(journey.folder)
    journey.finish(temporary_files=times == 2)
