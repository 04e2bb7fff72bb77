"""What happens to a machine: it hangs, it is started again, its memory runs out."""

from __future__ import annotations

import signal
import subprocess

from tests.faults import processes
from tests.faults.journey import Journey
from tests.faults.moments import disturb_workers, start_and_come_to
from tests.faults.scenarios import scenario
from tests.faults.study import STEPS, WATCHED


@scenario(share=12, injections=4)
def worker_hangs(journey: Journey) -> None:
    """A stopped process holds its lock and says nothing: the driver ends it, and the run goes on from its checkpoint."""
    journey.study = WATCHED
    disturb_workers(journey, 4, lambda pid, _: processes.send(pid, signal.SIGSTOP), "SIGSTOP of a worker")
    journey.finish("--retry", failing=(1,), temporary_files=True)


@scenario(share=10, injections=2)
def machine_starts_again(journey: Journey) -> None:
    """The recorded pids belong to somebody else now, who is left in peace."""
    with subprocess.Popen(["sleep", "600"]) as sleeper:
        for _ in range(2):
            met = start_and_come_to(journey)
            if met is None:
                break
            with journey.injecting("machine starts again"):
                processes.kill_all(journey.folder)
                met[0].process.wait()
            for run in journey.store.runs():
                if run.status().pid is not None:
                    run.update_status(pid=sleeper.pid)
                (run.folder / "lock").write_text(str(sleeper.pid))
            journey.order()
            journey.ask("cancel", "--all")
        journey.finish(temporary_files=True)
        if sleeper.poll() is not None:
            journey.problem("wrong end", "a process that had nothing to do with it was ended")
        sleeper.kill()


@scenario(share=10, injections=1)
def memory_runs_out_once(journey: Journey) -> None:
    """The run goes on with smaller pieces of its batches and says so."""
    run, step = journey.chance.choice(journey.signatures), journey.chance.randrange(STEPS)
    orders = journey.order({"at": f"batch {step}", "run": run, "do": "oom"})
    journey.end(journey.start(), 0)
    journey.count("out of memory", orders)
    result = journey.store.run(run).result()
    if result is None or not result.ran_out_of_memory:
        journey.problem("different", f"{run}: its result does not say that memory ran out")
    journey.check(statistical=run)


@scenario(share=6, injections=1)
def memory_is_too_small_for_two(journey: Journey) -> None:
    """Smaller pieces are not enough while others are at work: the run is tried again alone."""
    run, step = journey.chance.choice(journey.signatures), journey.chance.randrange(STEPS)
    orders = journey.order({"at": f"batch {step}", "run": run, "do": "crowded", "always": True})
    journey.tracebacks = True
    journey.end(journey.start(), 0)
    journey.count("out of memory beside others", orders)
    journey.check(statistical=run)
