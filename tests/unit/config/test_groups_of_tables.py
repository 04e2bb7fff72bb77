"""Tables in groups: the paper's, those beyond it, the user's own; what each has to be, and what those beyond it cost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from parsenet_cli.cli import app
from parsenet_cli.config import frozen_table, profile, table_file
from parsenet_cli.config.compose import Composer
from parsenet_cli.config.table import TableSpec
from parsenet_cli.core import paths
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import write_text
from parsenet_cli.models.support import lacks_arithmetic, unsupported
from parsenet_cli.store import choice
from parsenet_cli.store.run import Store

BEYOND = (
    *("arithmetic", "capacity", "fine_fc7", "gradient", "head_rate", "late_layers", "norm_scales", "pad", "released"),
    *("sharing", "spp_field"),
)

MOST_RUNS = 60
"""Of all tables beyond the paper's, a seed."""

Own = Callable[[str, str], Path]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Own:
    """Copies a shipped table into ./ablations, under a name and with a title of its own."""

    def copy(name: str, title: str = "Mine", source: str = "table5") -> Path:
        file = tmp_path / "ablations" / f"{name}.yaml"
        text = (paths.shipped("ablations") / f"{source}.yaml").read_text()
        write_text(file, text.replace("title: Global context", f"title: {title}"))
        return file

    monkeypatch.chdir(tmp_path)
    return copy


def test_a_word_names_the_tables_of_its_group_in_reading_order(own: Own) -> None:
    for name in ("study10", "study9"):
        own(name, name)
    paper = [*["spp"], *(f"table{number}" for number in range(1, 9)), "voc_low"]
    assert table_file.names("all") == paper
    assert table_file.names("beyond") == list(BEYOND)
    assert table_file.names("mine") == ["study9", "study10"]
    assert table_file.names() == [*paper, *BEYOND, "study9", "study10"]
    assert table_file.named(["table4", "mine", "all"]) == [
        "table4",
        "study9",
        "study10",
        *(n for n in paper if n != "table4"),
    ]
    assert table_file.load("study9").title.startswith("study9")


def test_a_group_without_tables_is_said_to_be_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"'mine' means your tables in \./ablations, and there is none"):
        table_file.named(["mine"])


