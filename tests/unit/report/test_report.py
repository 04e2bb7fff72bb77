"""The report: well-formed, self-contained, everything in it, nothing of the machine in it, and the same bytes each time."""

from __future__ import annotations

import base64
import getpass
import hashlib
import json
import re
import shutil
import socket
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from parsenet_cli.config import profile, table_file
from parsenet_cli.config.compose import Composer
from parsenet_cli.config.table_file import read
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.sealed import write_json
from parsenet_cli.report import figures, redact
from parsenet_cli.report.blocks import Part, Section
from parsenet_cli.report.build import build_report, compose
from parsenet_cli.report.collect import ReportInput, collect_input, digest
from parsenet_cli.report.figures import context, curves
from parsenet_cli.report.sections.provenance import command
from parsenet_cli.runner.plan import plan_table
from parsenet_cli.store import choice, study
from parsenet_cli.store.run import Store
from tests import made_store

VOID = frozenset({"link", "meta"})

EVIL = """
title: "<script>alert(1)</script> & co"
data: voc12
labels: ["<b>label</b>"]
columns:
  one: {header: "<i>one</i>", metric: mean_iu}
rows:
  a: {label: ["<script>alert(2)</script>"], set: ["layers=[fc7]"], paper: {one: "36.6"}, note: "'\\"><img src=http://x.test/y>"}
  b: {label: ["`|_*[x](http://x.test)"], set: ["layers=[pool6,fc7]"], paper: {one: "37.6"}}
"""


MINE = """
title: My table
data: voc12
columns: {one: {header: one, metric: mean_iu}}
rows:
  raw: {label: [raw], set: [norm=none]}
  norm: {label: [norm], set: [norm=l2]}
claims:
  better: {says: A normalised map is better., where: mine, holds_if: norm.one > raw.one, effect: norm.one - raw.one}
"""


