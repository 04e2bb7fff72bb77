"""The printed table: layout, decimals, bold, seeds that are missing, collapses, and what each output escapes."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from parsenet_cli.config import table_file
from parsenet_cli.core import files, sealed
from parsenet_cli.core.errors import UserError
from parsenet_cli.report import formats, tables
from parsenet_cli.report.blocks import Grid
from parsenet_cli.report.formats import latex
from parsenet_cli.report.paper_table import paper_grid
from parsenet_cli.store import artifacts
from parsenet_cli.store.frame import COLUMNS, results_frame
from parsenet_cli.store.run import Store
from parsenet_cli.store.study import Study, StudyCell, read_runs
from tests.claim_store import signature_of

SEEDS = (0, 1, 2)


def result(signature: str, mean_iu: float, outcome: str = "converged") -> dict[str, object]:
    return {
        "signature": signature,
        "outcome": outcome,
        "collapsed_at": 120 if outcome == "collapsed" else None,
        "metrics": {"mean_iu": mean_iu, "pixel_accuracy": 0.5, "mean_accuracy": 0.5, "fw_iu": 0.5},
        "iu": {"background": 0.9, "cat": None},
        "classes": ["background", "cat"],
        "class_mean": "present",
        "train_seconds": 1.0,
        "evaluate_seconds": 1.0,
        "steps": 10,
    }


def study_of(name: str, values: dict[tuple[str, str], list[float | str]], store: Store) -> Study:
    """A study whose runs have these mean IUs (fractions), or a state instead."""
    cells = []
    for (row, column), of_seed in values.items():
        for seed, value in zip(SEEDS, of_seed, strict=False):
            signature = signature_of(f"{row}-{column}-{seed}")
            if isinstance(value, float):
                outcome = "collapsed" if value < 0.02 else "converged"
                sealed.write_json(store.run(signature).folder / "result.json", result(signature, value, outcome))
            elif value == "failed":
                sealed.write_json(store.run(signature).folder / "status.json", {"state": "failed"})
            cells.append(StudyCell(row, column, seed, signature))
    return Study(f"{name}-quick-0", "2026", "quick", (), SEEDS, table_file.load(name), tuple(cells))


def table_of(study: Study, store: Store) -> Grid:
    return paper_grid(study, results_frame(study, read_runs([study], store)), "synthetic_context, vgg_tiny")


def cell(table: Grid, label: str, column: int) -> str:
    """What was measured, where every column has the paper's number beside it."""
    row = next(row for row in table.rows if row.cells[0].text == label)
    return row.cells[len(table.labels) + 2 * column + 1].text


@pytest.fixture
def table4(store: Store) -> Grid:
    values: dict[tuple[str, str], list[float | str]] = {
        ("fc7", "raw"): [0.30, 0.32, 0.34],
        ("fc7", "norm"): [0.35, 0.35],
        ("conv3", "raw"): [0.009, 0.009, 0.009],
        ("conv3", "norm"): [0.55, "failed", 0.57],
    }
    return table_of(study_of("table4", values, store), store)


def test_rows_and_numbers_are_the_papers(table4: Grid) -> None:
    assert [row.cells[0].text for row in table4.rows][-1] == "pool6 + fc7 + conv5 + conv4 + conv3"
    printed = [cell for cell in table4.rows[-1].cells if cell.quiet]
    assert [(cell.text, cell.bold) for cell in printed] == [("0.009", False), ("40.4", True)]


def test_mean_and_deviation_have_the_papers_decimals(table4: Grid) -> None:
    assert cell(table4, "fc7", 0) == "32.0 ± 2.0"


def test_missing_and_failed_seeds_are_said(table4: Grid) -> None:
    assert cell(table4, "fc7", 1) == "35.0 ± 0.0 (n=2/3)"
    assert cell(table4, "pool6 + fc7 + conv5 + conv4 + conv3", 1) == "56.0 ± 1.4 (n=2/3)"
    assert cell(table4, "pool6 + fc7", 0) == "–"


def test_collapse_is_shown_in_the_cell(table4: Grid) -> None:
    assert cell(table4, "pool6 + fc7 + conv5 + conv4 + conv3", 0) == "0.9 ± 0.0 collapsed 3/3"


