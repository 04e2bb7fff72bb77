"""Files are whole or not there, and never somewhere else: no link is followed, nothing but plain files is read."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsenet_cli.core import files, sealed, yaml_text
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import NotWritten
from parsenet_cli.core.text import check_name, printable

PRECIOUS = b"what somebody else needs"


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file outside of every folder that is written to."""
    file = tmp_path / "elsewhere/precious"
    file.parent.mkdir()
    file.write_bytes(PRECIOUS)
    return file


@pytest.fixture
def guarded(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    files.guard(folder)
    return folder


def write(path: Path) -> None:
    files.write_text(path, "mine")


def append(path: Path) -> None:
    with files.os_errors_as_user_errors(path):
        os.write(files.append_to(path), b"mine")


def lock(path: Path) -> None:
    with files.file_lock(path):
        pass


@pytest.mark.parametrize("act", [write, append, lock, files.remove, sealed.quarantine])
def test_nothing_is_written_locked_or_removed_behind_a_linked_folder(
    act: Callable[[Path], object], victim: Path, guarded: Path
) -> None:
    (guarded / "runs").symlink_to(victim.parent)
    with pytest.raises(NotWritten, match=r"runs/precious: is a link, or lies behind one"):
        act(guarded / "runs/precious")
    assert victim.read_bytes() == PRECIOUS
    assert [file.name for file in victim.parent.iterdir()] == ["precious"]


@pytest.mark.parametrize("act", [append, lock])
def test_a_link_in_the_place_of_a_file_is_not_followed(
    act: Callable[[Path], object], victim: Path, guarded: Path
) -> None:
    (guarded / "log.txt").symlink_to(victim)
    with pytest.raises(NotWritten, match="is a link"):
        act(guarded / "log.txt")
    assert victim.read_bytes() == PRECIOUS


def test_a_new_file_takes_the_place_of_a_link_and_a_removed_link_leaves_its_target(victim: Path, guarded: Path) -> None:
    (guarded / "table.md").symlink_to(victim)
    write(guarded / "table.md")
    assert (guarded / "table.md").read_text() == "mine"
    (guarded / "folder").symlink_to(victim.parent)
    files.remove(guarded / "folder")
    assert victim.read_bytes() == PRECIOUS
    assert not (guarded / "folder").exists()


def test_no_link_at_a_temporary_name_that_can_be_foreseen_is_written_through(victim: Path, guarded: Path) -> None:
    for name in (f".table.md.{os.getpid()}.tmp", ".table.md.tmp"):
        (guarded / name).symlink_to(victim)
    write(guarded / "table.md")
    assert victim.read_bytes() == PRECIOUS


def test_nothing_is_appended_to_a_file_that_has_a_second_name(victim: Path, guarded: Path) -> None:
    os.link(victim, guarded / "log.txt")
    with pytest.raises(NotWritten, match="second name"):
        append(guarded / "log.txt")
    assert victim.read_bytes() == PRECIOUS


def test_a_tagged_cache_may_lie_elsewhere(tmp_path: Path, guarded: Path) -> None:
    elsewhere = tmp_path / "scratch"
    elsewhere.mkdir()
    (guarded / "cache").symlink_to(elsewhere)
    with pytest.raises(NotWritten):
        write(guarded / "cache/composed.json")
    files.tag_cache(elsewhere)
    write(guarded / "cache/composed.json")
    assert (elsewhere / "composed.json").read_text() == "mine"
    assert (elsewhere / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55\n")


def test_a_guarded_folder_may_itself_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "results").symlink_to(tmp_path / "disk")
    files.guard(tmp_path / "results")
    write(tmp_path / "results/runs/a")
    assert (tmp_path / "disk/runs/a").read_text() == "mine"


def test_a_pipe_a_device_and_a_folder_are_not_read(guarded: Path) -> None:
    os.mkfifo(guarded / "pipe")
    (guarded / "folder").mkdir()
    for path in (guarded / "pipe", guarded / "folder", Path("/dev/zero")):
        with pytest.raises(OSError, match=r"Invalid argument|Is a directory"):
            files.read_bytes(path)


def test_only_so_much_is_read(guarded: Path) -> None:
    write(guarded / "long")
    assert files.read_bytes(guarded / "long", most=4) == b"mine"
    with pytest.raises(OSError, match="more than 3 bytes"):
        files.read_bytes(guarded / "long", most=3)


@pytest.mark.parametrize("content", ["é".encode("latin-1"), "a".encode("utf-16"), b"\0"])
def test_a_text_in_another_encoding_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_bytes(content)
    with pytest.raises(UserError, match=r"classes\.txt: not a text in UTF-8 \(byte 0x.. at \d+\): save it as UTF-8"):
        files.read_text(tmp_path / "classes.txt")


def test_a_byte_order_mark_is_no_part_of_a_text(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes("\ufeffsheep\n".encode())
    assert files.read_text(tmp_path / "list") == "sheep\n"


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, "NaN", '{"a": Infinity}', "1" * 5000, "\udcff", "{"]
)
def test_json_that_python_would_stumble_over_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011, each has its own words
        sealed.parse_json(text)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        "a: &a [1, 1, 1, 1, 1, 1, 1, 1]\n"
        + "".join(f"a{i}: &a{i} [{'*a, ' * 9}*a]\na: &a [*a{i}]\n" for i in range(9)),
        "a: [*nowhere]",
        "a:\tb\n\t- c",
        "!!python/object/apply:os.system ['id']",
    ],
)
def test_yaml_that_would_end_the_process_is_an_error_with_its_line(text: str) -> None:
    import yaml

    with pytest.raises(yaml.YAMLError) as caught:
        yaml_text.load(text)
    assert yaml_text.where(caught.value)[0]


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text("aü: #\"'{[&*!\n"), st.lists, max_leaves=20))
def test_yaml_gives_back_what_was_dumped(content: object) -> None:
    assert yaml_text.load(yaml_text.dump(content)) == content


