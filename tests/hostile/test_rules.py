"""The rules that commands rely on, each by itself: names, printed text, links, JSON, YAML, arrays, overrides, expressions."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from parsenet_cli.config import frozen_table, overrides, table_file
from parsenet_cli.config.expression import parse
from parsenet_cli.core import files, npz, sealed, yaml_text
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.sealed import Damaged
from parsenet_cli.core.text import check_name, printable
from tests.hostile.base import TABLE
from tests.hostile.conftest import SEED
from tests.hostile.corpus.configuration import YAML
from tests.hostile.corpus.json_shapes import NAMES, STEERING, VALUES

pytestmark = pytest.mark.hostile

T = TypeVar("T")

SPECIAL = [
    *"./\\~ \t\n\r\0\x1b\x07\x7f\x9b\u202e\u2028\ud800\udcff[]{}()<>'\"`$&|;*?!#%=,:@+-^_",
    "..",
    "/..",
    "${",
    "[/b]",
    "ü",
    "²",
    "a",
    "Z",
    "0",
    "9",
]
texts = st.one_of(
    st.text(),
    st.lists(st.sampled_from(SPECIAL), max_size=40).map("".join),
    st.sampled_from([*NAMES.values(), STEERING]),
)
"""Any text, and texts of what means something to somebody."""


def answered(function: Callable[..., T], *given_: Any) -> tuple[T | None, str]:
    """What a function gives back, or None and what it says."""
    try:
        return function(*given_), ""
    except UserError as problem:
        return None, str(problem)


def rule(examples: int, **given_: Any) -> Callable[[Callable[..., None]], Any]:
    """A property with so many examples, the same ones for the same seed."""

    def decorated(check: Callable[..., None]) -> Any:
        checks = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much]
        chosen = settings(max_examples=examples, deadline=None, database=None, suppress_health_check=checks)
        return seed(SEED)(chosen(given(**given_)(check)))

    return decorated


@rule(500, text=texts)
def test_a_name_names_a_child_or_is_refused(text: str, examples: Counter[str]) -> None:
    examples["examples"] += 1
    name, refusal = answered(check_name, text, "table")
    if name is None:
        assert 0 < len(refusal) < 1000
        assert printable(refusal) == refusal
        assert "\n" not in refusal
        return
    child = os.path.normpath(os.path.join("/folder", name))  # noqa: PTH118
    assert os.path.split(child) == ("/folder", name)
    assert "\0" not in name
    assert len(os.fsencode(name)) <= files.LONGEST_NAME


@rule(
    500,
    value=st.one_of(
        st.none(), st.integers(), st.lists(st.integers()), st.booleans(), st.dictionaries(texts, st.none())
    ),
)
def test_what_is_no_text_is_no_name(value: object, examples: Counter[str]) -> None:
    examples["examples"] += 1
    with pytest.raises(UserError):
        check_name(value, "table")


STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@rule(500, text=texts)
def test_printed_text_steers_no_terminal_and_can_be_encoded(text: str, examples: Counter[str]) -> None:
    examples["examples"] += 1
    shown = printable(text)
    assert not STEERS.search(shown)
    assert printable(shown) == shown
    shown.encode()
    assert shown == text or not text.isprintable()


# --- files under links -----------------------------------------------------------------------------------------------------

NAME = st.sampled_from(["a", "b", "c"])
PATH = st.lists(NAME, min_size=1, max_size=4).map("/".join)
TARGETS = st.sampled_from(
    ["outside", "outside/file", "outside/new", "inside", "a", "b/c", "..", ".", "/nowhere", "nowhere"]
)
ENTRIES = st.lists(st.tuples(PATH, st.sampled_from(["folder", "file", "link", "hard", "fifo"]), TARGETS), max_size=8)


def planted(root: Path, entries: list[tuple[str, str, str]]) -> Path:
    """A guarded folder with these entries, beside a folder of somebody's; returns it."""
    shutil.rmtree(root, ignore_errors=True)
    outside, inside = root / "outside", root / "inside"
    outside.mkdir(parents=True)
    inside.mkdir()
    (outside / "file").write_text("precious")
    for path, kind, target in entries:
        entry = inside / path
        with contextlib.suppress(OSError):
            if os.path.lexists(entry) or os.path.realpath(entry.parent) != str(entry.parent):
                continue  # it is there, or behind a link
            entry.parent.mkdir(parents=True, exist_ok=True)
            match kind:
                case "folder":
                    entry.mkdir()
                case "file":
                    entry.write_text("of the folder")
                case "hard":
                    os.link(outside / "file", entry)
                case "fifo":
                    os.mkfifo(entry)
                case "link":
                    entry.symlink_to(root / target if target.startswith(("outside", "inside")) else target)
    files.guard(inside)
    return inside


def _append(path: Path) -> None:
    with os.fdopen(files.append_to(path), "a") as file:
        file.write("more")


