"""Every mistake in a table file is answered with file, line, key, what was expected and the nearest valid name."""

from __future__ import annotations

from pathlib import Path

import pytest

from parsenet_cli.config import frozen_table, table, table_file
from parsenet_cli.core.errors import UserError

TABLE = """\
title: Mine
data: voc12
base: [recipe=parsenet, body=reduced]
labels: ["Layers", "Context"]
columns:
  raw: {header: "w/o Norm", set: [norm=none], metric: mean_iu}
  norm: {header: "w/ Norm", set: [norm=l2], metric: "iu[cat]"}
rows:
  fc7:
    label: ["fc7", ""]
    set: ["layers=[fc7]"]
    paper: {raw: "36.6", norm: "N/A"}
  pool6:
    label: [fc7, pool6]
    set: ["layers=[pool6,fc7]"]
    paper: {raw: "**38.2** [19]"}
    run: false
    note: shown only
claims:
  context_helps:
    says: Context helps.
    where: Table 4
    holds_if: pool6.raw - fc7.raw > margin
    effect: pool6.raw - fc7.raw
    margin: "0.5"
  context_is_higher:
    says: Context has the higher numbers.
    where: Table 4
    holds_if: pool6.raw > fc7.raw and wins(pool6, fc7) >= 0
    kind: printed
"""

FIGURES = """\
context_removes_confusions:
  says: Context removes confusions.
  where: Fig. 3
  figure: context
  value: [errors, spurious]
  holds_if: value > 0
  unit: percent points
  factor: "100"
"""

