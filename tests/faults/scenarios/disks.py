"""Disks that are full or read-only: one sentence and exit code 2, and the same command goes on once they are mended."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.faults.journey import Journey
from tests.faults.scenarios import scenario

BAD_INPUT = 2

_FILES = (
    *("config.yaml", "status.json", "metrics.jsonl", "env.json", "checkpoint.pt", "confusion.npz", "predictions.npz"),
    *("model.safetensors", "result.json", "log.txt", "lock", "preparing-data.json", ".writable", "sweep-*.json"),
    *("sweep-*.md", "sweep-*.csv", "[0-9a-f]*.npz"),
)
"""All that a command and its workers write; the last is that of the samples."""


@scenario(share=12, injections=2)
def disk_fills_up(journey: Journey) -> None:
    """A real one, of a few megabytes, with a random number of bytes left."""
    with _disk(journey) as disk:
        for _ in range(2):
            filler = disk / "filler"
            _fill(filler, left=int(journey.chance.choice((0, 4e4, 4e5, 2e6)) * journey.chance.random()))
            issued = journey.start()
            with journey.injecting("disk full"):
                code = journey.end(issued, BAD_INPUT, 0)
            if code == 0:
                journey.injections.pop()  # there was enough of it
                break
            _expect_sentence(journey, issued.said(), "the disk is full")
            _expect_whole_files(journey)
            filler.unlink()
        filler.unlink(missing_ok=True)
        journey.finish()


@scenario(share=34, injections=2)
def file_meets_full_disk(journey: Journey) -> None:
    """Each kind of file in turn is the one that does not fit any more."""
    _refuse(journey, "full", "the disk is full")


@scenario(share=12, injections=2)
def disk_turns_read_only(journey: Journey) -> None:
    """As a kernel does with a file system in which it has found an error."""
    _refuse(journey, "read-only", "the file system is read-only")


@scenario(share=4, injections=2)
def results_are_read_only(journey: Journey) -> None:
    """From the beginning; afterwards the command does its work."""
    with _disk(journey) as disk:
        for _ in range(2):
            _mount("-o", "remount,ro", disk)
            with journey.injecting("read-only results"):
                issued = journey.start()
                journey.end(issued, BAD_INPUT)
            _expect_sentence(journey, issued.said(), "the file system is read-only")
            _mount("-o", "remount,rw", disk)
        journey.finish()


def _refuse(journey: Journey, how: str, sentence: str) -> None:
    for _ in range(2):
        name = journey.chance.choice(_FILES)
        order: dict[str, Any] = {"at": f"file {name}", "do": how, "always": True}
        order["bytes"] = journey.chance.choice((0, 1, 8, 1000))
        if name in ("status.json", "metrics.jsonl", "checkpoint.pt"):
            order["nth"] = journey.chance.randint(1, 3)
        (number,) = journey.order(order)
        issued = journey.start()
        code = journey.end(issued, BAD_INPUT, 0)
        journey.order()
        if not journey.count(f"{how} disk", [number]):
            continue
        if code == 0 and name in ("preparing-data.json", "log.txt", "status.json"):
            continue  # runs have prepared it themselves, kept no log, or could not say that they are done
        if code == 0:
            journey.problem("wrong end", f"{name} could not be written, and the exit code is 0:\n{issued.said()}")
        _expect_sentence(journey, issued.said(), sentence)
        _expect_whole_files(journey)
    journey.finish()


def _expect_sentence(journey: Journey, said: str, sentence: str) -> None:
    if sentence not in said:
        journey.problem("wrong end", f"no word of '{sentence}':\n{said}")


def _expect_whole_files(journey: Journey) -> None:
    for run in journey.store.runs():
        run.config()
        if run.has_damaged_result:
            journey.problem("different", f"{run.result_file} is not whole")
    if left := [str(file) for file in journey.results.rglob(".*.tmp")]:
        journey.problem("left over", f"temporary files {left}")


@contextmanager
def _disk(journey: Journey) -> Iterator[Path]:
    """The results folder becomes a small file system of its own; its cache stays where it is."""
    results = journey.results
    _mount("-t", "tmpfs", "-o", "size=24m", "none", results)
    try:
        (results / "cache").symlink_to(journey.undisturbed.cache)
        yield results
    finally:
        subprocess.run(["umount", "--lazy", str(results)], check=True)


def _mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True)


def _fill(filler: Path, left: int) -> None:
    """Leave so many bytes, in whole pages."""
    disk = os.statvfs(filler.parent)
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, disk.f_bavail * disk.f_frsize - left))
