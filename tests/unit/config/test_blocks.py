"""Blocks: chosen by name, checked by their YAML alone, found after those of the package."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from parsenet_cli.config import profile, skeleton, table_file
from parsenet_cli.config.blocks import block_options, chosen, schema
from parsenet_cli.config.compose import Composer
from parsenet_cli.config.deviations import cell_settings, deviations_of, settings_of
from parsenet_cli.core import blocks, paths
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.run_config import OLDER_OPTIONS, Block, RunConfig, Science
from parsenet_cli.models.blocks import load

Write = Callable[[str, str], Path]

MODULE = "raise AssertionError('a block was imported to be composed')\n"
YAML = "about: mine\ngain: 1.0\nallowed: {gain: {from: 0, to: 10}}\n"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a file of the current folder, which is the test's own."""
    monkeypatch.chdir(tmp_path)

    def written(name: str, content: str) -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        return file

    return written


def composed(*overrides: str) -> RunConfig:
    return Composer(profile.load("quick"), list(overrides), Path("cache")).unidentified()


def science(*overrides: str) -> Science:
    return composed(*overrides).science


def refused(*overrides: str) -> str:
    with pytest.raises(UserError) as raised:
        science(*overrides)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def built_in() -> list[blocks.Block]:
    return [each for group in blocks.GROUPS for each in blocks.every(group) if isinstance(each, blocks.Block)]


@pytest.mark.parametrize("block", built_in(), ids=lambda block: f"{block.group}={block.name}")
def test_every_block_of_the_package_has_a_schema_with_the_arguments_of_its_module(block: blocks.Block) -> None:
    options = schema(block).options
    if block.name != blocks.NONE:
        assert list(inspect.signature(load(block.group, block.name).build).parameters) == ["channels", *options]
    text = block.schema.read_text()
    assert all("  # " in line for line in text.splitlines() if line.partition(":")[0] in options), (
        "options are explained"
    )


def test_block_enters_the_science_by_its_name_and_options() -> None:
    config = composed("gate=se", "gate.ratio=8")
    assert (config.science.gate, config.science.block("gate").options["ratio"]) == ("se", 8)
    assert config.science.blocks["gate"].code == ""
    assert composed("gate=se", "gate.bias=3").signature == composed("gate=se", "gate.bias=3.0").signature
    assert len({composed(*each).signature for each in ((), ("gate=se",), ("gate=se", "gate.ratio=8"))}) == 3
    assert RunConfig.model_validate(config.model_dump(mode="json")) == config


def test_contexts_of_before_are_known_by_their_axes_under_both_names() -> None:
    assert OLDER_OPTIONS.keys() == {"global", "spp"}
    both = [composed("context=spp", f"{key}=[1,2]") for key in ("context.bins", "context_bins")]
    assert both[0] == both[1]
    assert (both[0].science.context_bins, both[0].science.blocks) == ((1, 2), {})
    assert science("context=spp", "context_bins=[1,2]", "context.bins=[1,3]").context_bins == (1, 3)
    assert science("context=spp", "context.geometry=adaptive").spp_geometry == "adaptive"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["gate=see"], "unknown gate 'see'. Did you mean 'se'?"),
        (["gate=se", "gate.raito=8"], "unknown option of gate 'se': 'raito'. Did you mean 'ratio'?"),
        (["gate.ratio=8"], "unknown option 'ratio': gate=none has no options"),
        (["context.bins=[1]"], "unknown option 'bins': context=global has no options"),
        (["gate=se", "gate.ratio=0"], "gate.ratio=0: expected a whole number from 1 to 4096"),
        (["gate=se", "gate.ratio=2.5"], "gate.ratio=2.5: expected a whole number from 1 to 4096"),
        (["gate=se", "gate.ratio=true"], "gate.ratio=true: expected a whole number"),
        (["gate=se", "gate.bias=nan"], "gate.bias=nan: expected a number from -100 to 100"),
        (["gate=se", "gate.squeeze=median"], "gate.squeeze=median: expected mean | max | none"),
        (["gate=se", "gate.squeeze=[mean]"], "gate.squeeze=[mean]: expected mean | max | none"),
        (["gate=se", "gate.ratio=${seed}"], "expected a plain value, found an interpolation"),
        (["gate=../../evil"], "unknown gate"),
        (["gate_layers=[pool6]"], "gate_layers"),
        (["context=spp", "context.bins=[0]"], "context_bins=0: expected a whole number from 1 to 1000"),
    ],
)
def test_wrong_block_is_answered_with_what_is_valid(overrides: list[str], message: str) -> None:
    assert message in refused(*overrides)