MISTAKES = {
    "not YAML": ("labels: [", "labels: {[", 5, ["not valid YAML"]),
    "unknown top key": ("title:", "titel:", 1, ["unknown key of a table 'titel'", "'title'"]),
    "missing header": ('header: "w/o Norm", ', "", 6, ["columns.raw", "no 'header'"]),
    "missing label": ('    label: ["fc7", ""]\n', "", 9, ["rows.fc7", "no 'label'"]),
    "unknown row key": ("run: false", "runs: false", 17, ["rows.pool6.runs", "Did you mean 'run'"]),
    "unknown column key": ("metric: mean_iu", "metrik: mean_iu", 6, ["columns.raw.metrik", "Did you mean 'metric'"]),
    "unknown metric": ("mean_iu", "mean_ui", 6, ["columns.raw.metric", "unknown metric", "Did you mean 'mean_iu'"]),
    "class without a name": ("iu[cat]", "iu[]", 7, ["columns.norm.metric", "unknown metric"]),
    "unknown data": ("voc12", "voc21", 2, ["data", "unknown data set 'voc21'", "Did you mean 'voc12'"]),
    "unknown axis": ("[norm=l2]", "[nrom=l2]", 7, ["columns.norm.set[0]", "'nrom'", "Did you mean 'norm'"]),
    "unknown recipe key": ("body=reduced", "recipe.lenght=2", 3, ["base[1]", "Did you mean 'recipe.length'"]),
    "unknown value": ("norm=l2", "norm=l3", 7, ["columns.norm.set[0]", "value of norm 'l3'", "none, l2"]),
    "unknown recipe": ("recipe=parsenet", "recipe=parsnet", 3, ["base[0]", "Did you mean 'parsenet'"]),
    "file of weights": ("body=reduced", "weights=mine.pth", 3, ["base[1]", "'mine.pth'", "named on the command line"]),
    "number nobody prints": ('raw: "36.6"', f'raw: "{"9" * 400}"', 12, ["rows.fc7.paper.raw", "a number as printed"]),
    "claim of 24 absolutes": (
        "holds_if: pool6.raw - fc7.raw > margin",
        f"holds_if: {' + '.join(['abs(fc7.raw)'] * 24)} > margin",
        23,
        ["context_helps.holds_if", "more than 6 abs()"],
    ),
    "no override": ("norm=l2", "norm", 7, ["columns.norm.set[0]", "key=value"]),
    "unquoted list override": ('["layers=[fc7]"]', "[layers=[fc7]]", 11, ["YAML"]),
    "axis set twice": ("body=reduced", "recipe=fcn", 3, ["base[1]", "'recipe' is set twice"]),
    "row against column": ("[pool6,fc7]", '[pool6,fc7]", "norm=l2', 15, ["'norm' is set by this row", "column 'raw'"]),
    "set no list": ("set: [norm=l2]", "set: norm=l2", 7, ["columns.norm.set", "expected a list", "'norm=l2'"]),
    "row no mapping": ("  pool6:\n", "  pool5: fc7\n  pool6:\n", 13, ["rows.pool5", "expected a mapping", "'fc7'"]),
    "key no identifier": ("  fc7:\n", "  1x1:\n", 9, ["'1x1' cannot be a key", "letters, digits"]),
    "key a word of the claims": ("  fc7:\n", "  margin:\n", 9, ["'margin' cannot be a key"]),
    "key a word of Python": ("  fc7:\n", "  lambda:\n", 9, ["'lambda' cannot be a key"]),
    "key twice": ("  pool6:\n", "  fc7:\n", 13, ["rows.fc7", "second time"]),
    "number without quotes": ('"36.6"', "36.6", 12, ["rows.fc7.paper.raw", "in quotes", "36.6 without quotes"]),
    "no number": ('"36.6"', '"36,6"', 12, ["rows.fc7.paper.raw", "a number as printed", "'36,6'"]),
    "half bold": ('"36.6"', '"**36.6"', 12, ["rows.fc7.paper.raw", "a number as printed"]),
    "number for no column": ('{raw: "36.6"', '{rew: "36.6"', 12, ["unknown column 'rew'", "Did you mean 'raw'"]),
    "labels missing": ("[fc7, pool6]", "[fc7]", 14, ["rows.pool6.label", "1 labels", "announce 2"]),
    "label a list": ("[fc7, pool6]", "[fc7, [pool6]]", 14, ["rows.pool6.label[1]", "expected a text", "a list"]),
    "flag": ("run: false", "run: 0", 17, ["rows.pool6.run", "true or false", "0 without quotes"]),
    "note nothing": ("note: shown only", "note:", 18, ["rows.pool6.note", "expected a text", "found nothing"]),
    "claim without condition": ("    holds_if: pool6.raw - fc7.raw > margin\n", "", 20, ["no 'holds_if'"]),
    "claim about no cell": (
        "holds_if: pool6.raw",
        "holds_if: pool7.raw",
        23,
        ["'pool7.raw'", "Did you mean 'pool6.raw'"],
    ),
    "claim about an absent cell": ("holds_if: pool6.raw", "holds_if: fc7.norm", 23, ["unknown cell 'fc7.norm'"]),
    "claim a number": (" > margin", " + 1", 23, ["holds_if", "something true or false"]),
    "effect a condition": ("effect: pool6.raw -", "effect: pool6.raw <", 24, ["effect", "a difference"]),
    "claim not of the language": ("> margin", "> max(fc7.raw, 1)", 23, ["'max(fc7.raw, 1)' is not allowed", "abs()"]),
    "margin no number": ('"0.5"', '"half"', 25, ["claims.context_helps.margin", "percent points"]),
    "claim on cost": ("    margin:", "    measure: seconds\n    margin:", 25, ["unknown key of a claim 'measure'"]),
    "claim without a place": ("    where: Table 4\n", "", 20, ["claims.context_helps", "no 'where'; add it"]),
    "claim with an empty place": ("where: Table 4", 'where: ""', 22, ["context_helps.where", "expected its place in"]),
    "unknown kind": (
        "kind: printed",
        "kind: print",
        30,
        ["kind", "unknown kind 'print'", "'printed'", "read_off, printed"],
    ),
    "wins of runs": (
        "    kind: printed\n",
        "",
        26,
        ["context_is_higher", "wins() counts printed numbers", "add kind: printed"],
    ),
    "wins as an effect": (
        "effect: pool6.raw -",
        "effect: wins(fc7, pool6) -",
        20,
        ["context_helps", "add kind: printed"],
    ),
    "wins of no row": (
        "wins(pool6, fc7)",
        "wins(pool7, fc7)",
        29,
        ["holds_if", "unknown row of wins() 'pool7'", "'pool6'"],
    ),
    "wins of cells": (
        "wins(pool6, fc7)",
        "wins(pool6.raw, fc7.raw)",
        29,
        ["holds_if", "counts nothing", "wins(row, row)"],
    ),
    "wins where a comparison is": (" >= 0", "", 29, ["'wins(pool6, fc7)' is a number where a comparison is needed"]),
    "printed effect": (
        "kind: printed",
        "kind: printed\n    effect: fc7.raw",
        31,
        ["effect", "no interval", "remove it"],
    ),
    "printed spread": (
        "pool6.raw > fc7.raw and",
        "spread(pool6.raw) < spread(fc7.raw) and",
        29,
        ["context_is_higher.holds_if", "no spread over seeds is printed"],
    ),
    "printed nothing": ("pool6.raw > fc7.raw and", "pool6.norm > 1 and", 29, ["'pool6.norm' has no printed number"]),
    "spread in a sum": (
        "holds_if: pool6.raw - fc7.raw > margin",
        "holds_if: spread(pool6.raw) - spread(fc7.raw) > margin",
        23,
        ["context_helps.holds_if", "can only be compared with another spread"],
    ),
    "spread of no cell": (
        "holds_if: pool6.raw - fc7.raw > margin",
        "holds_if: spread(pool7.raw) > spread(fc7.raw)",
        23,
        ["context_helps.holds_if", "unknown cell 'pool7.raw'"],
    ),
    "margin of a main effect that is not there": (
        '"0.5"',
        "0.25 * main",
        25,
        ["context_helps.margin", "the table gives none; add main: to it"],
    ),
    "margin of no cell": ('"0.5"', "0.25 * (pool7.raw - fc7.raw)", 25, ["margin", "unknown cell 'pool7.raw'"]),
    "margin of a product": ('"0.5"', "fc7.raw * pool6.raw", 25, ["is no margin", "0.25 * main"]),
    "margin of nothing": ('"0.5"', "0 * fc7.raw", 25, ["expected a share above 0"]),
    "main of no cell": (
        "claims:\n",
        "main: pool7.raw - fc7.raw\nclaims:\n",
        19,
        ["main", "unknown cell 'pool7.raw'", "Did you mean 'pool6.raw'"],
    ),
    "main not linear": ("claims:\n", "main: abs(pool6.raw - fc7.raw)\nclaims:\n", 19, ["main", "is no sum of cells"]),
    "main a product": ("claims:\n", "main: pool6.raw / fc7.raw\nclaims:\n", 19, ["main", "is not allowed"]),
    "main true or false": ("claims:\n", "main: pool6.raw > fc7.raw\nclaims:\n", 19, ["main", "is no sum of cells"]),
    "main a number": ("claims:\n", 'main: "4"\nclaims:\n', 19, ["main", "is no sum of cells"]),
    "no margin": ('    margin: "0.5"\n', "", 20, ["uses margin but gives none"]),
}