@given(st.text())
def test_what_is_printed_steers_no_terminal(text: str) -> None:
    shown = printable(text)
    assert all(character.isprintable() or character in "\n\t" or not character.isascii() for character in shown)
    assert not set(shown) & set("\x1b\r\x07\x9b\u202e\u2028")
    assert printable(shown) == shown
    if text.isprintable():
        assert shown == text


@given(st.text(max_size=40))
def test_a_name_from_data_that_is_accepted_names_a_child(name: str) -> None:
    with contextlib.suppress(UserError):
        folder = Path("/some/folder")
        assert folder / check_name(name, "id") != folder
        assert os.path.normpath(folder / name) == str(folder / name)
        assert (folder / name).parent == folder


@pytest.mark.parametrize(
    "name", ["..", ".", ".hidden", "", " ", "a/b", "/etc/passwd", "a\\b", "a\n", "a\0", "x" * 201, 5, None]
)
def test_a_name_that_is_none_is_refused_in_one_line(name: object) -> None:
    with pytest.raises(UserError, match=r"\Athe id '.*' cannot be the name of a file: .+\Z"):
        check_name(name, "id")


@pytest.mark.parametrize("name", ["2008_000001", "street urb 506", "Bär, groß", "a'b\"c", "(1)", "~alice", "x" * 200])
def test_an_odd_name_is_a_name(name: str) -> None:
    assert check_name(name, "id") == name


def test_a_path_of_many_thousand_letters_does_not_fill_the_message() -> None:
    told = files.os_error_text(OSError(errno.ENAMETOOLONG, "File name too long", "/data/" + "x" * 100_000))
    assert told.startswith("/data/xxx")
    assert told.endswith("…: the name is too long for the file system: choose a shorter one")
    assert len(told) < 1200