def test_block_of_ones_own_is_composed_and_not_imported(write: Write) -> None:
    module = write("parsenet_blocks/gate/mine.py", MODULE)
    write("conf/gate/mine.yaml", YAML)
    first = composed("gate=mine", "gate.gain=2")
    assert first.science.blocks["gate"] == Block(options={"gain": 2.0}, code=blocks.hash_of(MODULE.encode()))
    module.write_text(MODULE + "# edited\n")
    assert composed("gate=mine", "gate.gain=2").signature != first.signature
    assert "mine" in blocks.names("gate")
    assert not [name for name in sys.modules if name.startswith("parsenet_blocks")]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"parsenet_blocks/gate/mine.py": MODULE}, "there is no {}/conf/gate/mine.yaml beside it"),
        ({"conf/gate/mine.yaml": YAML}, "there is no {}/parsenet_blocks/gate/mine.py beside it"),
    ],
)
def test_missing_half_is_named(files: dict[str, str], message: str, write: Write, tmp_path: Path) -> None:
    for name, content in files.items():
        write(name, content)
    assert message.format(tmp_path) in refused("gate=mine")


@pytest.mark.parametrize("file", ["parsenet_blocks/gate/se.py", "conf/gate/se.yaml", "parsenet_blocks/context/spp.py"])
def test_name_of_a_block_of_the_package_is_refused_and_the_list_says_so(file: str, write: Write) -> None:
    place = write(file, YAML)
    group, name = file.split("/")[1], Path(file).stem
    assert refused(f"{group}={name}").startswith(f"{place}: '{name}' is a {group} of parsenet itself")
    assert science().gate == "none"
    listed = list(blocks.every("gate"))
    if file.endswith("se.py"):
        assert next(str(each) for each in listed if isinstance(each, UserError)).startswith(str(place))
    assert "built in" in [each.origin for each in listed if isinstance(each, blocks.Block) and each.name == "se"]


def test_what_is_shipped_is_not_the_users_in_a_clone_that_one_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(paths.shipped("conf").parent)
    assert science("gate=se").gate == "se"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("gain: 1\n", ":1: there is no 'about'"),
        ("about: x\ngain: null\n", ":2: gain: expected a default: true, a number, a text"),
        ("about: x\ngain: []\n", ":2: gain: expected a default"),
        ("about: x\ngain: [1, a]\n", ":2: gain: expected a default"),
        ("about: x\ngain: {a: 1}\n", ":2: gain: expected a default"),
        ("about: x\nGain: 1\n", ":2: Gain: an option is called by small letters"),
        ("about: x\nlambda: 1\n", ":2: lambda: an option is called"),
        ("about: x\ngain: 1\nallowed: {gian: [1]}\n", ":3: allowed.gian: unknown option 'gian'"),
        ("about: x\ngain: 1\nallowed: {gain: 5}\n", ":3: allowed.gain: expected a list of values"),
        ("about: x\ngain: 1\nallowed: {gain: {from: a}}\n", ":3: allowed.gain: expected numbers"),
        ("about: x\ngain: a\nallowed: {gain: {from: 1}}\n", ":3: allowed.gain: expected a list of values"),
        (
            "about: x\ngain: 1\nallowed: {gain: {from: 2}}\n",
            ":2: gain: the default is 1: expected a whole number from 2",
        ),
        ("about: x\ngain: b\nallowed: {gain: [c, d]}\n", ":2: gain: the default is b: expected c | d"),
        ("about: x\ngain: !!python/object/apply:os.getcwd []\n", "expected a plain value"),
        ("- gain\n", "expected a mapping"),
        ("", "the file is empty"),
    ],
)
def test_yaml_that_is_no_schema_is_answered_with_file_and_line(content: str, message: str, write: Write) -> None:
    write("parsenet_blocks/gate/mine.py", MODULE)
    file = write("conf/gate/mine.yaml", content)
    said = refused("gate=mine")
    assert said.startswith(str(file))
    assert message in said
    assert science("gate=se").gate == "se"


