"""How a case is carried out and judged: in a fork of a process that has imported everything, or as a process of its own."""

from __future__ import annotations

import json
import math
import os
import queue
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from parsenet_cli.core.paths import PACKAGE
from tests.hostile.base import Base, Place

PATIENCE_SECONDS = int(os.environ.get("PARSENET_HOSTILE_PATIENCE", 30))
"""After which a command that has a core of its own hangs."""

MEMORY_BYTES = 8 << 30
"""Of addresses: PyTorch alone takes three."""

LONGEST_MESSAGE = 2000
MOST_PROBLEMS = 4
"""Of a case, that are told."""

AT_ONCE = 2
READS = frozenset({0, 2})
TRAINS = frozenset({0, 1, 2})
"""Exit codes of a command that reads, and of one whose runs may fail."""

Make = Callable[[Place], object]


@dataclass(frozen=True)
class Case:
    """One command over one hostile thing.

    Attributes:
        name: The thing, its variant and the command.
        make: Puts the thing into a copy of the base.
        command: What is issued; `{run}`, `{other}` and `{study}` stand for names of the base.
        process: As a process of its own instead of a fork.
        folder: Where in the place's work folder the command is given.
    """

    name: str
    make: Make
    command: tuple[str, ...]
    codes: frozenset[int] = READS
    process: bool = False
    env: dict[str, str] = field(default_factory=dict)
    folder: str = "."


@dataclass(frozen=True)
class Outcome:
    """What came of a case. `status`: as `os.waitpid` gives it."""

    status: int
    out: str
    err: str
    noted: str

    @property
    def code(self) -> int:
        return os.waitstatus_to_exitcode(self.status)


class Zygote:
    """A process that has imported everything and forks for each case."""

    def __init__(self, folder: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), "LC_ALL": "C.UTF-8", "HOME": str(folder)}
        environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdin is not None
        self._replies, self._requests = self._process.stdout, self._process.stdin

    def wait_until_ready(self) -> None:
        assert self._replies.readline() == "ready\n", "the zygote did not start"

    def carry_out(
        self, place: Place, arguments: Sequence[str], folder: str = ".", env: Mapping[str, str] | None = None
    ) -> int:
        """The status of the fork that has carried out the command."""
        request = {
            "argv": arguments,
            "cwd": str(place.work / folder),
            "env": {**place.environment(), **(env or {})},
            "out": str(place.root / "out"),
            "err": str(place.root / "err"),
            "log": str(place.root / "noted"),
            "allowed": allowed(place),
            "patience": patience(),
            "memory": MEMORY_BYTES,
        }
        self._requests.write(f"{json.dumps(request)}\n")
        self._requests.flush()
        return int(self._replies.readline())

    def end(self) -> None:
        self._requests.close()
        self._process.wait()
        self._replies.close()


def patience() -> int:
    """Seconds that a command may take now: on a busy machine it gets a part of a core alone."""
    return math.ceil(PATIENCE_SECONDS * max(1.0, 2 * os.getloadavg()[0] / (os.cpu_count() or 1)))


def allowed(place: Place) -> list[str]:
    """Where its commands may write."""
    return [str(place.work), str(place.tmp), place.environment()["MPLCONFIGDIR"]]


