"""A user's ./conf and ./ablations, below folders of any name: read as they are, or answered with the file that is wrong."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from parsenet_cli.config import compose, profile, table_file
from parsenet_cli.config.compose import Composer
from parsenet_cli.core import paths
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.run_config import Science
from parsenet_cli.core.sealed import write_with_checksum
from parsenet_cli.runner import launch

Write = Callable[[str, str | bytes], Path]

MINE = "defaults: [quick_parsenet, _self_]\nlr: 0.125\n"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a file of the current folder, which is the test's own."""
    monkeypatch.chdir(tmp_path)

    def written(name: str, content: str | bytes) -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    return written


def science(*overrides: str) -> Science:
    return Composer(profile.load("quick"), overrides, Path("results/cache")).science()


def refused(*overrides: str) -> str:
    with pytest.raises(UserError) as raised:
        science(*overrides)
    return str(raised.value)


ODD = ("My Papers (2024), it's", "új=1#2;3&4", '{a: "b"}[c]$(d)', "~100%\\")


@pytest.mark.parametrize("name", ODD)
def test_own_files_are_found_below_a_folder_of_any_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / name
    (folder / "conf/recipe").mkdir(parents=True)
    (folder / "conf/recipe/mine.yaml").write_text(MINE)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert science("recipe=mine").recipe.lr == 0.125


@pytest.mark.parametrize("name", ODD)
def test_shipped_files_are_found_below_a_folder_of_any_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = tmp_path / name
    clone.mkdir()
    (clone / "conf").symlink_to(paths.shipped("conf"))
    monkeypatch.setattr(paths, "shipped", clone.joinpath)
    monkeypatch.chdir(tmp_path)
    assert science("recipe=quick_fcn").recipe.momentum == 0.99


def test_paths_are_taken_as_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    composed = compose.hydra_compose(["trunk=vgg_tiny", "data=synthetic_voc"])
    monkeypatch.setattr(compose, "hydra_compose", lambda _: composed)
    for name in ODD:
        for given, meant in ((str(tmp_path / name), name), (f"./{name}", name), (f"~/{name}/a,b", f"home/{name}/a,b")):
            config = Composer(
                profile.load("quick"), ["weights=none", "recipe.frozen=[]", f"data_root={given}"], tmp_path
            ).run_config()
            assert config.runtime.data_root == os.path.realpath(tmp_path / meant)
        with pytest.raises(UserError, match=re.escape(f"there is no file {tmp_path.resolve() / name}.pth")):
            Composer(profile.load("quick"), [f"weights=./{name}.pth"], tmp_path).run_config()