def test_installed_package_offers_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "others").mkdir()
    (tmp_path / "others/__init__.py").write_text(MODULE)
    (tmp_path / "others/theirs.py").write_text("def build(channels, gain):\n    ...\n")
    (tmp_path / "others/theirs.yaml").write_text(YAML)
    (tmp_path / "others-1.2.dist-info").mkdir()
    (tmp_path / "others-1.2.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: others\nVersion: 1.2\n")
    entries = "[parsenet.gate]\ntheirs = others.theirs\nlost = others.lost\nse = others.theirs\n"
    (tmp_path / "others-1.2.dist-info/entry_points.txt").write_text(entries)
    monkeypatch.syspath_prepend(tmp_path)
    blocks._offered.cache_clear()
    found = blocks.find("gate", "theirs")
    assert (found.origin, found.import_name, found.built_in) == ("others 1.2", "others.theirs", False)
    assert science("gate=theirs").blocks["gate"].options == {"gain": 1.0}
    assert "others" not in sys.modules, "its package is not imported to be found"
    assert blocks.find("gate", "se").built_in
    assert "others 1.2 offers it as others.lost, and there is no such file" in refused("gate=lost")
    blocks._offered.cache_clear()


def test_table_with_an_unknown_block_is_answered_with_its_line(write: Write) -> None:
    text = "title: t\ndata: voc12\ncolumns: {iu: {header: IU, metric: mean_iu}}\nrows:\n  a: {label: [a], set: [gate=%s]}\n"
    write("ablations/own.yaml", text % "se")
    assert table_file.load("own").rows[0].overrides == ("gate=se",)
    write("ablations/wrong.yaml", text % "see")
    with pytest.raises(UserError, match=r"wrong\.yaml:5: .*unknown gate 'see'"):
        table_file.load("wrong")


def test_options_deviate_from_what_a_cell_sets_and_from_their_defaults() -> None:
    def deviating(*overrides: str, cell: tuple[str, ...]) -> list[str]:
        found = deviations_of(settings_of(science(*cell, *overrides)), cell_settings(cell))
        return [each.key for each in found if each.key.partition(".")[0] in ("gate", "context", "context_bins")]

    assert deviating(cell=("gate=se", "gate.ratio=8")) == []
    assert deviating("gate.ratio=4", cell=("gate=se", "gate.ratio=8")) == ["gate.ratio"]
    assert deviating("gate.ratio=4", cell=("gate=se",)) == ["gate.ratio"]
    assert deviating("gate=none", cell=("gate=se",)) == ["gate"]
    assert deviating(cell=("context=spp", "context.bins=[1,3]")) == []
    assert deviating("context.bins=[1,2]", cell=("context=spp", "context_bins=[1,3]")) == ["context_bins"]


def test_completion_knows_the_options_and_their_values(write: Write) -> None:
    write("parsenet_blocks/gate/mine.py", MODULE)
    write("conf/gate/mine.yaml", "about: x\nloud: true\nsqueeze: median\nallowed: {squeeze: [median, mean]}\n")
    options = block_options()
    assert options["gate.loud"] == ["true", "false"]
    assert options["gate.squeeze"] == ["mean", "max", "none", "median"]
    assert options["context.bins"] == []


@pytest.mark.parametrize("group", blocks.GROUPS)
def test_new_block_composes_and_replaces_nothing(group: blocks.Group, write: Write, tmp_path: Path) -> None:
    files = skeleton.write(group, "mine")
    assert all((tmp_path / file).is_file() for file in files)
    assert chosen(group, [f"{group}=mine"]).code
    write(f"tests/test_{group}_other.py", "mine")
    for name, message in (
        ("mine", "already"),
        ("se" if group == "gate" else "spp", "already"),
        ("other", "nothing is"),
    ):
        with pytest.raises(UserError, match=message):
            skeleton.write(group, name)
    assert not (tmp_path / f"parsenet_blocks/{group}/other.py").exists(), "nothing half-written"


@pytest.mark.parametrize(("group", "name"), [("gats", "a"), ("gate", "A b"), ("gate", "../a"), ("gate", "class")])
def test_new_block_of_no_group_or_name_is_refused(group: str, name: str, write: Write, tmp_path: Path) -> None:
    with pytest.raises(UserError):
        skeleton.write(group, name)
    assert not list(tmp_path.iterdir())