class Page(HTMLParser):
    """What a page consists of; fails where elements are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.elements: list[str] = []
        self.ids: list[str] = []
        self.tips: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []
        assert len(self.ids) == len(set(self.ids))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "srcset", "action", "data", "poster", "xlink:href"):
                self.addresses.append(value or "")
            if name == "id":
                self.ids.append(value or "")
            if name == "data-tip":
                self.tips.append(value or "")
            assert not name.startswith("on")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.text += data


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return made_store.add_two_tables(Store(tmp_path_factory.mktemp("made")))


@pytest.fixture
def store(made: Store, tmp_path: Path) -> Store:
    """A copy that may be damaged."""
    shutil.copytree(made.root, tmp_path / "results")
    return Store(tmp_path / "results")


def written(store: Store) -> tuple[Page, str, str]:
    """The page as parsed and as text, and the Markdown."""
    made = build_report(store, None, store.root / "report")
    html, markdown = (file.read_text() for file in made.files)
    return Page(html), html, markdown


def test_page_is_well_formed_and_asks_nobody_for_anything(made: Store) -> None:
    parsed, html, _ = written(made)
    assert parsed.elements.count("table") > 5
    assert parsed.elements.count("svg") >= 3
    assert {address.partition(":")[0] for address in parsed.addresses if not address.startswith("#")} == {"data"}
    assert {address[1:] for address in parsed.addresses if address.startswith("#")} <= set(parsed.ids)
    assert re.findall(r"url\((?!#)|@import", html) == []  # parts of a drawing name each other


def test_every_measured_number_says_its_seeds_and_runs(made: Store) -> None:
    parsed, _, markdown = written(made)
    one = choice.of_table(made, "table4")
    for signature in one.signatures:
        assert any(signature in tip for tip in parsed.tips)
        assert signature in markdown
    tip = next(tip for tip in parsed.tips if one.cells[0].signature and one.cells[0].signature in tip)
    assert [line.partition(":")[0] for line in tip.splitlines()[:3]] == ["seed 0", "seed 1", "seed 2"]
    assert "95 % interval" in tip


def test_page_and_markdown_hold_the_papers_numbers_and_every_claim(made: Store) -> None:
    parsed, _, markdown = written(made)
    for one in collect_input(made, None).studies:
        for row in one.table.rows:
            for printed in row.paper.values():
                assert printed.text in parsed.text
        for claim in one.table.claims:
            assert claim.says in parsed.text
            assert claim.says in markdown
            assert claim.note in parsed.text
    assert "Normalising fc7 alone changes little. [read off]" in parsed.text
    for outcome in ("✓ supported", "✗ refuted", "? undecided"):
        assert outcome in parsed.text


def test_tables_beyond_the_papers_stand_below_them_and_weaken_no_verdict(made: Store, store: Store) -> None:
    _, _, before = written(made)
    one = made_store.add_table(store, "sharing")
    parsed, _, markdown = written(store)
    heads = [line.removeprefix("## ") for line in markdown.splitlines() if line.startswith("## ")]
    assert heads[heads.index("Tables") + 1] == "Beyond the paper's tables"
    beyond = markdown[markdown.index("\n## Beyond") : markdown.index("\n## ", markdown.index("\n## Beyond") + 1)]
    for text in (
        "### sharing: One scale",
        "### Claims beyond the paper's",
        'The paper: "a scaling parameter',
        one.table.claims[0].says,
    ):
        assert text in beyond
        assert text not in markdown.replace(beyond, "")
    assert one.table.remark in parsed.text

    def claims(text: str) -> str:
        return text[text.index("## Claims of the paper") : text.index("## Tables")]

    assert claims(markdown) == claims(before)


def test_what_a_table_says_is_text_never_markup(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "evil.yaml"
    file.write_text(EVIL)
    made_store.add_table(store, "evil", (0,), read(file))
    parsed, html, markdown = written(store)
    assert parsed.elements.count("script") == 1
    assert "<script>alert(2)</script>" in parsed.text
    assert "<img src=http" not in html
    assert re.search(r"(?<!\\)[<\[]\w", re.sub(r"</?(details|summary|sup)>", "", markdown)) is None
    assert r"\<script\>alert(2)\</script\>" in markdown


def test_nothing_of_the_machine_is_in_it(store: Store, tmp_path: Path) -> None:
    run = store.run(choice.of_table(store, "table4").signatures[0])
    (run.folder / "result.json").unlink()
    run.update_status(state="failed", error=f"no file {Path.home()}/secret/weights.pt in {store.root.resolve()}/x")
    _, html, markdown = written(store)
    for text in (re.sub(r"base64,[\w+/=]+|<style.*?</style>", "", html, flags=re.DOTALL), markdown):
        assert "weights.pt" in text
        for private in (Path.home(), store.root, tmp_path, Path.cwd()):
            assert str(private) not in text
        for name in (socket.gethostname(), getpass.getuser()):
            assert re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) is None


def test_same_store_gives_the_same_bytes(made: Store, tmp_path: Path) -> None:
    first, second = (build_report(made, None, tmp_path / name).files for name in ("first", "second"))
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]


def test_unchanged_inputs_are_not_worked_through_again(store: Store) -> None:
    out = store.root / "another"
    assert build_report(store, None, out).written
    assert not build_report(store, None, out).written
    assert build_report(store, None, out, force=True).written
    assert build_report(store, "quick", out).written  # asked for something else


@pytest.mark.parametrize("name", ["index.html", "report.md"])
def test_page_of_somebody_else_is_not_replaced(store: Store, tmp_path: Path, name: str) -> None:
    out = tmp_path / "site"
    out.mkdir()
    (out / name).write_text("MINE")
    with pytest.raises(UserError, match=f"{name}: is there already and is no report of parsenet: move it away"):
        build_report(store, None, out, force=True)
    assert [(file.name, file.read_text()) for file in out.iterdir()] == [(name, "MINE")]
    (out / name).write_text("<!-- parsenet-inputs: of an earlier version -->")
    assert build_report(store, None, out).written


@pytest.mark.parametrize("name", ["result.json", "metrics.jsonl", "confusion.npz", "env.json"])
def test_any_changed_input_makes_it_anew(store: Store, name: str) -> None:
    build_report(store, None, store.root / "report")
    file = store.run(choice.of_table(store, "table4").signatures[0]).folder / name
    if name.endswith("npz"):
        with np.load(file) as stored:
            content = {key: stored[key] for key in stored.files}
        np.savez(file, **{**content, "confusions": content["confusions"] * 2})
    else:
        file.write_text(file.read_text().replace("0", "1", 1) if name != "env.json" else "{}")
    assert build_report(store, None, store.root / "report").written


def test_foreign_and_half_written_folders_are_named_and_skipped(store: Store) -> None:
    runs, studies = store.root / "runs", store.root / "studies"
    broken, without_confusions = choice.of_table(store, "table4").signatures[:2]
    store.run(without_confusions).confusions_file.unlink()
    (runs / broken / "result.json").write_text('{"signature": ')
    (runs / "notes").mkdir()
    (runs / "half").mkdir()
    (runs / "half" / "metrics.jsonl").write_text("{")
    (runs / "file.txt").write_text("mine")
    (studies / "foreign.json").write_text(json.dumps({"cells": []}))
    (studies / "torn.json").write_text('{"cells": [')
    (studies / "list.json").write_text("[]")
    parsed, _, _ = written(store)
    foreign = (
        "runs/notes",
        "runs/half",
        "runs/file.txt",
        "studies/foreign.json",
        "studies/torn.json",
        "studies/list.json",
    )
    for name in (*foreign, f"runs/{broken}"):
        assert name in parsed.text
    assert "has lost its confusion.npz" in parsed.text
    assert "(n=2/3)" in parsed.text
    assert "Runs without a result" in parsed.text


def test_toy_of_a_table_is_named_and_not_shown_unless_it_is_asked_for(store: Store) -> None:
    whole = choice.of_table(store, "table8")
    toy = made_store.add_table(store, "table8", (0,))
    found = collect_input(store, None)
    assert whole in found.studies
    assert (f"studies/{toy.name}.json", f"has fewer cells or seeds: {whole.name} is shown") in found.left_out
    asked = collect_input(store, None, study=toy.name)
    assert [one.name for one in asked.studies] == [choice.of_table(store, "table4").name, toy.name]
    with pytest.raises(UserError, match=rf"study '{toy.name}x'\. Did you mean '{toy.name}'"):
        collect_input(store, None, study=f"{toy.name}x")
    with pytest.raises(UserError, match=rf"--study {toy.name}: it is of table8 .* not asked for"):
        collect_input(store, None, ["table4"], study=toy.name)


def test_report_of_some_tables_shows_these_and_no_claims_of_figures(store: Store) -> None:
    everything, papers = collect_input(store, None), collect_input(store, None, ["all"])
    found = collect_input(store, None, ["table4"])
    assert [one.table.name for one in found.studies] == ["table4"]
    assert set(found.runs) == set(found.studies[0].signatures)
    assert [one.with_figures for one in (everything, papers, found)] == [True, True, False]
    assert len({digest(one) for one in (everything, papers, found)}) == 3
    table8 = choice.of_table(store, "table8").name
    assert (
        f"studies/{table8}.json",
        "is of table8 under profile quick, which was not asked for",
    ) in found.left_out
    with pytest.raises(UserError, match="Did you mean 'table4'"):
        collect_input(store, None, ["tabel4"])
    with pytest.raises(UserError, match="table6 has not been run yet"):
        collect_input(store, None, ["table6"])


def test_own_tables_and_trials_stand_apart_and_weaken_no_verdict(store: Store, tmp_path: Path) -> None:
    def page() -> tuple[ReportInput, dict[str, Section]]:
        found = collect_input(store, None)
        return found, {one.key: one for one in compose(found, "", redact.of_report(found)).sections}

    _, before = page()
    assert "own" not in before
    (tmp_path / "mine1.yaml").write_text(MINE)
    made_store.add_table(store, "mine1", spec=read(tmp_path / "mine1.yaml"))
    overrides = ["recipe.iterations=7", "device=cpu"]
    composer = Composer(profile.load("quick"), overrides, store.cache)
    plan = plan_table(table_file.load("table4"), composer, (0, 1, 2, 3))
    trial = study.save(plan.study, store)
    found, after = page()
    assert [one.name for one in found.trials] == [trial.name]
    assert {one.name for one in found.studies}.isdisjoint({trial.name})
    parts = [block for block in after["own"].blocks if isinstance(block, Part)]
    assert [part.key for part in parts] == ["quick-mine1", trial.name, "own-verdicts"]
    assert parts[1].title.endswith("(quick): recipe.iterations=7")
    assert "A normalised map is better" in str(parts[2])
    assert "mine1" not in str(after["tables"])
    assert after["verdicts"] == before["verdicts"]


def test_collapsed_failed_and_missing_runs_are_said(store: Store) -> None:
    config = store.run(choice.of_table(store, "table4").signatures[0]).config()
    other = store.run(choice.of_table(store, "table4").signatures[1])
    made_store.add_run(store, config, outcome="collapsed", collapsed_at=17, predicted_classes=["background"])
    (other.folder / "result.json").unlink()
    other.update_status(state="failed", error="the disk is full")
    _, _, markdown = written(store)
    assert "after 17 iterations; predicts background everywhere" in markdown
    assert "failed: the disk is full" in markdown
    assert re.search(r"\*\*\d+/\d+\*\* runs done", markdown)


def test_empty_store_and_unknown_profile_say_what_to_do(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no study to report.*parsenet ablate all"):
        build_report(Store(tmp_path / "nothing"), None, tmp_path / "out")
    with pytest.raises(UserError, match="Did you mean 'quick'"):
        build_report(store, "qick", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_command_of_a_study_asks_for_it_again(store: Store) -> None:
    assert command(choice.of_table(store, "table4")) == "parsenet ablate table4 --profile quick --seeds 3"


def test_script_is_the_only_one_that_the_page_allows(made: Store) -> None:
    _, html, _ = written(made)
    script = re.search(r"<script>(.*)</script>", html, re.DOTALL)
    assert script
    assert base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode() in html
    assert "parsenet-inputs" in html


def scales(study: str, created: str) -> dict[str, object]:
    """What `parsenet figure scales` keeps of a network, but for its numbers."""
    return {"figure": "scales", "created": created, "about": {"study": study}, "options": {}, "note": f"note {created}"}


def test_figures_are_drawn_from_their_kept_data_the_newest_of_shown_studies_alone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def svg(name: str, data: dict[str, object]) -> str:
        if data["created"] == "2":
            raise UserError("it cannot be drawn")
        return f"<svg><text>{name} {data['created']} in /home/ann/voc</text></svg>"

    monkeypatch.setattr(figures, "svg", svg)
    monkeypatch.setattr(curves, "data", lambda *_: {"created": "curves"})
    monkeypatch.setattr(context, "from_store", lambda *_: {"created": "context"})
    name = choice.of_table(store, "table4").name
    for i, subject in enumerate([name, name, name, name, "another study"]):
        write_json(store.figures / "scales" / f"{i}.json", scales(subject, str(i)))
    (store.figures / "scales" / "torn.json").write_text("{")
    parsed, html, _ = written(store)
    assert re.findall(r"<svg><text>(scales.*?)</text>", html) == ["scales 3 in …/voc", "scales 1 in …/voc"]
    assert "it cannot be drawn" in parsed.text
    assert "older: scales/0, scales/4." in parsed.text
    assert "note 3" in parsed.text


def test_context_shows_two_cells_that_differ_in_global_context_and_norm_alone(store: Store) -> None:
    table4 = choice.of_table(store, "table4")
    pair = context.default_cells(table4, store)
    assert pair is not None
    signatures = [next(cell.signature for cell in table4.cells if cell.key == key) for key in pair]
    before, after = (store.run(str(signature)).config().science for signature in signatures)
    assert (before.layers, before.norm) == (("fc7",), "none")
    assert (after.layers, after.norm) == (("pool6", "fc7"), "l2")
    data = context.from_store(table4, store)
    gains = [panel["parsenet_score"] - panel["baseline_score"] for panel in data["panels"]]
    assert gains == sorted(gains, reverse=True)[: len(gains)] or gains


def test_runs_without_kept_images_say_why_there_is_nothing_to_see(store: Store) -> None:
    shutil.rmtree(store.root / "samples")
    parsed, _, _ = written(store)
    assert "The images and their truth are not in this store" in parsed.text
