"""Files that rot while nothing runs: the damage is seen, and what was damaged is made again."""

from __future__ import annotations

import shutil
import signal

from tests import damage
from tests.faults import processes
from tests.faults.journey import Journey
from tests.faults.moments import start_and_come_to
from tests.faults.scenarios import scenario


@scenario(share=18, injections=3)
def checkpoints_rot(journey: Journey) -> None:
    """One of the two, or both, of every run that was interrupted."""
    for _ in range(3):
        _interrupted(journey)
        for run in journey.store.runs():
            there = [file for file in run.checkpoints if file.is_file()]
            if there and run.result() is None:
                with journey.injecting("damaged checkpoint"):
                    for file in there if journey.chance.random() < 0.3 else [journey.chance.choice(there)]:
                        damage.at_random(file, journey.chance.randrange(10**6))
                    journey.damaged.add(run.signature)
    journey.finish(temporary_files=True)


@scenario(share=12, injections=3)
def results_rot(journey: Journey) -> None:
    """A result that is not what was written is not believed: the run is carried out again."""
    journey.until_it_ends_well()
    for signature in journey.chance.sample(journey.signatures, 3):
        journey.damaged.add(signature)
        with journey.injecting("damaged result"):
            damage.at_random(journey.store.run(signature).result_file, journey.chance.randrange(10**6))
    journey.finish(temporary_files=True)


@scenario(share=16, injections=4)
def cache_rots(journey: Journey) -> None:
    """Decoded data and its index, painted data and its seal, remembered hashes, remembered configurations."""
    cache = journey.results / "cache"
    cache.unlink()
    shutil.copytree(journey.undisturbed.cache, cache)
    kinds = ("decoded/*.u8", "decoded/*.json", "fingerprints/*.json", "generated/*.json", "generated/*/**/*.*",
             "composed.json")  # fmt: skip
    for _ in range(4):
        _interrupted(journey)
        files = sorted(file for file in cache.glob(journey.chance.choice(kinds)) if file.is_file())
        with journey.injecting("damaged cache"):
            damage.at_random(journey.chance.choice(files), journey.chance.randrange(10**6))
    journey.finish(temporary_files=True)


def _interrupted(journey: Journey) -> None:
    """Issue the command and end it somewhere: by Ctrl-C or at once."""
    met = start_and_come_to(journey)
    if met is None:
        return
    issued, _, order = met
    if journey.chance.random() < 0.5:
        journey.interrupt(issued)
        journey.release(order)
        journey.end(issued, 130, -signal.SIGINT)
    processes.kill_all(journey.folder)
    issued.process.wait()
