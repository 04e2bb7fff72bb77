"""Archives that nobody has to trust: what is written, and above all what is not."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import guard
from parsenet_cli.core.text import silent
from parsenet_cli.data.download import archives
from parsenet_cli.data.download.archives import extract
from tests.published_archives import pack

CONTENT = {"top/a.txt": b"first", "top/deep/b.txt": b"second", "other/c.txt": b"third"}


def everything(member: str) -> str | None:
    return member


def written(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("name", ["x.tar", "x.tgz", "x.zip"])
def test_what_is_wanted_is_put_where_it_belongs(tmp_path: Path, name: str) -> None:
    pack(tmp_path / name, CONTENT)
    count = extract(
        tmp_path / name,
        tmp_path / "out",
        lambda member: member.replace("top/", "here/") if member.startswith("top/") else None,
        silent,
    )
    assert count == 2
    assert written(tmp_path / "out") == {"here/a.txt": b"first", "here/deep/b.txt": b"second"}


def _member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, size
    return info


MALICIOUS = {
    "parent": (_member("top/../../outside.txt", size=4), "points outside"),
    "absolute": (_member("/tmp/outside.txt", size=4), "points outside"),
    "symbolic link": (_member("link", tarfile.SYMTYPE, "/etc/passwd"), "is a link or a device"),
    "hard link": (_member("link", tarfile.LNKTYPE, "../outside.txt"), "is a link or a device"),
    "device": (_member("null", tarfile.CHRTYPE), "is a link or a device"),
    "pipe": (_member("pipe", tarfile.FIFOTYPE), "is a link or a device"),
    "huge": (_member("huge", size=1 << 40), "would unpack to 1099511627776 bytes"),
}


@pytest.mark.parametrize("case", MALICIOUS)
def test_a_malicious_member_is_refused_and_named(tmp_path: Path, case: str) -> None:
    info, reason = MALICIOUS[case]
    outside = tmp_path / "outside.txt"
    outside.write_bytes(b"mine")
    with tarfile.open(tmp_path / "x.tar", "w") as packed:
        packed.addfile(info, io.BytesIO(b"evil") if info.size == 4 else None)
    with pytest.raises(UserError, match=rf"x\.tar: its member '{info.name}' {reason}"):
        extract(tmp_path / "x.tar", tmp_path / "out", everything, silent)
    assert outside.read_bytes() == b"mine"
    assert written(tmp_path / "out") == {}


def test_a_link_to_a_folder_does_not_lead_out_of_the_target(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    with tarfile.open(tmp_path / "x.tar", "w") as packed:
        packed.addfile(_member("door", tarfile.SYMTYPE, str(tmp_path / "elsewhere")))
        packed.addfile(_member("door/a.txt", size=4), io.BytesIO(b"evil"))
    extract(tmp_path / "x.tar", tmp_path / "out", lambda member: member if member != "door" else None, silent)
    assert written(tmp_path / "elsewhere") == {}
    assert written(tmp_path / "out") == {"door/a.txt": b"evil"}


def bomb(kind: bytes, size: int) -> bytes:
    """A packed tar whose first header announces a name, or keywords, of `size` bytes."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as output:
        output.write(_member("././@LongLink", kind, size=size).tobuf(tarfile.GNU_FORMAT))
        for _ in range(size >> 20):
            output.write(bytes(1 << 20))
        output.write(_member("a.txt").tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    return packed.getvalue()


@pytest.mark.parametrize(
    "kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XGLTYPE], ids=["pax", "GNU", "global"]
)
def test_a_header_that_asks_for_the_memory_is_refused(tmp_path: Path, kind: bytes) -> None:
    (tmp_path / "x.tgz").write_bytes(bomb(kind, 64 << 20))
    tracemalloc.start()
    with pytest.raises(UserError, match=r"x\.tgz: not a complete archive \(its headers are too large\)"):
        extract(tmp_path / "x.tgz", tmp_path / "out", everything, silent)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20
    assert written(tmp_path / "out") == {}


def test_a_sparse_file_is_refused(tmp_path: Path) -> None:
    info = _member("a.txt", tarfile.GNUTYPE_SPARSE, size=512)
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[386:410] = b"00000000000\0" + b"00000001000\0"
    header[483:495] = b"00000001000\0"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    (tmp_path / "x.tar").write_bytes(bytes(header) + bytes(512 * 3))
    with pytest.raises(UserError, match=r"x\.tar: its member 'a\.txt' is a link or a device"):
        extract(tmp_path / "x.tar", tmp_path / "out", everything, silent)


def _tar_of(*members: tuple[str, bytes]) -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as packed:
        for name, content in members:
            packed.addfile(_member(name, size=len(content)), io.BytesIO(content))
    return output.getvalue()


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ([("a.txt", b"1"), ("a.txt", b"2")], "its member 'a.txt' is there twice"),
        ([("a\nb.txt", b"1")], r"its member 'a\nb.txt' has control characters in its name"),
        ([(f"{i}.txt", b"") for i in range(5)], "it has more than 3 members"),
    ],
    ids=["twice", "newline", "count"],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("suffix", [".tar", ".zip"])
