"""Which study of a table is taken where there are several, what is said of the others, and whose table stays on the disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsenet_cli.config import table_file
from parsenet_cli.config.table import TableSpec
from parsenet_cli.core.code import Code
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import write_text
from parsenet_cli.store import choice, study
from parsenet_cli.store.run import Store
from parsenet_cli.store.study import Study, StudyCell
from tests.claim_store import signature_of, table_of, write_run

ROWS = ("raw", "norm", "early")


def save(
    store: Store,
    name: str,
    seeds: Sequence[int] = (0,),
    *,
    rows: Sequence[str] = ROWS,
    overrides: Sequence[str] = (),
    state: str = "",
    spec: TableSpec | None = None,
    profile: str = "quick",
) -> Study:
    """A study whose runs follow from table, profile, overrides and `state`, which stands for what files say."""
    spec = spec or table_of(ROWS)
    asked = " ".join([spec.name, profile, state, *(text for text in overrides if text.startswith("recipe."))])
    cells = [StudyCell(row, "iu", seed, signature_of(f"{asked} {row} {seed}")) for row in rows for seed in seeds]
    return study.save(Study(name, "", profile, tuple(overrides), tuple(seeds), spec, tuple(cells)), store)


def taken(store: Store, table: str = "own") -> str:
    return choice.of_table(store, table).name


def test_most_cells_then_most_seeds_then_the_newest_is_taken(store: Store) -> None:
    save(store, "whole", (0, 1, 2))
    save(store, "toy")
    save(store, "narrow", range(5), rows=ROWS[:1])
    assert taken(store) == "whole"
    save(store, "seeds", range(5))
    save(store, "others", range(5, 10))
    assert taken(store) == "others"
    assert taken(store, "narrow") == "narrow", "its name"


def test_runs_that_are_not_as_they_would_be_now_are_passed_over(store: Store) -> None:
    save(store, "before", range(5), state="an edited recipe, another profile, other photos")
    save(store, "now", (0, 1))
    save(store, "toy")
    assert taken(store) == "now"
    (sentence,) = choice.notes([choice.of_table(store, "own")], study.load_all(store))
    assert sentence == (
        "own (quick): shown with 3 cells, 2 seeds; a study with 3 cells, 5 seeds has other settings: "
        "`parsenet table --study before`"
    )


def test_overrides_that_change_runs_do_not_stand_before_the_table_as_it_is(store: Store) -> None:
    save(store, "here", (0, 1, 2), overrides=["device=cpu", "data_root=/photos"])
    save(store, "toy", overrides=["seed=0"])
    save(store, "short", range(5), overrides=["recipe.iterations=3"])
    assert taken(store) == "here"
    assert choice.changes(choice.of_table(store, "short")) == ["recipe.iterations=3"]
    only = Store(store.root.parent / "other")
    save(only, "short", range(5), overrides=["recipe.iterations=3"])
    save(only, "shorter", overrides=["recipe.iterations=2"])
    assert taken(only) == "shorter", "as the newest has it, where it was never run as it is"


def test_table_as_its_file_has_it_now_is_taken(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "ablations" / "own.yaml"
    text = (
        "title: T\ndata: voc12\ncolumns: {iu: {header: IU, metric: mean_iu}}\n"
        "rows: {raw: {label: [R]}, norm: {label: [N]}, early: {label: [E]}}\n"
    )
    write_text(file, text)
    monkeypatch.chdir(tmp_path)
    present = table_file.load("own")
    save(store, "before", range(5), spec=replace(present, note="as it was"))
    save(store, "now", (0, 1), spec=present)
    save(store, "title", (0,), spec=replace(present, title="as it was typed"))
    assert taken(store) == "now"
    assert "a study with 3 cells, 5 seeds is of another state of the table" in " ".join(
        choice.notes([choice.of_table(store, "own")], study.load_all(store))
    )
    write_text(file, text.replace("title: T", "title: T\nnote: edited since"))
    assert taken(store) == "now", "as the newest has it, where none is as the file"
    file.unlink()
    assert taken(store) == "now", "as the newest has it, where there is no file"
    write_text(file, "rows: [")
    assert taken(store) == "now", "or a broken one"


def test_results_of_other_code_come_after_those_of_this(store: Store) -> None:
    modules = ("data/sets/synthetic_voc",)
    this = Code(store.cache).identity(modules)
    whole, toy = save(store, "whole", (0, 1, 2)), save(store, "toy")

    def made_by(code: str, *runs: str) -> None:
        for signature in runs:
            run = store.run(signature)
            result = run.result()
            assert result is not None
            run.record_result(replace(result, code=code, modules=modules))

    for cell in whole.cells:
        write_run(store, f"own quick  {cell.row} {cell.seed}", 0.5, cell.seed)
    assert taken(store) == "whole", "unknown code has made all of both"
    made_by(this, *toy.signatures)
    assert taken(store) == "toy"
    (sentence,) = choice.notes([toy], study.load_all(store))
    assert "a study with 3 cells, 3 seeds has results made by other code" in sentence
    made_by(this, *whole.signatures)
    assert taken(store) == "whole"
    assert choice.notes([whole], study.load_all(store)) == []


def test_trial_does_not_replace_a_whole_table_on_disk(store: Store) -> None:
    def kept(one: Study) -> tuple[str, str]:
        found, why = choice.kept_on_disk(one, study.load_all(store), store)
        return found.name, why

    first = save(store, "first")
    assert kept(first) == ("first", "")
    assert kept(save(store, "whole", (0, 1, 2))) == ("whole", "")
    assert kept(save(store, "toy")) == ("whole", "has fewer cells or seeds")
    assert kept(save(store, "short", range(3), overrides=["recipe.iterations=3"])) == ("whole", "has other settings")
    edited = replace(table_of(ROWS), note="edited")
    assert kept(save(store, "rows", (0, 1, 2), rows=ROWS[:1], spec=edited))[0] == "whole"
    assert kept(save(store, "trial", spec=edited)) == ("whole", "has a single seed or some of the cells")
    assert taken(store) == "trial"
    assert kept(save(store, "again", (0, 1), spec=edited)) == ("again", "")


def test_study_that_is_named_stands_alone_for_its_table_and_a_mistake_is_answered(store: Store) -> None:
    with pytest.raises(UserError, match="there is no study here yet"):
        choice.only([], "toy")
    save(store, "whole-1", (0, 1, 2))
    toy = save(store, "toy-1")
    photos = save(store, "photos-1", profile="photos")
    every = study.load_all(store)
    assert choice.only(every, None) == every
    assert choice.only(every, "toy-1") == [toy, photos]
    assert choice.one_of_each(choice.only(every, "toy-1"), store) == [toy, photos]
    with pytest.raises(UserError, match=r"unknown study 'whole-2'\. Did you mean 'whole-1'"):
        choice.only(every, "whole-2")
    choice.check_named("toy-1", [toy], every)
    with pytest.raises(UserError, match="--study toy-1: it is of own under profile quick, which is not asked for here"):
        choice.check_named("toy-1", [photos], every)


@given(
    st.lists(
        st.tuples(st.integers(1, 5), st.integers(1, 3), st.sampled_from(["", "x"]), st.booleans()),
        min_size=1,
        max_size=6,
    )
)
def test_any_studies_give_one_that_no_other_alike_outdoes(asked: list[tuple[int, int, str, bool]]) -> None:
    store = Store(Path("nowhere"))
    every = []
    for number, (seeds, rows, state, as_it_is) in enumerate(asked):
        cells = [
            StudyCell(row, "iu", seed, signature_of(f"{state} {as_it_is} {row} {seed}"))
            for row in ROWS[:rows]
            for seed in range(seeds)
        ]
        overrides = () if as_it_is else ("recipe.iterations=3",)
        parts = (overrides, tuple(range(seeds)), table_of(ROWS), tuple(cells))
        every.append(Study(f"s{number}", f"2026-01-0{number + 1}", "quick", *parts))
    chosen = choice.choose(every, store)
    plain = [one for one in every if not one.overrides]
    newest = (plain or every)[-1]
    alike = [one for one in every if one.cells[0].signature == newest.cells[0].signature]
    assert chosen is max(alike, key=lambda one: (len({cell.row for cell in one.cells}), len(one.seeds), one.created))
    told = {choice.why_not(one, chosen) for one in alike if one is not chosen}
    assert told <= {"is older", "has fewer cells or seeds"}
    assert all(choice.why_not(one, chosen) == "has other settings" for one in every if one not in alike)
