"""Downloads that survive bad networks: mirrors in turn, resumed where they were cut, kept only when the checksum fits.

`<folder>/<name>` appears by rename when it is whole and verified. Until then the bytes lie in `<name>.part`, which stays
when the download is interrupted, and `<name>.part.json` says where they came from.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import re
import shutil
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parsenet_cli.core.address import Address
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import append_to, file_lock, open_plain, os_errors_as_user_errors, refuse_links, remove
from parsenet_cli.core.sealed import read_json, write_json
from parsenet_cli.core.text import Progress, duration, size_text

TIMEOUT_SECONDS = 30.0
"""How long a connection may be silent."""

PAUSES_SECONDS = (1.0, 4.0, 15.0)
"""Before another attempt at the same mirror. A mirror that delivers anew is not given up."""

_CHUNK = 1 << 20
_WORTH_ANOTHER_TRY = (408, 425, 429)


@dataclass(frozen=True)
class Remote:
    """A published file.

    Attributes:
        mirrors: The publisher's addresses and those of copies, tried in this order.
        checksum: `sha256:…`, `sha1:…` or `md5:…`; the first digits are enough. None: the publisher gives none.
        size: In bytes; None where it is not published.
    """

    name: str
    mirrors: tuple[Address, ...]
    checksum: str | None = None
    size: int | None = None


class _Failed(Exception):
    """This mirror does not deliver."""


class _FailedForNow(_Failed):
    """Another attempt may succeed."""


def fetch(remote: Remote, folder: Path, progress: Progress) -> Path:
    """The file `<folder>/<name>`, downloaded unless it is there. A second process waits for the first.

    Raises:
        UserError: no mirror delivers the right file (each is named with its reason and its last report), the disk is full,
            or a file of that name is there and is another one.
    """
    file = folder / remote.name
    with file_lock(folder / f".{remote.name}.lock", f"downloading {remote.name}", progress):
        if file.is_file():
            check(file, remote, progress)
        else:
            _from_mirrors(remote, file, progress)
    return file


def check(file: Path, remote: Remote, progress: Progress) -> None:
    """Raises `UserError` when the file is not `remote`: it names the lengths or both checksums."""
    difference = _difference(file, remote, progress)
    if difference is not None:
        raise UserError(
            f"{file}: {difference}. Remove it or replace it by the published file, and issue the command again"
        )


def checksum(file: Path, algorithm: str = "sha256") -> str:
    """`algorithm:digits` of a file's content."""
    with open_plain(file, follow=True) as content:
        return f"{algorithm}:{hashlib.file_digest(content, algorithm).hexdigest()}"


def _from_mirrors(remote: Remote, file: Path, progress: Progress) -> None:
    part = file.with_name(f"{file.name}.part")
    failures = []
    for address in remote.mirrors:
        try:
            _from_mirror(address.url, remote, part, progress)
        except _Failed as problem:
            failures.append(f"{address.url} ({'; '.join(filter(None, (str(problem), address.status)))})")
            progress(f"{remote.name}: {address.url}: {problem}")
        else:
            with os_errors_as_user_errors(file):
                refuse_links(part)
                part.replace(file)
                remove(_origin(part))
            return
    tried = "; ".join(failures) or "no address is known"
    raise UserError(
        f"{remote.name} could not be downloaded: {tried}. Check the network and issue the command again (what has arrived "
        f"is kept), or find the file elsewhere and put it at {file}, or name your copy: `parsenet weights get` and `data get` "
        "take --from FILE, the latter a folder too"
    )


def _from_mirror(url: str, remote: Remote, part: Path, progress: Progress) -> None:
    """Complete and verify `part` from one address. Raises `_Failed`."""
    farthest, attempts, resumed = _length(part), 0, _length(part) > 0
    while True:
        try:
            _receive(url, remote, part, progress)
            difference = _difference(part, remote, progress)
            if difference is None:
                return
            _forget(part)
            raise (_FailedForNow if resumed else _Failed)(difference)  # what an earlier attempt left may be wrong
        except _Failed as problem:
            if _length(part) > farthest:
                farthest, attempts = _length(part), 0
            if not isinstance(problem, _FailedForNow) or attempts == len(PAUSES_SECONDS):
                raise
            resumed = _length(part) > 0
            progress(f"{remote.name}: {problem}; trying again")
            time.sleep(PAUSES_SECONDS[attempts])
            attempts += 1