def _write_then_fail(path: Path) -> None:
    with contextlib.suppress(ZeroDivisionError), files.atomic_write(path) as file:
        file.write(b"half")
        raise ZeroDivisionError


WRITES: dict[str, Callable[[Path], object]] = {
    "write": lambda path: files.write_text(path, "written"),
    "half": _write_then_fail,
    "append": _append,
    "remove": files.remove,
    "folder": files.make_folder,
    "json": lambda path: sealed.write_with_checksum(path, {"a": 1}),
    "read": lambda path: files.read_bytes(path),
    "read-json": lambda path: sealed.read_verified(path),
    "quarantine": lambda path: sealed.quarantine(path),
    "seal": lambda path: sealed.write_checksum_beside(path),
    "tag": files.tag_cache,
}


@rule(400, entries=ENTRIES, path=PATH, operation=st.sampled_from(sorted(WRITES)))
def test_no_operation_leaves_a_guarded_folder(
    entries: list[tuple[str, str, str]], path: str, operation: str, tmp_path: Path, examples: Counter[str]
) -> None:
    examples["examples"] += 1
    inside = planted(tmp_path / "root", entries)
    outside = inside.parent / "outside"
    with contextlib.suppress(OSError, UserError):
        WRITES[operation](inside / path)
    assert {entry.name for entry in outside.iterdir()} == {"file"}, operation
    assert (outside / "file").read_text() == "precious", operation
    assert {entry.name for entry in inside.parent.iterdir()} == {"inside", "outside"}
    assert not list(inside.rglob("*.tmp")), "something half-written is left"


@rule(150, entries=ENTRIES, path=PATH)
def test_a_link_is_never_read_through(
    entries: list[tuple[str, str, str]], path: str, tmp_path: Path, examples: Counter[str]
) -> None:
    examples["examples"] += 1
    inside = planted(tmp_path / "root", [entry for entry in entries if entry[1] != "hard"])
    with contextlib.suppress(OSError):
        assert files.read_bytes(inside / path) != b"precious"


# --- what is parsed --------------------------------------------------------------------------------------------------------

LEAF = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=20)
)
VALUE = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
OBJECT = st.dictionaries(st.text(max_size=8), VALUE, max_size=6)
NESTED = st.builds(
    lambda opening, times, middle, closing: opening * times + middle + closing * times,
    st.sampled_from(["[", '{"a":', "[[", "(", "- ", "? ", "a: ", "&a [", "!!a ", "{"]),
    st.sampled_from([1, 10, 50, 500, 5000, 100_000]),
    st.sampled_from(["", "1", "a", "*a"]),
    st.sampled_from(["]", "}", "", ")"]),
)


@rule(400, text=st.one_of(NESTED, texts, st.binary(max_size=200), st.integers(0, 20_000).map(lambda n: "9" * n)))
def test_json_is_a_value_or_a_value_error(text: str | bytes, examples: Counter[str]) -> None:
    examples["examples"] += 1
    try:
        value = sealed.parse_json(text)
    except ValueError:
        return
    json.dumps(value)


@rule(400, content=OBJECT, at=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_sealed_object_is_read_as_it_was_or_refused(
    content: dict[str, Any], at: int, byte: int, examples: Counter[str]
) -> None:
    examples["examples"] += 1
    content.pop(sealed.CHECKSUM_KEY, None)
    text = bytearray(json.dumps(sealed.with_checksum(content)).encode())
    assert sealed.strip_checksum(bytes(text), unsealed_too=False) == content
    text[at % len(text)] = byte
    try:
        read = sealed.strip_checksum(bytes(text), unsealed_too=False)
    except ValueError:
        return
    assert read == content


FRAGMENTS = [
    *"{}[]:-\"'&*!=.~#\n ?|>@`%,",
    "&a ",
    "*a ",
    "<<: *a\n",
    "!!python/name:os.system ",
    "!x ",
    "- ",
    "a: ",
    "? ",
    "---\n",
    "\t",
    "é",
    "null",
    "1e9999",
]


@rule(
    500,
    text=st.one_of(
        NESTED,
        st.lists(st.sampled_from(FRAGMENTS), max_size=60).map("".join),
        st.sampled_from(sorted(t for t in YAML.values() if isinstance(t, str))),
    ),
)
def test_yaml_is_a_value_or_a_yaml_error(text: str, examples: Counter[str]) -> None:
    examples["examples"] += 1
    for read in (yaml_text.load, yaml_text.compose):
        with contextlib.suppress(yaml.YAMLError):
            read(text)
    try:
        yaml_text.checked(text)
    except yaml.YAMLError as problem:
        line, words = yaml_text.where(problem)
        assert line is None or line > 0
        assert "\n" not in words


@rule(
    400,
    content=st.one_of(
        st.binary(max_size=300),
        texts.map(lambda text: text.encode("utf-16", "surrogatepass")),
        texts.map(lambda text: text.encode("utf-8", "surrogatepass")),
    ),
)
def test_text_is_utf_8_or_refused(content: bytes, tmp_path: Path, examples: Counter[str]) -> None:
    examples["examples"] += 1
    file = tmp_path / "text"
    file.write_bytes(content)
    text, refusal = answered(files.read_text, file)
    if text is None:
        assert refusal.startswith(str(file))
        return
    assert "\0" not in text
    assert text.encode() == content.removeprefix(b"\xef\xbb\xbf")


KINDS = st.sampled_from(["u1", "<i4", ">i4", "<f4", "<f8", "?", "<U5", "S3", "<c8", "<M8[s]", "V4"])
ARRAYS = st.dictionaries(
    st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=6),
    st.builds(
        lambda kind, shape: np.ones(shape, kind) if kind[0] != "V" else np.zeros(shape, kind),
        KINDS,
        st.lists(st.integers(0, 4), max_size=4),
    ),
    min_size=1,
    max_size=4,
)