FIGURE_MISTAKES = {
    "unknown figure": ("figure: context", "figure: contexts", 4, ["unknown figure 'contexts'", "receptive-field"]),
    "no value": ("  value: [errors, spurious]\n", "", 1, ["the claim has no 'value'"]),
    "no limit": ("value > 0", "value", 6, ["no number with a limit", "value < 0.5"]),
    "about cells": ("value > 0", "a.x / b.x > 0", 6, ["no number with a limit"]),
    "printed by a figure": (
        "holds_if:",
        "kind: printed\n  holds_if:",
        6,
        ["kind", "unknown kind 'printed'", "read_off"],
    ),
    "factor no number": ('"100"', "100", 8, ["factor", "in quotes"]),
    "factor no decimal": ('"100"', '"1e2"', 8, ["factor", "expected a number", "in quotes"]),
}


def write(folder: Path, text: str | bytes, name: str = "own.yaml") -> None:
    (folder / "ablations").mkdir()
    (folder / "ablations" / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def test_the_table_without_mistakes_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, TABLE)
    monkeypatch.chdir(tmp_path)
    spec = table_file.load("own")
    assert spec.printed("pool6", "raw") == table.Printed("38.2", bold=True, cited="[19]")
    assert spec.printed("pool6", "norm") == table.Printed()
    assert [(c.row.key, c.column.key) for c in spec.cells(cited=True)] == [("fc7", "raw")]
    assert spec.rows[1].labels == ("fc7", "pool6")
    assert [claim.margin for claim in spec.claims] == [0.5, None]
    assert [claim.kind for claim in spec.claims] == ["stated", "printed"]