def test_single_best_cell_is_bold_where_the_paper_bolds_one(table4: Grid) -> None:
    bold = [c.text for row in table4.rows for c in row.cells if c.bold and not c.quiet]
    assert bold == ["56.0 ± 1.4 (n=2/3)"]


def test_cell_that_cannot_be_run_says_why(store: Store) -> None:
    study = study_of("table6", {("fc7_n", "mean_iu"): [0.5, 0.5, 0.5]}, store)
    missing = StudyCell("fc7_y", "mean_iu", 0, None, "squeezenet has no body deeplab")
    table = table_of(replace(study, cells=(*study.cells, missing)), store)
    assert [row.cells[-1].text for row in table.rows[:2]] == ["50.00 ± 0.00", "n/a"]
    assert "squeezenet has no body deeplab" in [note for _, note in table.notes]


def test_class_that_the_data_lacks_is_a_dash(store: Store) -> None:
    table = table_of(study_of("table8", {("parsenet", "bkg"): [0.5] * 3, ("parsenet", "cat"): [0.5] * 3}, store), store)
    first = next(i for i, row in enumerate(table.rows) if row.cells[0].text == "ParseNet")
    heads = [*table.labels, *table.heads]
    shown = dict(zip(heads, (c.text for c in table.rows[first + 1].cells), strict=True))
    assert shown["bkg"].startswith("90.0")
    assert shown["cat"] == "–"


def test_caption_names_data_and_trunk_and_never_pretends_to_be_the_paper(table4: Grid) -> None:
    assert table4.caption.startswith("profile quick; synthetic_context, vgg_tiny; 3 seeds")
    assert "compare effects, not numbers" in table4.caption


def test_caption_keeps_to_itself_where_things_lie(store: Store) -> None:
    study = study_of("table6", {("fc7_n", "mean_iu"): [0.5]}, store)
    changed = replace(study, overrides=("data_root=/home/ann/photos", "weights=/data/w.pt", "norm=l2"))
    assert "data_root=…/photos weights=…/w.pt norm=l2" in table_of(changed, store).caption


def test_a_table_beyond_the_papers_has_no_column_for_it_and_says_why_above_its_notes(store: Store) -> None:
    spec = table_file.load("pad")
    values: dict[tuple[str, str], list[float | str]] = {(str(c.row.key), c.column.key): [0.4] for c in spec.cells()}
    table = table_of(study_of("pad", values, store), store)
    assert table.heads == ["fixed", "poly"]
    (mark, remark), *others = table.notes
    assert (mark, remark) == ("", f"The paper: {spec.remark}")
    assert [mark for mark, _ in others] == ["a", "b"]
    for name in ("terminal", "md", "html", "latex", "json"):
        words = re.sub(r"\s+|\\\\(?=\")", " ", formats.find(name).text(table))
        assert words.count("no significant difference but network trained slightly faster") == 1, name
        assert words.index("The paper: ") < words.index("Baseline C"), name


@pytest.mark.parametrize("name", table_file.names())
def test_every_table_is_written_in_every_format_with_all_its_cells(name: str, store: Store) -> None:
    spec = table_file.load(name)
    values: dict[tuple[str, str], list[float | str]] = {
        (c.row.key, c.column.key): [0.4, 0.5, 0.6] for c in spec.cells()
    }
    table = table_of(study_of(name, values, store), store)
    width = len(table.labels) + len(table.heads)
    assert {len(row.cells) for row in table.rows} == {width}
    shown = {cell.text for row in table.rows for cell in row.cells}
    if spec.is_printed:
        assert {printed.text for row in spec.rows for printed in row.paper.values()} <= shown
    markdown = [line for line in formats.find("md").text(table).splitlines() if line.startswith("|")]
    assert len(markdown) == len(table.rows) + 2
    assert {line.replace(r"\|", "").count("|") for line in markdown} == {width + 1}
    parts = latex.text(table).split(r"\midrule")[1:]
    bodies = [part.split(r"\bottomrule")[0].strip().splitlines() for part in parts]
    assert {len(body) for body in bodies} == {len(table.rows)}
    counts = [{line.replace(r"\&", "").count("&") for line in body} for body in bodies]
    assert sum(count - len(table.labels) + 1 for (count,) in counts) == len(table.heads)
    assert all(line.endswith(r"\\") for body in bodies for line in body)
    html = formats.find("html").text(table)
    assert html.count("<tr>") == len(table.rows) + 1 + any(len(below) > 1 for _, below in table.groups)
    terminal = formats.find("terminal").text(table)
    assert all(word in terminal for cell in table.rows[0].cells[: len(table.labels)] for word in cell.text.split())


