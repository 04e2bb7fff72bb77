"""A report is passed on: where things lie on somebody's machine, and what their folders are called, stays at home.

Paths get into it by error messages, by overrides such as `data_root=…` and by labels.
"""

from __future__ import annotations

import re
from pathlib import Path

_HOMES = re.compile(r"(?<![\w.:/])/(?:home|Users|root)(?![\w-])(?:/[^\s/'\"<>|:;,()\[\]]+)*/?")
_FOLDERS = re.compile(r"(?<![\w.:/])~?/(?:[^\s/'\"<>|:;,()\[\]=]+/)+")
_DRIVES = re.compile(r"\b[A-Za-z]:\\(?:[^\s\\'\"<>|:;,()]+\\)*")


def redact_paths(text: str) -> str:
    """The text with `…/name` in the place of every absolute path; a home folder by itself is `…`."""
    if "/" not in text and "\\" not in text:
        return text
    text = _DRIVES.sub(lambda _: "…/", text)
    if (home := str(Path.home())) != "/":
        text = re.sub(rf"{re.escape(home)}(?![\w-])", "/home/…", text)
    text = _HOMES.sub(lambda found: _last(found[0]), text)
    return _FOLDERS.sub(lambda _: "…/", text)


def _last(path: str) -> str:
    """The name of what lies inside a home folder; the home folder itself has none."""
    first, _, rest = path.strip("/").partition("/")
    inside = rest if first == "root" else rest.partition("/")[2]
    return f"…/{inside.rpartition('/')[2]}" if inside else "…"