@pytest.mark.parametrize("command", ["list", "plan table4", "ablate all", "verify", "table table4"])
@pytest.mark.parametrize("name", ["table5", "pad"])
def test_two_tables_of_one_name_stop_the_commands_that_read_tables(
    command: str, name: str, own: Own, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = own(name, "Mine")
    ours = paths.shipped("ablations") / ("beyond" if name == "pad" else "") / f"{name}.yaml"
    monkeypatch.setattr("sys.argv", ["parsenet", *command.split()])
    assert app.main() == 2
    said = capsys.readouterr().err.strip()
    assert said.endswith(f"{file}:1: expected a name of its own; {ours} is called so too: rename one of the two")


def test_a_copy_that_nothing_was_changed_in_is_the_table_itself(own: Own) -> None:
    own("table5", "Global context")
    assert "table5" in table_file.names("all")
    assert table_file.names("mine") == []


@pytest.mark.parametrize("word", table_file.GROUPS)
def test_no_table_is_called_like_a_group(word: str, own: Own) -> None:
    file = own(word, "Mine")
    with pytest.raises(UserError) as refused:
        table_file.names()
    assert str(refused.value).startswith(f"{file}:1: '{word}' means ")
    assert "rename the file" in str(refused.value)


def test_a_table_beyond_the_papers_says_which_sentence_asks_for_it(tmp_path: Path) -> None:
    source = (paths.shipped("ablations") / "table5.yaml").read_text()
    for folder in ("beyond", "elsewhere"):
        write_text(tmp_path / folder / "study.yaml", source)
    with pytest.raises(UserError, match=r"beyond/study\.yaml:2: the table has no 'remark'; add it"):
        table_file.read(tmp_path / "beyond" / "study.yaml")
    assert table_file.read(tmp_path / "elsewhere" / "study.yaml").remark == ""
    write_text(tmp_path / "elsewhere" / "study.yaml", f'remark: "x" (§4)\n{source}'.replace('"x" (§4)', "'\"x\" (§4)'"))
    assert table_file.read(tmp_path / "elsewhere" / "study.yaml").remark == '"x" (§4)'


@pytest.mark.parametrize("name", BEYOND)
def test_tables_beyond_the_papers_quote_it_print_nothing_and_claim_what_may_be_false(name: str) -> None:
    spec = table_file.load(name)
    assert spec.remark.startswith('"')
    assert "(§" in spec.remark.rpartition('"')[2]
    assert not spec.is_printed or name == "released", "which sets the numbers of Table 6 beside its own"
    assert not {claim.kind for claim in spec.claims} - {"stated", "conjecture"}
    for claim in spec.claims:
        if claim.kind == "stated":
            assert name in ("norm_scales", "pad", "capacity", "released"), claim.key
    assert max(len(" ".join(row.labels)) for row in spec.rows) <= 40, "it is read on 80 columns"


@pytest.fixture(scope="module")
def composers(cache: Path) -> dict[str, Composer]:
    return {name: Composer(profile.load(name), [], cache) for name in ("quick", "paper", "photos")}


def runs(spec: TableSpec, composer: Composer) -> dict[str, str]:
    """What is run, by the cell that shows it; a cell that a trunk has no body for is left out."""
    configs = {str(cell.key): composer.unidentified(cell.overrides) for cell in spec.cells()}
    return {
        key: config.science.model_dump_json()
        for key, config in configs.items()
        if not unsupported(config.science) and not lacks_arithmetic(config.science.precision, config.runtime.device)
    }


def test_all_tables_beyond_the_papers_are_sixty_runs_a_seed(composers: dict[str, Composer]) -> None:
    distinct = {run for table in BEYOND for run in runs(table_file.load(table), composers["quick"]).values()}
    composers["quick"].save()
    assert len(distinct) <= MOST_RUNS


def test_bodies_that_squeezenet_lacks_are_left_out_under_photos(composers: dict[str, Composer]) -> None:
    assert set(runs(table_file.load("pad"), composers["photos"])) == {"none.fixed", "none.poly"}
    field = runs(table_file.load("spp_field"), composers["photos"])
    assert set(field) == {f"{row}.middle" for row in ("pool6", "pyramid", "psp")}


@pytest.mark.parametrize(
    ("cell", "same"),
    [
        ("norm_scales.one_fixed.pool6_fc7", "table7.unit.concat"),
        ("norm_scales.ten.fc7", "table6.fc7_y.mean_iu"),
        ("norm_scales.none.pool6_fc7", "table6.pool6_fc7_n_e.mean_iu"),
        ("head_rate.unit.one", "table7.unit.concat"),
        ("head_rate.none_late.one", "table6.pool6_fc7_n_l.mean_iu"),
        ("head_rate.ten_early.one", "table6.pool6_fc7_y_e.mean_iu"),
        ("pad.pad.fixed", "table1.baseline_c.mean_iu"),
        ("pad.none.poly", "table1.baseline_d.mean_iu"),
        ("fine_fc7.pool6_fc7.fine", "table6.pool6_fc7_y_e.mean_iu"),
        ("sharing.channels.late", "table6.pool6_fc7_y_l.mean_iu"),
        ("sharing.authors.early", "gradient.early.authors"),
        ("capacity.ten.mean_iu", "table7.ten.concat"),
        ("spp_field.pool6.small", "table5.pool6_fc7.norm"),
        ("spp_field.pyramid.middle", "spp.pyramid.early"),
        ("gradient.late.exact", "table6.pool6_fc7_y_l.mean_iu"),
        ("gradient.all_layers.exact", "table4.conv3.norm"),
    ],
)
@pytest.mark.parametrize("under", ["quick", "paper"])
def test_cells_are_the_runs_of_the_papers_tables_that_their_notes_name(
    cell: str, same: str, under: str, composers: dict[str, Composer]
) -> None:
    found = []
    for text in (cell, same):
        table, row, column = text.split(".")
        found.append(runs(table_file.load(table), composers[under])[f"{row}.{column}"])
    assert found[0] == found[1]


def test_arithmetic_has_a_row_of_table_6_in_all_that_the_device_can_do(composers: dict[str, Composer]) -> None:
    spec, table6 = table_file.load("arithmetic"), table_file.load("table6")
    for under, own, columns in (
        ("quick", "float32", {"float32", "bfloat16"}),  # on the CPU
        ("photos", "float32", {"float32", "tf32", "bfloat16"}),
        ("paper", "bfloat16", {"float32", "tf32", "bfloat16"}),
    ):
        found = runs(spec, composers[under])
        assert set(found) == {f"pool6_fc7_y_e.{column}" for column in columns}
        assert len(set(found.values())) == len(columns)
        assert found[f"pool6_fc7_y_e.{own}"] == runs(table6, composers[under])["pool6_fc7_y_e.mean_iu"]


@pytest.mark.parametrize(("under", "row"), [("quick", "narrow"), ("photos", "middle"), ("paper", "wide")])
def test_each_profile_has_table_7_s_own_width_among_those_of_capacity(
    under: str, row: str, composers: dict[str, Composer]
) -> None:
    capacity, table7 = (runs(table_file.load(name), composers[under]) for name in ("capacity", "table7"))
    assert capacity[f"{row}.mean_iu"] == table7["none.mix1x1"]


def test_a_frozen_table_keeps_its_remark() -> None:
    spec = table_file.load("pad")
    assert frozen_table.from_json(json.loads(json.dumps(frozen_table.to_json(spec)))).remark == spec.remark


def test_one_table_is_asked_for_where_a_group_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'beyond' means .*, where one table is expected: arithmetic, capacity"):
        choice.of_table(Store(tmp_path), "beyond")


def test_list_shows_the_groups_apart_within_80_columns(
    own: Own, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own("study", "Mine")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.argv", ["parsenet", "list"])
    assert app.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    heads = [lines.index(f"{group}: {means}") for group, means in table_file.GROUPS.items()]
    assert heads == sorted(heads)
    beyond = " ".join(" ".join(lines[heads[1] : heads[2]]).split())
    for name in BEYOND:
        spec = table_file.load(name)
        assert spec.remark in beyond
