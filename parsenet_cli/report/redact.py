"""A report is passed on: where things lie on somebody's machine, and what folders, users and hosts are called, stays at home.

Paths get into it by error messages, by overrides such as `data_root=…` and by labels. First what is known goes, as it is
written: the folders of this machine and of the runs, whatever they are called. Then whatever begins as a path does goes up to
its last slash, blanks and quotes included, because only the machine could say where a name ends. Web addresses stay.
"""

from __future__ import annotations

import getpass
import re
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from parsenet_cli.core.errors import UserError
from parsenet_cli.report.blocks import Document, mapped

if TYPE_CHECKING:
    from parsenet_cli.report.collect import ReportInput

_HIDDEN = "\ue000"
"""Stands for a folder while a text is worked on; a character that no text needs."""

_PUBLIC = frozenset({"root", "localhost", ""})
"""Users and hosts that tell nothing."""

_URL = re.compile(r"((?:https?|ftp)://[^\s/]\S*)")
_HOME = re.compile(
    r"(?:[A-Za-z]:)?[/\\]+(?:home|Users)[/\\]+[^\s/\\'\"<>|:;,()\[\]]+[/\\]*(?![^\s'\"<>|:;,()\[\]])"
    r"|(?<![\w./\\])/root/?(?![\w./-])"
    r"|(?<![\w~])~[A-Za-z_][\w.-]*(?![\w/\\])"
)
"""A home folder by itself."""

_OPTION = r"--[a-z][\w-]*(?:[\s=]|$)|['\"]?[\w.]+="
_NEXT = rf"[:;]\s|\s(?:{_OPTION})|[\s=]['\"(\[]*(?:file:/|/+[^\s/]|\.\.[/\\]|~[\w.+-]*/|[A-Za-z]:[\\/]|{_HIDDEN})"
"""Where at the latest the folders of a path end: another path begins, an option, or what is said of it."""

_POSIX = re.compile(
    r"(file:/+|(?<![\w.…/\\)\]}%*~])/+(?=[^\s/])|/(?=(?:home|Users)/)|(?<![\w.])\.\./|(?<![\w~])~[\w.+-]*/"
    rf"|{_HIDDEN}/+)((?:(?!{_NEXT})[^\n])*/)?"
)
_WINDOWS = re.compile(
    rf"((?<!\w)[A-Za-z]:[\\/]+|(?<!\\)\\\\(?=[\w.]+\\)|(?<![\w.])\.\.\\+)((?:(?!{_NEXT})[^\n])*[\\/])?"
)
"""How a path begins, and its folders: as far as the last slash."""


@dataclass(frozen=True)
class Private:
    """What is known of a machine, and texts without it.

    Attributes:
        roots: Folders and files; their last names may be told.
        homes: Folders whose last names are users'.
        names: Users and hosts.
    """

    roots: frozenset[str] = frozenset()
    homes: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()

    def text(self, text: str) -> str:
        """The text with `…/name` in the place of every path that says where something lies; a home folder is `…`."""
        if "/" not in text and "\\" not in text and "~" not in text:
            return text
        if self._known:
            text = self._known.sub(lambda found: self._shown(found[0]), text)
        parts = _URL.split(text)
        for pattern in (_HOME, _WINDOWS, _POSIX):
            parts[::2] = [pattern.sub(_shortened, part) for part in parts[::2]]
        return "".join(parts).replace(_HIDDEN, "…")

    def error(self, text: str) -> str:
        """What a machine said of a failure: without users and hosts too, which elsewhere may be words like any other."""
        names = "|".join(map(re.escape, sorted(self.names - _PUBLIC, key=len, reverse=True)))
        return re.sub(rf"(?<![\w-])(?:{names})(?![\w-])", "…", self.text(text)) if names else self.text(text)

    def document(self, document: Document) -> Document:
        """The same without what is private, in every text of every block."""
        shown: Document = mapped(document, self.text)
        return shown

    @cached_property
    def _known(self) -> re.Pattern[str] | None:
        folders = {folder.rstrip("/") for folder in self.roots | self.homes} - {"", "."}
        longest = "|".join(map(re.escape, sorted(folders, key=len, reverse=True)))
        return re.compile(rf"(?<![\w.…])(?:{longest})(?![\w-])") if folders else None

    def _shown(self, root: str) -> str:
        return _HIDDEN if root in self.homes else f"{_HIDDEN}/{root.rpartition('/')[2]}"


def of_this_machine() -> Private:
    """Whoever is at work here, and where."""
    homes, names = {str(Path.home())}, {socket.gethostname(), socket.gethostname().partition(".")[0]}
    with suppress(OSError, KeyError):  # a container's user may have no name
        names.add(getpass.getuser())
    return Private(frozenset(_folders(Path.cwd())), frozenset(homes - {"/"}), frozenset(names))


def of_report(report: ReportInput) -> Private:
    """This machine, the results folder, and what the runs' configurations and statuses name."""
    here = of_this_machine()
    roots, names = set(_folders(report.store.root)), set[str]()
    for study in report.shown:
        values = (override.partition("=")[2].strip("'\"") for override in study.overrides)
        roots.update(value for value in values if Path(value).is_absolute())
    for read in report.runs.values():
        if read.result is None:  # the others show no error
            names.add(str(read.run.status().host or ""))
            try:
                runtime = read.run.config().runtime
            except UserError:
                continue
            roots.update(
                path for path in (runtime.data_root, runtime.weights_file) if path and Path(path).is_absolute()
            )
    return Private(here.roots | roots, here.homes, here.names | names)


def redact_paths(text: str) -> str:
    """The text without the paths of this machine, for what is shown outside of a report."""
    return of_this_machine().text(text)


def _folders(folder: Path) -> Iterable[str]:
    """As it is named and as it lies there; of a relative name only where it lies."""
    return {str(folder.absolute()), str(folder.resolve())}


def _shortened(found: re.Match[str]) -> str:
    if found.re is _HOME:
        return _HIDDEN
    begins, folders = found.groups()
    return begins if folders is None and not begins.strip("/") else "…/"
