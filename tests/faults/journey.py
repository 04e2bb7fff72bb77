"""One results folder and a command that is issued until it ends well, with injections on the way."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from parsenet_cli.store.run import Store
from tests.conftest import command, environment
from tests.faults import observed, processes
from tests.faults.study import FEW, Study, Undisturbed, differences

INJECTED = Path(__file__).with_name("injected")
PATIENCE = 150.0
"""Seconds that a command may take before it counts as stuck."""

LEAVING = 20.0
"""Seconds within which all processes have to be gone once their command has ended."""

Kind = Literal["lost", "doubled", "different", "left over", "wrong end"]


class Abandoned(Exception):
    """A command got stuck or failed again and again: there is no sense in going on with this journey."""


@dataclass(frozen=True)
class Problem:
    kind: Kind
    text: str


@dataclass(frozen=True)
class Injection:
    what: str
    phase: str


@dataclass
class Command:
    """A command that was started. Its output goes to files, so that no full pipe stops it."""

    process: subprocess.Popen[bytes]
    output: Path
    started: float

    @property
    def pid(self) -> int:
        return self.process.pid

    def running(self) -> bool:
        return self.process.poll() is None

    def said(self) -> str:
        """Everything that it wrote, stderr too."""
        return self.output.read_text(errors="replace")


@dataclass
class Journey:
    """Its random numbers follow from the seed and its own name alone, so that one journey can be repeated by itself."""

    name: str
    folder: Path
    undisturbed: Undisturbed
    chance: random.Random
    study: Study = FEW
    injections: list[Injection] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    damaged: set[str] = field(default_factory=set, init=False)
    """Runs whose checkpoints or results were damaged on purpose: they may be trained again."""
    tracebacks: bool = False
    """Whether a traceback may stand in a run's log."""

    def __post_init__(self) -> None:
        self._home, self._numbers = self.folder, itertools.count()
        self.begin()

    def begin(self) -> None:
        """With an empty results folder of its own; what came before is kept to be looked at."""
        self.folder = self._home / f"part-{next(self._numbers)}"
        (self.folder / "at-work").mkdir(parents=True)
        self.results = self.undisturbed.new(self.folder / "results")
        self.damaged = set()
        self._finished: dict[Path, tuple[int, bytes]] = {}
        self.order()

    @property
    def signatures(self) -> list[str]:
        """Of all runs of its study."""
        return [run.signature for run in self.undisturbed.store(self.study).runs()]

    @property
    def store(self) -> Store:
        return Store(self.results)

    def events(self) -> list[observed.Event]:
        return observed.read(self.folder / "events")

    def problem(self, kind: Kind, text: str) -> None:
        self.problems.append(Problem(kind, text))

    # --- the command ---------------------------------------------------------------------------------------------------

    def order(self, *orders: dict[str, Any]) -> list[str]:
        """What is to happen in processes that start from now on, instead of what was ordered before; their ids."""
        named = [{"id": str(next(self._numbers)), **order} for order in orders]
        whole = self.folder / "orders.json.new"
        whole.write_text(json.dumps(named))
        whole.replace(self.folder / "orders.json")
        return [order["id"] for order in named]

    def release(self, order: str) -> None:
        """Let go on what holds by this order."""
        (self.folder / f"release-{order}").touch()

    def start(self, *more: str) -> Command:
        """Issue the command, as the leader of a process group, as a shell does."""
        return self._start(*self.study.arguments, *more)

    def ask(self, *arguments: str) -> str:
        """What another command of the program says. Anything but success is a problem."""
        issued = self._start(*arguments)
        self.end(issued, 0)
        return issued.said()

    def _start(self, *arguments: str) -> Command:
        output = self.folder / f"output-{next(self._numbers)}.txt"
        python_path = os.pathsep.join([str(INJECTED), os.environ.get("PYTHONPATH", "")])
        with output.open("wb") as file:
            process = subprocess.Popen(
                command(*arguments),
                cwd=self.folder,
                env=environment(self.results) | {"PYTHONPATH": python_path, "PARSENET_FAULT_FOLDER": str(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        return Command(process, output, time.monotonic())

    def end(self, issued: Command, *expected: int) -> int:
        """Wait for its end. Anything but an exit code in `expected` is a problem, and so is a traceback."""
        try:
            code = issued.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.problem("wrong end", f"the command did not end within {PATIENCE:.0f} s:\n{_tail(issued.said())}")
            processes.kill_all(self.folder)
            raise Abandoned from None
        if not any(event.what == "command" and event.pid == issued.pid for event in self.events()):
            return code  # ended before a line of the product was reached
        if expected and code not in expected:
            self.problem("wrong end", f"exit code {code}, expected {expected}:\n{_tail(issued.said())}")
        if "Traceback" in issued.said():
            self.problem("wrong end", f"a traceback:\n{_tail(issued.said(), 40)}")
        return code

    def until_it_ends_well(self, *more: str, times: int = 4, failing: tuple[int, ...] = ()) -> None:
        """Issue the command until its exit code is 0; codes in `failing` are no problem on the way there."""
        for _ in range(times):
            if self.end(self.start(*more), 0, *failing) == 0:
                return
        self.problem("wrong end", f"not done after {times} commands")
        raise Abandoned

    # --- moments -------------------------------------------------------------------------------------------------------

    def wait_until_held(self, issued: Command, order: str) -> observed.Event | None:
        """The process that holds by this order; None where the command ended without any coming there."""
        mark = f"hold {order} at "
        while True:
            running = issued.running()  # before the look: what happened until its end is seen
            for event in self.events():
                if event.what.startswith(mark):
                    return event
            if not running or time.monotonic() - issued.started > PATIENCE:
                return None
            time.sleep(0.01)

    def pause(self, issued: Command, seconds: float) -> bool:
        """Let the command go on for so long; False where it ended by itself before."""
        try:
            issued.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    @contextmanager
    def injecting(self, what: str, victim: int | None = None) -> Iterator[None]:
        """Around an injection: takes note of the phase that it meets and of what is finished and must stay.

        `victim`: the process that it meets, where it is a worker.
        """
        self.remember_finished()
        events, alive = self.events(), processes.of_folder(self.folder)
        phase = observed.phase(events, [victim] if victim in {event.pid for event in events if event.run} else alive)
        yield
        self.injections.append(Injection(what, phase))

    def count(self, what: str, orders: Collection[str]) -> int:
        """Take note, afterwards, of orders that were carried out inside of the processes; how many there were."""
        events = self.events()
        done: dict[str, int] = {}
        for number, event in enumerate(events):
            order = event.what.split()[1:2]
            if order and order[0] in orders and " at " in event.what:
                done.setdefault(order[0], number)
        for number in done.values():
            met = observed.phase(events[:number], [events[number].pid])
            self.injections.append(Injection(f"{what}: {events[number].what.partition(' at ')[2]}", met))
        return len(done)

    def remember_finished(self) -> None:
        """What belongs to finished results must from now on stay as it is, byte for byte, in the same file."""
        for run in self.store.runs():
            if run.result() is None:
                continue
            for file in (run.result_file, run.confusions_file, run.predictions_file, run.model_file):
                if file.is_file():
                    self._finished.setdefault(file, (file.stat().st_ino, file.read_bytes()))

    def workers(self) -> list[int]:
        """Living processes that carry out a run."""
        alive = processes.of_folder(self.folder)
        busy: dict[int, bool] = {}
        for event in self.events():
            if event.run:
                busy[event.pid] = not event.what.startswith("left ")
        return [pid for pid in alive if busy.get(pid)]

    def finish(self, *more: str, failing: tuple[int, ...] = (), temporary_files: bool = False) -> None:
        """Issue the command, from now on undisturbed, until it ends well, and compare."""
        self.order()
        self.until_it_ends_well(*more, failing=failing)
        self.check(temporary_files=temporary_files)

    # --- the end -------------------------------------------------------------------------------------------------------

    def check(
        self, without: frozenset[str] = frozenset(), statistical: str = "", temporary_files: bool = False
    ) -> None:
        """Compare with the undisturbed store.

        `temporary_files`: whether killed writers may have left some, and checkpoints of runs that were done just before.
        """
        for file, (inode, content) in self._finished.items():
            if file.parent.name in self.damaged:
                continue
            if not file.is_file():
                self.problem("lost", f"{file} was finished and is gone")
            elif file.stat().st_ino != inode or file.read_bytes() != content:
                self.problem("lost", f"{file} was finished and is another one now")
        for text in observed.doubled(self.events(), frozenset(self.damaged)):
            self.problem("doubled", text)
        for text in differences(self.undisturbed.store(self.study), self.store, without, statistical):
            self.problem("different", text)
        self._check_left_over(temporary_files)

    def _check_left_over(self, temporary_files: bool) -> None:
        if left := processes.gone(self.folder, LEAVING):
            self.problem("left over", f"processes {left}")
            processes.kill_all(self.folder)
        for run in self.store.runs():
            try:
                with FileLock(run.folder / "lock", timeout=0):
                    pass
            except Timeout:
                self.problem("left over", f"{run.signature} is locked")
            if not temporary_files and run.has_checkpoint:
                self.problem("left over", f"{run.signature} is done and has a checkpoint")
            if not self.tracebacks and "Traceback" in "\n".join(run.log_tail(1000)):
                self.problem("wrong end", f"{run.signature}: a traceback:\n" + "\n".join(run.log_tail(30)))
        temporary = [file for file in self.results.rglob(".*.tmp") if not file.is_relative_to(self.results / "cache")]
        if temporary and not temporary_files:
            self.problem("left over", f"temporary files {[str(file) for file in temporary]}")

    def interrupt(self, issued: Command) -> None:
        """Ctrl-C in a terminal: to the whole process group."""
        os.killpg(issued.pid, signal.SIGINT)


def _tail(text: str, lines: int = 12) -> str:
    return "\n".join(text.splitlines()[-lines:])