def _receive(url: str, remote: Remote, part: Path, progress: Progress) -> None:
    """Append what is missing to `part`, or begin anew where the server does not resume."""
    have, headers = _resumption(url, remote, part)
    if have and have == remote.size:
        return
    try:
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            total = _agreed_length(response, have, remote, part)
            if response.status != http.client.PARTIAL_CONTENT:
                have = 0
            validator = response.headers.get("ETag") or response.headers.get("Last-Modified")
            with _writing(part):
                write_json(_origin(part), {"url": url, "validator": validator, "total": total})
            _check_space(part, have, total)
            _copy(response, part, have, total, remote.name, progress)
    except urllib.error.HTTPError as problem:
        if problem.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            if problem.headers.get("Content-Range") == f"bytes */{have}":
                return
            _forget(part)
            raise _FailedForNow("the server does not resume there") from None
        permanent = 400 <= problem.code < 500 and problem.code not in _WORTH_ANOTHER_TRY
        raise (_Failed if permanent else _FailedForNow)(f"{problem.code} {problem.reason}") from None
    except (OSError, http.client.HTTPException, ValueError) as problem:
        reason = getattr(problem, "reason", None) or problem
        unreachable = isinstance(reason, ConnectionRefusedError | socket.gaierror) and not have
        permanent = unreachable or isinstance(problem, ValueError)
        raise (_Failed if permanent else _FailedForNow)(str(reason) or type(reason).__name__) from None


def _resumption(url: str, remote: Remote, part: Path) -> tuple[int, dict[str, str]]:
    """How many bytes of `part` can be kept, and the headers that ask for the rest.

    Bytes from elsewhere are kept only where a checksum will tell whether the two halves belong together.
    """
    headers = {"User-Agent": "parsenet", "Accept-Encoding": "identity"}
    origin = _read_origin(part)
    same = origin.get("url") == url
    if not _length(part) or not (same or remote.checksum):
        return 0, headers
    headers["Range"] = f"bytes={_length(part)}-"
    validator = origin.get("validator")
    if same and isinstance(validator, str) and not validator.startswith("W/"):
        headers["If-Range"] = validator
    return _length(part), headers


def _agreed_length(response: Any, have: int, remote: Remote, part: Path) -> int | None:
    """The whole file's length as the server tells it. Raises `_Failed` where it contradicts what is known."""
    if response.status == http.client.PARTIAL_CONTENT:
        part_range = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        total = int(part_range[2]) if part_range and part_range[2] != "*" else None
        known = remote.size or _read_origin(part).get("total")
        known = known if type(known) is int else None
        if not part_range or int(part_range[1]) != have or (total and known and total != known):
            _forget(part)
            raise _FailedForNow("the server sent another part than was asked for")
        return total or known
    if response.headers.get_content_type() == "text/html":
        raise _Failed("a web page is there instead of the file")
    length = response.headers.get("Content-Length")
    total = int(length) if length else None
    if total is not None and remote.size is not None and total != remote.size:
        raise _Failed(f"it holds {total} bytes there, expected {remote.size}")
    return total if total is not None else remote.size


def _copy(response: Any, part: Path, have: int, total: int | None, name: str, progress: Progress) -> None:
    started, told_at, first = time.monotonic(), 0.0, have
    with _writing(part):
        output = os.fdopen(append_to(part), "ab", buffering=0)
        output.truncate(have)
    with output:
        while chunk := response.read1(_CHUNK):
            with _writing(part):
                rest = memoryview(chunk)
                while rest:
                    rest = rest[output.write(rest) :]
            have += len(chunk)
            if total is not None and have > total:
                _forget(part)
                raise _Failed(f"it sends more than the {total} bytes that were announced")
            now = time.monotonic()
            if now - told_at >= 1 or have == total:
                told_at = now
                rate = (have - first) / max(now - started, 1e-3)
                share = f"{100 * have // total} % of {size_text(total)}" if total else size_text(have)
                left = f", {duration((total - have) / rate)} left" if total else ""
                progress(f"{name}: {share}, {size_text(rate)}/s{left}")
    if total is not None and have != total:
        raise _FailedForNow(f"the connection was cut after {have} of {total} bytes")


@contextlib.contextmanager
def _writing(part: Path) -> Iterator[None]:
    """Failures of the own disk are the user's to solve; another mirror would not help."""
    try:
        with os_errors_as_user_errors(part):
            yield
    except OSError as problem:
        raise UserError(
            f"{part}: could not be written ({problem}); check the disk and issue the command again"
        ) from None


def _check_space(part: Path, have: int, total: int | None) -> None:
    free = shutil.disk_usage(part.parent).free
    if total is not None and total - have > free:
        raise UserError(
            f"{part.parent}: {size_text(total - have)} are still to be downloaded, {size_text(free)} are free; free some "
            "space and issue the same command again, or choose another folder"
        )


def _difference(file: Path, remote: Remote, progress: Progress) -> str | None:
    """In what a file differs from the published one; None when it does not."""
    if remote.size is not None and _length(file) != remote.size:
        return f"it holds {_length(file)} bytes, expected {remote.size}"
    if remote.checksum is not None:
        algorithm, _, digits = remote.checksum.partition(":")
        progress(f"{remote.name}: verifying")
        actual = checksum(file, algorithm)
        if not actual.removeprefix(f"{algorithm}:").startswith(digits.lower()):
            return f"its checksum is {actual}, expected {remote.checksum}"
    return None


def _origin(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _read_origin(part: Path) -> dict[str, Any]:
    content = read_json(_origin(part))
    return content if isinstance(content, dict) else {}


def _forget(part: Path) -> None:
    remove(part)
    remove(_origin(part))


def _length(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0