@rule(300, arrays=ARRAYS, at=st.integers(0, 100_000), bytes_=st.binary(max_size=6))
def test_arrays_are_what_was_written_or_damaged(
    arrays: npz.Arrays, at: int, bytes_: bytes, tmp_path: Path, examples: Counter[str]
) -> None:
    examples["examples"] += 1
    file = npz.write(tmp_path / "arrays.npz", arrays)
    read = npz.read(file)
    assert set(read) == set(arrays)
    assert all(np.array_equal(read[name], arrays[name]) for name in arrays)
    content = bytearray(file.read_bytes())
    content[at % len(content) : at % len(content) + len(bytes_)] = bytes_
    file.write_bytes(content)
    with contextlib.suppress(Damaged):
        assert all(isinstance(array, np.ndarray) for array in npz.read(file).values())
    file.write_bytes(content[: at % len(content)])
    with contextlib.suppress(Damaged):
        npz.read(file)


# --- what is typed and what tables say -------------------------------------------------------------------------------------

KEY = st.one_of(
    st.sampled_from(["norm", "seed", "data_root", "layers", "recipe.lr", "launcher.setup", "nosuch", ""]), texts
)


@rule(500, key=KEY, value=st.one_of(texts, NESTED.filter(lambda text: len(text) < 2000)))
def test_an_override_is_parsed_or_refused(key: str, value: str, examples: Counter[str]) -> None:
    examples["examples"] += 1
    text = f"{key}={value}"
    with contextlib.suppress(UserError):
        overrides.value_of(text)
    with contextlib.suppress(UserError):
        overrides.values_of(text)
        overrides.split_launcher([text])
        overrides.last_wins([text, text])


@pytest.fixture(scope="module")
def own_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ablations") / "mine.yaml"


@rule(
    400,
    at=st.integers(0, len(TABLE)),
    cut=st.sampled_from([0, 1, 3, 30]),
    text=st.one_of(texts, NESTED, st.sampled_from(FRAGMENTS)),
)
def test_an_edited_table_is_read_or_refused(
    at: int, cut: int, text: str, own_table: Path, examples: Counter[str]
) -> None:
    examples["examples"] += 1
    own_table.write_text(TABLE[:at] + text + TABLE[at + cut :], encoding="utf-8", errors="surrogatepass")
    spec, refusal = answered(table_file.read, own_table)
    if spec is None:
        assert refusal.startswith(str(own_table))
        return
    assert frozen_table.from_json(frozen_table.to_json(spec)) == spec


@rule(
    300,
    path=st.sampled_from(
        [
            ("title",),
            ("rows",),
            ("columns",),
            ("labels",),
            ("claims",),
            ("base",),
            ("rows", 0, "paper"),
            ("rows", 0, "labels"),
            ("columns", 0, "metric"),
            ("claims", 0, "holds_if"),
        ]
    ),
    value=st.one_of(st.sampled_from([*VALUES.values()]), VALUE),
)
def test_a_table_of_a_study_is_read_or_refused(
    path: tuple[Any, ...], value: Any, own_table: Path, examples: Counter[str]
) -> None:
    examples["examples"] += 1
    own_table.write_text(TABLE)
    content = json.loads(json.dumps(frozen_table.to_json(table_file.read(own_table))))
    inner = content
    try:
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
    except (KeyError, IndexError, TypeError):
        return
    with contextlib.suppress(UserError):  # which a study's reader turns into a sentence
        frozen_table.from_json(content)


@rule(
    500,
    text=st.one_of(
        texts,
        st.lists(
            st.sampled_from(
                [
                    "a.b",
                    "(",
                    ")",
                    "abs(",
                    "+",
                    "-",
                    "*",
                    "/",
                    "<",
                    ">",
                    " and ",
                    " or ",
                    "1",
                    "1e999",
                    "margin",
                    ".collapsed",
                    "**",
                    "not ",
                ]
            ),
            max_size=300,
        ).map("".join),
    ),
)
def test_an_expression_is_parsed_or_refused(text: str, examples: Counter[str]) -> None:
    examples["examples"] += 1
    with contextlib.suppress(ValueError):
        parse(text)