class Drivers:
    """Carries out cases, as many at a time as there are zygotes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._free: queue.SimpleQueue[Zygote] = queue.SimpleQueue()
        zygotes = [Zygote(folder) for _ in range(AT_ONCE)]
        for zygote in zygotes:
            zygote.wait_until_ready()
            self._free.put(zygote)
        self.base = Base(folder / "base", zygotes[0].carry_out)
        for name in ("out", "err", "noted"):
            (self.base.place.root / name).unlink()

    def end(self) -> None:
        while not self._free.empty():
            self._free.get().end()

    def problems(self, case: Case, number: int) -> list[str]:
        """What is wrong with how a case went; its folder is kept then."""
        place = self.base.copy(self._folder / f"{number}")
        try:
            case.make(place)
        except Exception as problem:
            _remove(place.root)
            return [f"the case cannot be made: {problem!r}"]
        before, temporary = _tree(place.home), _temporary(place.work)
        began = time.monotonic()
        outcome = self.carry_out(place, case)
        if (took := time.monotonic() - began) > float(os.environ.get("PARSENET_HOSTILE_SLOW", 1e9)):
            print(f"{took:5.1f} s  {case.name}", file=sys.__stderr__, flush=True)
        problems = judge(case, outcome)
        after = _tree(place.home)
        problems += [f"outside: {name} was {_change(name, before, after)}" for name in _changed(before, after)]
        problems += [f"outside: {line[1:-1]}" for line in dict.fromkeys(outcome.noted.splitlines())]
        problems += [f"ran: {file.name}" for file in place.root.glob("**/ran-*")]
        problems += [f"left behind: {name}" for name in sorted(_temporary(place.work) - temporary)]
        if not problems:
            _remove(place.root)
        shown = (re.sub(r"\b[0-9a-f]{12}\b", "SIGNATURE", text.replace(str(place.root), "")) for text in problems)
        return list(dict.fromkeys(shown))[:MOST_PROBLEMS]

    def carry_out(self, place: Place, case: Case) -> Outcome:
        names = {"run": place.run.signature, "other": place.runs[1].signature, "study": place.known["study"]}
        names |= {"failed": place.known["failed"], "queued": place.known["queued"], "lost": place.known["running"]}
        arguments = [re.sub(r"\{(\w+)\}", lambda m: names.get(m[1], m[0]), text) for text in case.command]
        if case.process:
            status = as_process(place, case, arguments)
        else:
            with self._zygote() as zygote:
                status = zygote.carry_out(place, arguments, case.folder, case.env)
        out, err, noted = (_text(place.root / name) for name in ("out", "err", "noted"))
        return Outcome(status, out, err, noted)

    @contextmanager
    def _zygote(self) -> Iterator[Zygote]:
        zygote = self._free.get()
        try:
            yield zygote
        finally:
            self._free.put(zygote)


def as_process(place: Place, case: Case, arguments: Sequence[str]) -> int:
    """The status of `python -m parsenet_cli …`, killed with all that it has started where it does not end."""
    watched = Path(__file__).parent / "watched"
    environment = {
        **place.environment(),
        **case.env,
        "PYTHONPATH": f"{watched}:{PACKAGE.parent}",
        "PARSENET_HOSTILE_TESTS": str(PACKAGE.parent),
        "PARSENET_HOSTILE_LOG": str(place.root / "noted"),
        "PARSENET_HOSTILE_ALLOWED": os.pathsep.join(allowed(place)),
    }
    # -P as for the console script, which does not put the current folder on the path.
    command = [sys.executable, "-P", "-m", "parsenet_cli", *arguments]
    with (place.root / "out").open("wb") as out, (place.root / "err").open("wb") as err:
        process = subprocess.Popen(
            command,
            cwd=place.work / case.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
            preexec_fn=_limited,
        )
        try:
            code = process.wait(patience())
        except subprocess.TimeoutExpired:
            code = -signal.SIGALRM
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return -code if code < 0 else code << 8


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


# --- judges ----------------------------------------------------------------------------------------------------------------

_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_WARNING = re.compile(r"^.*?:\d+: (\w*Warning): .*$", re.MULTILINE)


def judge(case: Case, outcome: Outcome) -> list[str]:
    """What is wrong with how a command ended and with what it printed."""
    out, err = outcome.out, outcome.err
    if outcome.code == -signal.SIGALRM:
        return [f"hang: not done after {PATIENCE_SECONDS} s, or more on a busy machine"]
    if outcome.code < 0:
        return [f"signal: {signal.Signals(-outcome.code).name}"]
    if "Traceback" in out + err:
        return [f"traceback: {_raised(out + err)}"]
    problems = []
    if outcome.code not in case.codes:
        problems.append(f"code {outcome.code}: {_last(err) or _last(out)}")
    if found := _STEERING.search(out) or _STEERING.search(err):
        problems.append(f"steers the terminal: {found[0]!a} in {_line_of(found)!a}")
    if found := _WARNING.search(err):
        problems.append(f"warning: {found[0][-160:]}")
    if outcome.code == 2:
        message = next((err[at:] for at in (err.find("error: "), err.find("Usage: ")) if at >= 0), "")
        if not message:
            problems.append(f"no error is told: {_last(err)[:160]}")
        elif len(message) > LONGEST_MESSAGE:
            problems.append(f"long message: {len(message)} characters: {message[:100]}")
    return problems


def _raised(text: str) -> str:
    """The last line of a traceback, and the innermost line of the package."""
    lines = text[text.rindex("Traceback") :].splitlines()
    end = next((line for line in lines[1:] if line and not line.startswith((" ", "Traceback"))), "")
    frames = [line for line in lines if "parsenet_cli/" in line and line.lstrip().startswith("File")]
    where = re.sub(r'.*parsenet_cli/(\S+)", line (\d+), in (\S+).*', r"\1:\2 \3", frames[-1]) if frames else ""
    return f"{where}: {end[:160]}"


def _last(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""


def _line_of(found: re.Match[str]) -> str:
    text, start = found.string, found.start()
    return text[max(text.rfind("\n", 0, start) + 1, start - 40) : start + 40].split("\n")[0]


# --- what lies around ------------------------------------------------------------------------------------------------------


def _tree(folder: Path) -> dict[str, object]:
    """Every entry below a folder and what it is: content, or where a link points."""
    found: dict[str, object] = {}
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            entry = Path(parent, name)
            status = entry.lstat()
            content = entry.read_bytes() if entry.is_file() and not entry.is_symlink() else None
            found[str(entry.relative_to(folder))] = (status.st_mode, content)
    return found


def _changed(before: dict[str, object], after: dict[str, object]) -> list[str]:
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))


def _change(name: str, before: dict[str, object], after: dict[str, object]) -> str:
    return "made" if name not in before else "removed" if name not in after else "changed"


def _temporary(folder: Path) -> set[str]:
    """What an interrupted write leaves."""
    return {
        str(Path(parent, name).relative_to(folder))
        for parent, _, names in os.walk(folder)
        for name in names
        if name.startswith(".") and name.endswith(".tmp")
    }


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="surrogateescape") if file.is_file() else ""


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