@pytest.mark.parametrize(
    ("margin", "read"),
    [
        ('"0.5"', 0.5),
        ("0.25 * main", "0.25 * main"),
        ("main", "main"),
        ("0.1 * (pool6.raw - table6.fc7_n.mean_iu)", "0.1 * (pool6.raw - table6.fc7_n.mean_iu)"),
        ("pool6.raw - fc7.raw", "pool6.raw - fc7.raw"),
    ],
)
def test_a_margin_is_points_or_a_share_of_an_effect(
    margin: str, read: float | str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = TABLE.replace("claims:\n", "main: pool6.raw - fc7.raw\nclaims:\n")
    write(tmp_path, text.replace('margin: "0.5"', f"margin: {margin}"))
    monkeypatch.chdir(tmp_path)
    spec = table_file.load("own")
    assert (spec.main, spec.claims[0].margin) == ("pool6.raw - fc7.raw", read)
    assert frozen_table.from_json(frozen_table.to_json(spec)) == spec


def test_claims_of_figures_are_read_from_the_users_file_first_which_is_no_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(table_file.figure_claims()) == 18
    write(tmp_path, FIGURES, table_file.FIGURES)
    monkeypatch.chdir(tmp_path)
    (claim,) = table_file.figure_claims()
    assert (claim.figure, claim.value, claim.factor) == ("context", ("errors", "spurious"), 100.0)
    assert not {"_figures", "own"} & set(table_file.names())


@pytest.mark.parametrize("mistake", [*MISTAKES, *FIGURE_MISTAKES])
def test_a_mistake_is_named_with_its_line(mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, name = (TABLE, "own.yaml") if mistake in MISTAKES else (FIGURES, table_file.FIGURES)
    old, new, line, fragments = (MISTAKES | FIGURE_MISTAKES)[mistake]
    assert old in text
    write(tmp_path, text.replace(old, new, 1), name)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        table_file.load("own") if mistake in MISTAKES else table_file.figure_claims()
    message = str(error.value)
    assert message.startswith(f"{tmp_path / 'ablations' / name}:{line}: "), message
    for fragment in fragments:
        assert fragment in message


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        (b"", "the file is empty"),
        (b"# nothing but a comment\n", "the file is empty"),
        (b"- a list\n", "expected a mapping"),
        (b"title: \xff\xfe\n", "UTF-8"),
        (b"title: a\x00b\n", "not a text in UTF-8"),
        (b"title: &x [*x]\n", "no 'data'"),
        (b"title: a\n\tdata: b\n", "not valid YAML"),
    ],
)
def test_a_file_that_is_no_table_is_said_to_be_none(
    content: bytes, fragment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, content)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"own\.yaml.*" + fragment):
        table_file.load("own")