@pytest.mark.parametrize(
    ("given", "kept"), [("null", None), ("[a]", "[a]"), ("{a: b}", "{a: b}"), ("${oc.env:HOME}", "${oc.env:HOME}")]
)
def test_path_that_looks_like_yaml_is_a_path(
    given: str, kept: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = Composer(
        profile.load("quick"), ["weights=none", "recipe.frozen=[]", f"data_root={given}"], tmp_path
    ).run_config()
    assert config.runtime.data_root == (kept and str(tmp_path.resolve() / kept))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("data_root=~nosuchuser/x", "no home folder"),
        ("data_root=/a\udcff", "UTF-8"),
        ("weights=~nosuchuser/x", "no home"),
    ],
)
def test_path_that_is_none_is_refused(given: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        Composer(profile.load("quick"), ["weights=none", "recipe.frozen=[]", given], tmp_path).run_config()


BROKEN: dict[str, tuple[str | bytes, str]] = {
    "latin1": ("# é\nlr: 1\n".encode("latin-1"), "not a text in UTF-8"),
    "tab": ("lr:\n\t1\n", ":2: not valid YAML"),
    "tag": ("lr: !!python/object/apply:os.getcwd []\n", ":1: lr: expected a plain value"),
    "list": ("- lr\n", "expected a mapping"),
    "empty": ("", "the file is empty"),
    "twice": ("lr: 1\nlr: 2\n", "second time"),
    "deep": ("[" * 100_000, "more than 40 levels"),
    "bomb": (
        "a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n" + "c: [" + "*b," * 900 + "]\n",
        "values",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_file_is_named_where_it_is_needed_and_stops_nothing_else(kind: str, write: Write) -> None:
    content, message = BROKEN[kind]
    file = write("conf/recipe/mine.yaml", content)
    write("conf/launcher/theirs.yaml", content)
    assert science().recipe.policy == "poly"
    assert message in refused("recipe=mine")
    assert refused("recipe=mine").startswith(str(file))
    write("conf/recipe/other.yaml", "defaults: [mine, _self_]\n")
    assert message in refused("recipe=other")
    composer = Composer(profile.load("quick"), [], Path("cache"))
    assert composer.launcher([]).options["name"] == "local"
    with pytest.raises(UserError, match=r"theirs\.yaml"):
        composer.launcher(["launcher=theirs"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("defaults: [nosuch, _self_]\n", "mine.yaml: names 'recipe/nosuch', and there is no nosuch.yaml"),
        ("lr: 1\n", "mine.yaml: there is no 'recipe.policy'; add it"),
        (f"{MINE}foo: 1\n", "mine.yaml: unknown key 'recipe.foo'"),
        (f"{MINE}momentum: -1\n", "mine.yaml: recipe.momentum=-1: expected a number from 0 to below 1"),
        (f"{MINE}momentum: ${{oc.env:NO_SUCH_VARIABLE}}\n", "mine.yaml"),
        ("defaults: 5\n", "mine.yaml"),
        ("defaults: [[[a]]]\n", "mine.yaml"),
        ("defaults: [{a: {b: c}}]\n", "mine.yaml"),
        ("# @package _global_\nrecipe: 5\n", "mine.yaml"),
        ("# @package _global_\nnorm: none\n", "mine.yaml"),
        ("hydra: {run: {dir: /tmp}}\n", "mine.yaml"),
        ("1: 2\n? a\n: 3\n", "mine.yaml"),
        ("{}\n", "mine.yaml: there is no 'recipe.policy'"),
    ],
)
def test_recipe_that_is_none_is_answered_with_its_file_and_key(content: str, message: str, write: Write) -> None:
    write("conf/recipe/mine.yaml", content)
    said = refused("recipe=mine")
    assert message in said
    assert "\n" not in said
    assert len(said) < 1000


def test_what_editors_and_other_systems_leave_is_passed_over(write: Write, tmp_path: Path) -> None:
    for folder in ("conf/recipe", "conf/launcher", "conf/profile", "ablations"):
        write(f"{folder}/._mine.yaml", b"\0\5\26\7")
        (tmp_path / folder / ".#mine.yaml").symlink_to("nobody@nowhere.123")
        (tmp_path / folder / "x.yaml").mkdir()
    assert science().recipe.policy == "poly"
    assert "table4" in table_file.names()
    assert not {"._mine", ".#mine", "x"} & {*table_file.names(), *profile.names(), *paths.yaml_files("conf/recipe")}


@pytest.mark.parametrize("folder", ["conf/recipe", "conf/profile", "ablations"])
def test_pipe_is_answered_not_waited_for(folder: str, write: Write, tmp_path: Path) -> None:
    write(f"{folder}/_part.yaml", "{}")
    os.mkfifo(tmp_path / folder / "own.yaml")
    read: dict[str, Callable[[], object]] = {
        "conf/recipe": lambda: science("recipe=own"),
        "conf/profile": lambda: profile.load("own"),
        "ablations": lambda: table_file.load("own"),
    }
    with pytest.raises(UserError, match=r"own\.yaml: cannot be read"):
        read[folder]()


def test_folder_that_is_gone_has_no_files_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert paths.search("conf") == [paths.shipped("conf")]
    assert "table4" in table_file.names()


def test_launcher_options_are_never_written_to_the_results(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_MINE", "hunter2")
    text = (paths.shipped("conf") / "launcher/slurm.yaml").read_text()
    write("conf/launcher/mine.yaml", text.replace("account: null", "account: ${oc.env:SECRET_OF_MINE}"))
    composer = Composer(profile.load("quick"), ["weights=none", "recipe.frozen=[]"], Path("results/cache"))
    composer.run_config()
    assert composer.launcher(["launcher=mine"]).options["account"] == "hunter2"
    composer.save()
    assert Path("results/cache/composed.json").is_file()
    assert "hunter2" not in Path("results/cache/composed.json").read_text()


def test_launcher_options_are_never_read_from_the_results(write: Write) -> None:
    def composer() -> Composer:
        return Composer(profile.load("quick"), ["weights=none", "recipe.frozen=[]"], Path("results/cache"))

    first = composer()
    first.run_config()
    first.launcher(["launcher=slurm"])
    first.save()
    file = Path("results/cache/composed.json")
    content = json.loads(file.read_text())
    del content["crc32"]
    evil = {"name": "slurm", "setup": ["touch pwned"]}
    write_with_checksum(file, {key: {**value, "launcher": evil} for key, value in content.items()})
    second = composer()
    assert second.run_config() == first.run_config()
    assert second.launcher(["launcher=slurm"]).options["setup"] == []
    assert second.launcher(["launcher=slurm", "launcher.minutes=7"]).options["setup"] == []


@pytest.mark.parametrize(
    "value", [[], "a", 5, None, {}, {"data": []}, {"recipe": []}, {"data_root": "/etc", "weights": 5}]
)
def test_remembered_composition_of_any_shape_is_data(value: object, write: Write) -> None:
    first = Composer(profile.load("quick"), ["weights=none", "recipe.frozen=[]"], Path("results/cache"))
    first.run_config()
    first.save()
    file = Path("results/cache/composed.json")
    (key,) = json.loads(file.read_text()).keys() - {"crc32"}
    write_with_checksum(file, {key: value})
    try:
        again = Composer(
            profile.load("quick"), ["weights=none", "recipe.frozen=[]"], Path("results/cache")
        ).run_config()
    except UserError:
        return
    assert again == first.run_config()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("slots: 1\n", r"mine\.yaml: launcher\.name=null: expected one of inline, local, slurm"),
        ("name: 5\n", r"mine\.yaml: launcher\.name=5: expected one of"),
        ("name: ''\n", r"mine\.yaml: launcher\.name=: expected one of"),
        ("name: slurm.job\n", "expected one of"),
        ("name: ../../evil\n", "expected one of"),
        ("name: [local]\n", "expected one of"),
        ("name: local\n", r"mine\.yaml: the launcher's options: there is no 'slots'; add it"),
        ("name: inline\nslots: 1\nthreads: null\nsetup: [rm]\n", r"mine\.yaml: unknown option of the launcher 'setup'"),
        (
            "name: inline\nslots: 1\nthreads: 4097\n",
            r"mine\.yaml: launcher\.threads=4097: expected a whole number from 1 to",
        ),
        ("- name\n", r"mine\.yaml:1: expected a mapping"),
    ],
)
def test_launcher_file_that_is_none_is_named(content: str, message: str, write: Write) -> None:
    write("conf/launcher/mine.yaml", content)
    composer = Composer(profile.load("quick"), [], Path("cache"))
    with pytest.raises(UserError, match=message):
        launch.open_launcher(composer.launcher(["launcher=mine"]), 1, Path("results"))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["launcher=../recipe/fcn"], "unknown launcher '../recipe/fcn'"),
        (["launcher=null"], "unknown launcher 'null'"),
        (["launcher=[local]"], "unknown launcher"),
        (["launcher.name=nope"], "^launcher.name=nope: expected one of"),
        (["launcher.slots=0"], r"^launcher\.slots=0: expected a whole number from 1 to 4096 or null"),
        (["launcher.threads=100000"], r"^launcher\.threads=100000: expected"),
        (["launcher.silence_seconds=1e999"], r"^launcher\.silence_seconds=inf: expected"),
        (["launcher.slots=true"], r"^launcher\.slots=true: expected a whole number"),
        (["launcher.slots=${oc.env:HOME}"], "plain value"),
        (["launcher=inline", "launcher.slots=2"], r"^launcher\.slots=2: expected 1"),
    ],
)
def test_wrong_launcher_is_answered(overrides: list[str], message: str, tmp_path: Path) -> None:
    composer = Composer(profile.load("quick"), [], tmp_path)
    with pytest.raises(UserError, match=message):
        launch.open_launcher(composer.launcher(overrides), 1, Path("results"))


