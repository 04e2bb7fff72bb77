"""Where a process is, told to the test; and what the test wants to happen there."""

from __future__ import annotations

import fnmatch
import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

_FOLDER = Path(os.environ.get("PARSENET_FAULT_FOLDER", "."))
_HOLD_SECONDS = 60.0

_sleep, _now, _open = time.sleep, time.monotonic, os.open  # as they are before anything is patched


class _Here:
    """What this process knows; a forked one starts anew."""

    pid = -1
    run = ""
    orders: list[dict[str, Any]]
    seen: Counter[str]


def note(what: str) -> None:
    """One line in one write: no other process's line gets in between, and a kill loses none."""
    line = f"{_now():.6f}\t{os.getpid()}\t{_here().run}\t{what}\n"
    file = _open(_FOLDER / "events", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


def carries_out(run: str) -> None:
    """This process is the worker of `run` from now on; empty where it is none any more."""
    _here().run = run


def ordered(place: str, told: bool = True) -> dict[str, Any] | None:
    """The order to be carried out now that this process is at `place`; `told`: it takes effect at once."""
    here = _here()
    for order in here.orders:
        name = order["id"]
        if not fnmatch.fnmatch(place, order["at"]) or order.get("run", here.run) != here.run:
            continue
        here.seen[name] += 1
        if here.seen[name] >= order.get("nth", 1) and (order.get("always") or _first(f"done-{name}")):
            if told:
                tell(order, place)
            return order
    return None


def tell(order: dict[str, Any], place: str) -> None:
    """The order is being carried out."""
    note(f"{order['do']} {order['id']} at {place}")


def at(place: str) -> None:
    """Come to a place: hold there or fail, where that is ordered."""
    order = ordered(place)
    if order is None:
        return
    if order["do"] == "hold":
        released = _FOLDER / f"release-{order['id']}"
        until = _now() + _HOLD_SECONDS
        while not released.exists() and _now() < until:
            _sleep(0.002)
    elif order["do"] == "fail":
        raise RuntimeError(f"made up by the test at {place}")
    elif order["do"] == "clock":
        jump(order["seconds"])


_offset = 0.0


def jump(seconds: float) -> None:
    """The wall clock of this process goes wrong by so much more."""
    global _offset
    _offset += seconds


def offset() -> float:
    return _offset


def others_at_work() -> bool:
    """Whether another worker of this test lives."""
    pids = [file.name for file in (_FOLDER / "at-work").iterdir()]
    return any(int(pid) != os.getpid() and Path(f"/proc/{pid}").exists() for pid in pids)


def at_work(yes: bool) -> None:
    """This worker says that it begins, or that it ends."""
    file = _FOLDER / "at-work" / str(os.getpid())
    file.parent.mkdir(exist_ok=True)
    if yes:
        os.close(_open(file, os.O_CREAT | os.O_WRONLY))
    else:
        file.unlink()


def _here() -> type[_Here]:
    if _Here.pid != os.getpid():
        _Here.pid, _Here.run, _Here.seen = os.getpid(), "", Counter()
        _Here.orders = json.loads((_FOLDER / "orders.json").read_text())
    return _Here


def _first(name: str) -> bool:
    try:
        os.close(_open(_FOLDER / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return False
    return True
