"""Downloads from a server that misbehaves: what arrives is the published file or an explanation, never anything else."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from parsenet_cli.core import download
from parsenet_cli.core.address import UNVERIFIED, Address
from parsenet_cli.core.download import Remote, fetch
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import guard
from parsenet_cli.core.text import silent
from tests.faulty_server import Faults, serving

CONTENT = bytes(range(256)) * 4096
NAME = "archive.bin"
SUM = f"md5:{hashlib.md5(CONTENT).hexdigest()}"
WRONG_SUM = f"md5:{hashlib.md5(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])).hexdigest()}"


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "PAUSES_SECONDS", (0.01, 0.01))
    monkeypatch.setattr(download, "TIMEOUT_SECONDS", 5.0)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Faults]:
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / NAME).write_bytes(CONTENT)
    with serving(tmp_path / "served") as faults:
        yield faults


def remote(server: Faults, *faults: str, checksum: str | None = SUM, size: int | None = None) -> Remote:
    return Remote(NAME, tuple(Address(server.address(fault, NAME)) for fault in faults), checksum, size)


def left(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir() if not file.name.endswith(".lock")}


@pytest.mark.parametrize(
    "faults",
    [
        ("good",), ("cuts",), ("no_range",), ("broken_once",), ("changed", "good"), ("missing", "good"),
        ("broken", "cuts"), ("wrong_byte", "good"), ("short", "good"), ("long",), ("page", "good"),
        ("cuts_at_half", "good"), ("cuts_at_half", "wrong_part", "good"),
    ],
)  # fmt: skip
def test_the_file_arrives_whole_from_the_first_mirror_that_has_it(
    server: Faults, tmp_path: Path, faults: tuple[str, ...]
) -> None:
    file = fetch(remote(server, *faults), tmp_path / "here", silent)
    assert file == tmp_path / "here" / NAME
    assert file.read_bytes() == CONTENT
    assert left(tmp_path / "here") == {NAME}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("missing", "404"), ("broken", "500"), ("wrong_byte", f"its checksum is {WRONG_SUM}, expected {SUM}"),
        ("page", "a web page"),
        ("cuts_at_half", "the connection was cut after 524288 of 1048576 bytes"),
    ],
)  # fmt: skip
def test_a_mirror_that_never_delivers_is_named_with_its_reason(
    server: Faults, tmp_path: Path, fault: str, reason: str
) -> None:
    with pytest.raises(UserError) as problem:
        fetch(remote(server, fault, "missing"), tmp_path / "here", silent)
    assert f"{server.address(fault, NAME)} ({reason}" in str(problem.value)
    assert f"{server.address('missing', NAME)} (404" in str(problem.value)
    assert f"put it at {tmp_path / 'here' / NAME}" in str(problem.value)
    assert not (tmp_path / "here" / NAME).exists()


def test_what_failed_is_named_with_its_last_report_and_what_to_do_by_hand(server: Faults, tmp_path: Path) -> None:
    places = (
        Address(server.address("missing", NAME), "2026-01", "pytorch/vision#9335"),
        Address(server.address("page", NAME), "2026-11", UNVERIFIED),
        Address(server.address("broken", NAME), "2023-08", "cvlab-kaist/CAT-Seg#9", works=False),
    )
    with pytest.raises(UserError) as problem:
        fetch(Remote(NAME, places, SUM), tmp_path / "here", silent)
    said = str(problem.value)
    assert "404 Not Found; reported working 2026-01 by pytorch/vision#9335)" in said
    assert "a web page is there instead of the file; unverified 2026-11)" in said
    assert "; reported dead 2023-08 by cvlab-kaist/CAT-Seg#9)" in said
    assert f"put it at {tmp_path / 'here' / NAME}" in said
    assert "--from FILE" in said
    assert {fault for fault, asked in server.requests.items() if asked} == {"missing", "page", "broken"}


def test_a_wrong_length_is_noticed_before_the_download(server: Faults, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"it holds 1048576 bytes there, expected 1000"):
        fetch(remote(server, "good", size=1000), tmp_path, silent)


def test_a_server_that_stays_silent_is_left(server: Faults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "TIMEOUT_SECONDS", 0.2)
    assert fetch(remote(server, "stalls", "good"), tmp_path, silent).read_bytes() == CONTENT


def test_an_interrupted_download_goes_on_where_it_stopped(server: Faults, tmp_path: Path) -> None:
    def interrupt(text: str) -> None:
        if "%" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(remote(server, "cuts"), tmp_path / "here", interrupt)
    have = (tmp_path / "here" / f"{NAME}.part").stat().st_size
    assert 0 < have < len(CONTENT)
    fetch(remote(server, "good"), tmp_path / "here", silent)
    assert server.requests["good"] == [f"bytes={have}-"]
    assert (tmp_path / "here" / NAME).read_bytes() == CONTENT


def test_bytes_from_another_mirror_are_not_mixed_without_a_checksum(server: Faults, tmp_path: Path) -> None:
    fetch(remote(server, "cuts_at_half", "good", checksum=None), tmp_path / "here", silent)
    assert server.requests["good"] == [""]


def test_a_damaged_partial_file_is_downloaded_anew(server: Faults, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(b"x" * 1000)
    assert fetch(remote(server, "good"), tmp_path, silent).read_bytes() == CONTENT
    assert server.requests["good"] == ["bytes=1000-", ""]


@pytest.mark.parametrize("extra", [b"", b"more than there is"])
def test_a_partial_file_that_lacks_nothing_is_finished(server: Faults, tmp_path: Path, extra: bytes) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT + extra)
    assert fetch(remote(server, "good"), tmp_path, silent).read_bytes() == CONTENT


def test_what_is_there_is_not_downloaded_again(server: Faults, tmp_path: Path) -> None:
    fetch(remote(server, "good"), tmp_path, silent)
    fetch(remote(server, "good"), tmp_path, silent)
    assert len(server.requests["good"]) == 1


def test_another_file_of_that_name_stays_and_is_named(server: Faults, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"something else")
    with pytest.raises(UserError, match=rf"{NAME}: its checksum is md5:.*expected {SUM}"):
        fetch(remote(server, "good"), tmp_path, silent)
    assert (tmp_path / NAME).read_bytes() == b"something else"


def test_some_digits_of_a_checksum_are_enough(server: Faults, tmp_path: Path) -> None:
    digits = hashlib.sha256(CONTENT).hexdigest()[:8]
    assert fetch(remote(server, "good", checksum=f"sha256:{digits}"), tmp_path, silent).is_file()


def test_two_processes_download_it_once(server: Faults, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from parsenet_cli.core.download import Address, Remote, fetch\n"
        f"fetch(Remote({NAME!r}, (Address(sys.argv[1]),), {SUM!r}, None), Path(sys.argv[2]), print)"
    )
    command = [sys.executable, "-c", program, server.address("good", NAME), str(tmp_path / "here")]
    processes = [subprocess.Popen(command, env=os.environ, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert len(server.requests["good"]) == 1


def test_a_full_disk_is_explained_and_what_arrived_is_kept(
    server: Faults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.FileIO):
        def write(self, content: Any) -> int:
            if self.tell() > 100_000:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(content[:50_000])

    plain = os.fdopen

    def opened(descriptor: int, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        return Full(descriptor, mode) if mode == "ab" else plain(descriptor, mode, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdopen", opened)
        with pytest.raises(UserError, match=r"archive\.bin\.part: the disk is full"):
            fetch(remote(server, "good"), tmp_path, silent)
    assert (tmp_path / f"{NAME}.part").stat().st_size > 100_000
    assert fetch(remote(server, "good"), tmp_path, silent).read_bytes() == CONTENT


@pytest.mark.parametrize("suffix", [".part", ".part.json"])
def test_download_writes_to_no_file_behind_a_link(server: Faults, tmp_path: Path, suffix: str) -> None:
    victim, folder = tmp_path / "victim", tmp_path / "home"
    victim.write_bytes(b"mine")
    folder.mkdir()
    (folder / f"{NAME}{suffix}").symlink_to(victim)
    guard(folder)
    with contextlib.suppress(UserError):
        fetch(remote(server, "good"), folder, silent)
    assert victim.read_bytes() == b"mine"
    assert not (folder / NAME).is_symlink()


@pytest.mark.parametrize("origin", ["[]", "5", '{"url": 5, "validator": [1], "total": "x"}', "[" * 100_000])
def test_origin_of_another_shape_is_none(server: Faults, tmp_path: Path, origin: str) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT[:1000])
    (tmp_path / f"{NAME}.part.json").write_text(origin)
    assert fetch(remote(server, "good"), tmp_path, silent).read_bytes() == CONTENT


def test_progress_tells_percent_rate_and_time_left(server: Faults, tmp_path: Path) -> None:
    said: list[str] = []
    fetch(remote(server, "good"), tmp_path, said.append)
    assert any(text.startswith(f"{NAME}: 100 % of 1.0 MB, ") and text.endswith("/s, 0:00 left") for text in said)


def test_nobody_at_the_address_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"127\.0\.0\.1:9/x \(.*refused.*\)\. Check the network"):
        fetch(Remote("x", (Address("http://127.0.0.1:9/x"),)), tmp_path, silent)