def test_profile_names_the_line_of_a_wrong_override(write: Write) -> None:
    write("conf/profile/mine.yaml", "about: a\nseeds: 1\ndata: {}\nrecipe: {}\nset:\n - norm=l2\n - n\n")
    with pytest.raises(UserError, match=r"mine\.yaml:7: set\[1\]: 'n': expected key=value"):
        profile.load("mine")
    for seeds in ("0", "²", "1001", "9" * 5000):
        write("conf/profile/mine.yaml", f"about: a\nseeds: {seeds}\ndata: {{}}\nrecipe: {{}}\nset: []\n")
        with pytest.raises(UserError, match=r"mine\.yaml:2: seeds: expected a whole number from 1 to 1000"):
            profile.load("mine")


LIGATURE = """
title: Mine
data: voc12
columns: {raw: {header: raw, metric: mean_iu}}
rows: {ﬁx: {label: a, paper: {raw: "1"}}, café: {label: b}}
claims: {c: {says: s, where: w, holds_if: ﬁx.raw > café.raw}}
"""


def test_keys_are_compared_as_python_compares_names(write: Write) -> None:
    write("ablations/own.yaml", LIGATURE)
    table = table_file.load("own")
    assert [row.key for row in table.rows] == ["fix", "café"]
    for key in ("ﬁx", "fix", "café"):
        assert len(table.cells(rows=[key])) == 1


def test_a_value_that_holds_itself_is_named_shortly(write: Write) -> None:
    write("conf/recipe/mine.yaml", "a: &a [*a]\n")
    with pytest.raises(UserError, match=r"mine\.yaml:1: ") as refused:
        science("recipe=mine")
    assert len(str(refused.value)) < 500