def test_wide_table_has_printed_and_measured_below_each_other(store: Store) -> None:
    values: dict[tuple[str, str], list[float | str]] = {("parsenet", "mean"): [0.5, 0.6, 0.7]}
    rows = table_of(study_of("table8", values, store), store).rows
    assert [row.cells[-1].text for row in rows[-3:]] == ["69.8", "60.0", "10.0"]


def test_latex_has_no_character_that_latex_would_stumble_over() -> None:
    hostile = r"100% of a_b & $c {d} #e ~f ^g \h ± <i>"
    text = latex.escaped(hostile)
    assert text.isascii()
    for bare in ("%", "_", "&", "#"):
        assert text.count(bare) == text.count("\\" + bare)


def test_latex_row_does_not_begin_with_what_a_line_break_takes_for_its_own() -> None:
    assert latex.escaped("[19] FCN*") == "{[}19] FCN{*}"


def test_csv_is_the_long_frame_and_json_the_same_records_with_null_for_what_is_not_defined(store: Store) -> None:
    study = study_of("table4", {("fc7", "raw"): [0.30, "failed", 0.34]}, store)
    table = table_of(study, store)
    lines = list(csv.DictReader(io.StringIO(formats.find("csv").text(table))))
    assert tuple(lines[0]) == COLUMNS
    assert [(line["seed"], line["value"], line["outcome"]) for line in lines] == [
        ("0", "30", "converged"),
        ("1", "", "failed"),
        ("2", "34", "converged"),
    ]
    assert lines[0]["paper"] == "36.6"
    content = json.loads(formats.find("json").text(table))
    assert [(line["seed"], line["value"], line["outcome"]) for line in content["rows"]] == [
        (0, 30.0, "converged"),
        (1, None, "failed"),
        (2, 34.0, "converged"),
    ]
    assert content["title"] == study.table.title


def test_unknown_format_is_answered_with_the_nearest(store: Store) -> None:
    with pytest.raises(UserError, match=r"unknown format 'htm'.*Did you mean 'html'"):
        formats.find("htm")


def test_a_table_is_printed_by_reading_each_result_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    study = study_of("table4", {("fc7", "raw"): [0.30, 0.31, 0.34], ("conv3", "norm"): [0.5, 0.6, 0.55]}, store)
    reads: Counter[str] = Counter()
    read_bytes = files.read_bytes

    def counted(file: Path, most: int = files.MOST_BYTES, *, follow: bool = False) -> bytes:
        reads[file.name] += file.name == "result.json"
        return read_bytes(file, most, follow=follow)

    monkeypatch.setattr(sealed, "read_bytes", counted)
    tables.study_grid(study, store)
    assert reads["result.json"] == len(study.signatures) == 6


def test_metric_added_later_is_computed_from_stored_confusions(store: Store) -> None:
    study = study_of("table3", {("fc7", "fw_iu"): [0.3]}, store)
    run = store.run(signature_of("fc7-fw_iu-0"))
    artifacts.write_confusions(run, np.array([[[6, 0], [0, 2]], [[0, 0], [2, 0]]], np.int32), ["a", "b"])
    run.record_result(replace(run.done_result(), metrics={}))
    (value,) = results_frame(study, read_runs([study], store))["value"]
    # 6 of 6 and 2 of 4 pixels right: IU 6/8 and 2/4, weighted by 6 and 4 pixels
    assert value == pytest.approx(100 * (6 * (6 / 8) + 4 * (2 / 4)) / 10)


def test_frame_can_be_loaded_in_a_notebook(store: Store) -> None:
    from parsenet_cli import load_frame
    from parsenet_cli.store import study

    study.save(study_of("table4", {("fc7", "raw"): [0.3, 0.3, 0.3]}, store), store)
    loaded = load_frame("table4", results=store.root)
    assert isinstance(loaded, pd.DataFrame)
    assert loaded["value"].tolist() == [30.0, 30.0, 30.0]