def test_members_are_named_once_in_plain_letters_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, members: list[tuple[str, bytes]], says: str, suffix: str
) -> None:
    monkeypatch.setattr(archives, "MOST_MEMBERS", 3, raising=False)
    file = tmp_path / f"x{suffix}"
    if suffix == ".tar":
        file.write_bytes(_tar_of(*members))
    else:
        with zipfile.ZipFile(file, "w") as packed:
            for name, content in members:
                packed.writestr(name, content)
    with pytest.raises(UserError, match=rf"x\{suffix}: .*{re.escape(says)}"):
        extract(file, tmp_path / "out", everything, silent)


def test_members_of_a_zip_that_overlap_are_refused(tmp_path: Path) -> None:
    """The same bytes unpacked under many names."""
    file = tmp_path / "x.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.txt", bytes(100_000))
        packed.writestr("b.txt", bytes(100_000))
        packed.filelist[1].header_offset = packed.filelist[0].header_offset
    with pytest.raises(UserError, match=r"x\.zip: not a complete archive \(its members overlap\)"):
        extract(file, tmp_path / "out", everything, silent)


def test_unpacking_follows_no_link_in_its_target(tmp_path: Path) -> None:
    """The folder it is unpacked to may be one that somebody else has prepared."""
    (tmp_path / "home/out").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "home/out/top").symlink_to(tmp_path / "elsewhere")
    guard(tmp_path / "home")
    pack(tmp_path / "x.tar", CONTENT)
    with pytest.raises(UserError, match=r"a\.txt: is a link"):
        extract(tmp_path / "x.tar", tmp_path / "home/out", everything, silent)
    assert written(tmp_path / "elsewhere") == {}
    (tmp_path / "home/out/top").unlink()
    (tmp_path / "home/out/top").mkdir()
    (tmp_path / "home/out/top/a.txt").symlink_to(tmp_path / "victim")
    extract(tmp_path / "x.tar", tmp_path / "home/out", everything, silent)
    assert (tmp_path / "victim").read_text() == "mine"
    assert (tmp_path / "home/out/top/a.txt").read_bytes() == b"first"


def _zipped(name: str, mode: int = 0o100644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        *((_zipped(name), "points outside") for name in ("../outside.txt", "/tmp/outside.txt", "C:\\outside.txt")),
        (_zipped("..\\outside.txt"), "points outside"),
        (_zipped("link", 0o120777), "is a link or a device"),
    ],
)
def test_a_zip_cannot_write_elsewhere(tmp_path: Path, member: zipfile.ZipInfo, reason: str) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        packed.writestr(member, b"evil")
    with pytest.raises(UserError, match=reason):
        extract(tmp_path / "x.zip", tmp_path / "out", everything, silent)
    assert not (tmp_path / "outside.txt").exists()


def test_the_unpacked_size_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "LARGEST_ARCHIVE", 8)
    pack(tmp_path / "x.tar", CONTENT)
    with pytest.raises(UserError, match="would unpack to"):
        extract(tmp_path / "x.tar", tmp_path / "out", everything, silent)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "half": lambda content: content[: len(content) // 2],
    "first bytes": lambda content: content[:20],
    "nothing": lambda _: b"",
    "another file": lambda _: b"<html>moved</html>" * 100,
}


@pytest.mark.parametrize("name", ["x.tar", "x.tgz", "x.zip"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_archive_is_named(tmp_path: Path, name: str, damage: str) -> None:
    noise = bytes(i * 7919 % 251 for i in range(20_000))
    file = tmp_path / name
    pack(file, {"a.bin": noise})
    file.write_bytes(DAMAGE[damage](file.read_bytes()))
    with pytest.raises(UserError, match=rf"{name}: (not a complete archive|none of the files)"):
        extract(file, tmp_path / "out", everything, silent)


def test_an_archive_of_something_else_is_said_to_be_one(tmp_path: Path) -> None:
    pack(tmp_path / "x.tar", CONTENT)
    with pytest.raises(UserError, match=r"x\.tar: none of the files that belong to this data set"):
        extract(tmp_path / "x.tar", tmp_path / "out", lambda _: None, silent)
