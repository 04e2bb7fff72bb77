"""A disk that refuses to take certain files, as the kernel would: at the write, after some of the bytes, or at the opening."""

from __future__ import annotations

import builtins
import errno
import io
import os
import pathlib
import re
from typing import Any, NoReturn

from tests.faults.injected import orders

_TEMPORARY = re.compile(r"\.(.+)\.\d+\.[0-9a-f]{8}\.tmp")
_REFUSALS = {"full": errno.ENOSPC, "read-only": errno.EROFS}

_open, _os_open = io.open, os.open
_replace, _unlink = pathlib.Path.replace, pathlib.Path.unlink


class _Refusing(io.FileIO):
    """Takes as many bytes as the order says and no more."""

    def __init__(self, file: Any, mode: str, order: dict[str, Any]) -> None:
        super().__init__(file, mode)
        self._order, self._left = order, order["bytes"]

    def write(self, data: Any) -> int:
        taken = memoryview(data).cast("B")[: self._left]
        if not len(taken):
            _refuse(self._order, self.name)
        written = super().write(taken) or 0
        self._left -= written
        return written


def name_of(file: Any) -> str:
    """The file's name in words: that of what it is to become, where it is a temporary one."""
    name = pathlib.Path(os.fsdecode(file)).name
    temporary = _TEMPORARY.fullmatch(name)
    return temporary[1] if temporary else name


def _opening(file: Any, mode: str = "r", buffering: int = -1, encoding: Any = None, *others: Any, **more: Any) -> Any:
    writes = not isinstance(file, int) and set(mode) & set("wax+")
    order = orders.ordered(f"file {name_of(file)}", told=False) if writes else None
    if order is None:
        return _open(file, mode, buffering, encoding, *others, **more)
    if order["do"] == "read-only" or order["bytes"] == 0:
        _refuse(order, file)
    raw = io.BufferedWriter(_Refusing(file, mode.replace("b", "").replace("t", ""), order))
    return raw if "b" in mode else io.TextIOWrapper(raw, encoding=encoding or "utf-8")


def _os_opening(file: Any, flags: int, *others: Any, **more: Any) -> int:
    if flags & (os.O_WRONLY | os.O_RDWR) and not isinstance(file, int):
        order = orders.ordered(f"file {name_of(file)}", told=False)
        if order is not None:
            _refuse(order, file)
    return _os_open(file, flags, *others, **more)


def _refuse(order: dict[str, Any], file: Any) -> NoReturn:
    orders.tell(order, f"file {name_of(file)}")
    number = _REFUSALS[order["do"]]
    raise OSError(number, os.strerror(number), os.fsdecode(file))


def _replacing(self: pathlib.Path, target: Any) -> pathlib.Path:
    orders.at(f"rename {name_of(target)}")
    return _replace(self, target)


def _unlinking(self: pathlib.Path, missing_ok: bool = False) -> None:
    orders.at(f"remove {name_of(self)}")
    _unlink(self, missing_ok)


def install() -> None:
    """From now on files are opened, renamed and removed as ordered."""
    for module in (io, builtins):
        module.open = _opening  # type: ignore[attr-defined]
    os.open = _os_opening  # type: ignore[assignment]
    pathlib.Path.replace = _replacing  # type: ignore[method-assign, assignment]
    pathlib.Path.unlink = _unlinking  # type: ignore[method-assign]
