"""Files that rot while nothing runs: the damage is seen, and what was damaged is made again."""

from __future__ import annotations

import os
import random
import shutil
import signal
from pathlib import Path

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
                        damage(file, journey.chance)
                    journey.damaged.add(run.signature)
    journey.finish(temporary_files=True)


@scenario(share=12, injections=3)
def results_rot(journey: Journey) -> None:
    """A result that is not what was written is not believed: the run is carried out again."""
    journey.until_it_ends_well()
    for signature in journey.chance.sample(journey.signatures, 3):
        journey.damaged.add(signature)
        with journey.injecting("damaged result"):
            damage(journey.store.run(signature).result_file, journey.chance)
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
            damage(journey.chance.choice(files), journey.chance)
    journey.finish(temporary_files=True)


def damage(file: Path, chance: random.Random) -> None:
    """Cut it, or flip a bit as a disk does: size and time of change stay."""
    size, times = file.stat().st_size, (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    if chance.random() < 0.3:
        os.truncate(file, chance.randrange(max(1, size)))
        return
    with file.open("r+b") as stream:
        place = chance.randrange(max(1, size))
        stream.seek(place)
        (value,) = stream.read(1)
        stream.seek(place)
        stream.write(bytes([value ^ 1 << chance.randrange(8)]))
    os.utime(file, ns=times)


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
