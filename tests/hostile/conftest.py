"""Which seed; the base and the drivers, made once; and how many cases there were."""

from __future__ import annotations

import os
import random
import shutil
import stat
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from tests.hostile.drivers import AT_ONCE, Case, Drivers

SEED = int(os.environ.get("PARSENET_HOSTILE_SEED", 20261124))
ONLY = os.environ.get("PARSENET_HOSTILE_ONLY", "")
"""Part of a case's name: the others are left out."""

SHARE = float(os.environ.get("PARSENET_HOSTILE_SHARE", "1" if ONLY else "0.2"))
"""Of a group's cases; the seed chooses which."""

FEWEST = 20
"""Of a group's cases: a small group is not made smaller."""

ROOM_BYTES = 4 << 30
"""Free in memory, for the cases to lie there."""

_cases = pytest.StashKey[Counter[str]]()
_started = pytest.StashKey[float]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_cases], config.stash[_started] = Counter(), time.monotonic()


def pytest_report_header() -> str:
    only = f" PARSENET_HOSTILE_ONLY={ONLY}" if ONLY else ""
    return f"hostile: PARSENET_HOSTILE_SEED={SEED} PARSENET_HOSTILE_SHARE={SHARE:g}{only}"


class Counted:
    """Carries out groups of cases, counts them and reports what is wrong, by cause."""

    def __init__(self, drivers: Drivers, counts: Counter[str]) -> None:
        self.base, self.counts = drivers.base, counts
        self._drivers, self._numbers = drivers, count()

    def expect_harmless(self, cases: Iterator[Case], fewest: int = FEWEST) -> None:
        """Fails with the names of the cases that were not, those of one cause together."""
        chosen = sample([case for case in cases if ONLY in case.name], fewest)
        self.counts["cases"] += len(chosen)
        self.counts["processes"] += sum(case.process for case in chosen)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            problems = list(pool.map(self._drivers.problems, chosen, [next(self._numbers) for _ in chosen]))
        found = [(text, case.name) for case, texts in zip(chosen, problems, strict=True) for text in texts]
        if found:
            wrong = sum(map(bool, problems))
            pytest.fail(f"{wrong} of {len(chosen)} cases\n{_by_cause(found)}", pytrace=False)


def sample(cases: list[Case], fewest: int) -> list[Case]:
    """Some of them: as many for each command, and of its things those first that no other command has met."""
    most = min(max(fewest, round(len(cases) * SHARE)), len(cases))
    decks: dict[str, list[Case]] = {}
    for case in random.Random(SEED).sample(cases, len(cases)):
        decks.setdefault(case.name.rpartition("/")[2], []).append(case)
    chosen: list[Case] = []
    things: set[str] = set()
    while len(chosen) < most:
        for deck in filter(None, decks.values()):
            case = next((case for case in deck if _thing(case) not in things), deck[0])
            deck.remove(case)
            things.add(_thing(case))
            chosen.append(case)
    return chosen[:most]


def _thing(case: Case) -> str:
    return case.name.rpartition("/")[0]


def _by_cause(found: list[tuple[str, str]]) -> str:
    names: dict[str, list[str]] = {}
    for text, name in found:
        names.setdefault(text, []).append(name)
    ordered = sorted(names.items(), key=lambda item: -len(item[1]))
    return "\n".join(f"{len(alike):4} {text}\n     {'  '.join(alike)}" for text, alike in ordered)


@pytest.fixture(scope="session")
def hostile(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counted]:
    """What carries out cases."""
    os.environ["MPLCONFIGDIR"] = str(tmp_path_factory.mktemp("matplotlib"))  # its cache of fonts, made once
    with _fast_folder(tmp_path_factory) as folder:
        drivers = Drivers(folder)
        yield Counted(drivers, request.config.stash[_cases])
        drivers.end()


@contextmanager
def _fast_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where cases happen: in memory if there is enough; folders of cases that went wrong are kept with the other tests'."""
    kept, memory = tmp_path_factory.mktemp("hostile"), Path("/dev/shm")
    if not os.access(memory, os.W_OK) or shutil.disk_usage(memory).free < ROOM_BYTES:
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="parsenet-hostile-", dir=memory, ignore_cleanup_errors=True) as folder:
        yield Path(folder)
        for case in Path(folder).iterdir():
            if case.name.isdigit():
                shutil.copytree(case, kept / case.name, symlinks=True, ignore=_pipes)


def _pipes(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if stat.S_ISFIFO(Path(folder, name).lstat().st_mode)]


@pytest.fixture(scope="session")
def examples(request: pytest.FixtureRequest) -> Counter[str]:
    """Counts the examples of rules."""
    return request.config.stash[_cases]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    counts = config.stash[_cases]
    if not counts:
        return
    seconds = time.monotonic() - config.stash[_started]
    terminalreporter.write_line(
        f"hostile: {counts['cases']} cases ({counts['processes']} as processes), {counts['examples']} examples of rules, "
        f"seed {SEED}, {seconds:.0f} s"
    )
