"""Studies as a reader looks for them: by table, newest first, and under names that users choose."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parsenet_cli.config import sweep
from parsenet_cli.config.table import TableSpec
from parsenet_cli.core.errors import UserError
from parsenet_cli.store import study
from parsenet_cli.store.run import Store
from parsenet_cli.store.study import Place, Study, StudyCell


def grid(name: str, *arguments: str) -> TableSpec:
    spec, _ = sweep.expand(arguments or ("norm=none,l2",))
    return replace(spec, name=name)


def save(store: Store, name: str, seeds: int = 1, profile: str = "quick", first: int = 0) -> Study:
    """A study of two rows; the signatures of its runs count from `first`."""
    spec = grid(name)
    cells = tuple(
        StudyCell(row.key, "mean_iu", seed, f"{first + number * 10 + seed:012x}")
        for number, row in enumerate(spec.rows)
        for seed in range(seeds)
    )
    return study.save(Study(f"{name}-{profile}-{seeds}", "", profile, (), tuple(range(seeds)), spec, cells), store)


def test_places_are_in_reading_order_and_each_once(store: Store) -> None:
    save(store, "t10", first=0x100)
    save(store, "t2", seeds=1)
    save(store, "t2", seeds=2)  # the newest; serves the same runs, and more
    places = study.places(study.load_all(store))
    assert [int(signature, 16) for signature in places] == [0, 1, 10, 11, 0x100, 0x10A]
    assert places[f"{0:012x}"] == [Place("t2", "quick", "norm=none", "mean_iu", 0)]
    brief = study.labels(study.in_reading_order([*study.load_all(store), replace(save(store, "t3"))]), brief=True)
    assert brief[f"{0:012x}"] == "t2 norm=none seed 0 (+1)"


def test_selected_are_those_of_a_table_a_profile_or_a_name(store: Store) -> None:
    for name, profile in (("a", "quick"), ("a", "photos"), ("b", "quick")):
        save(store, name, profile=profile)
    every = study.load_all(store)

    def names(*tables: str, profile: str | None = None) -> list[str]:
        return [each.name for each in study.selected(every, tables, profile)]

    assert names() == [each.name for each in every]
    assert names("a") == ["a-quick-1", "a-photos-1"]
    assert names("a", "b", profile="quick") == ["a-quick-1", "b-quick-1"]
    assert names("a-photos-1") == ["a-photos-1"]
    with pytest.raises(UserError, match=r"table 'aa'.*Did you mean 'a'"):
        names("aa")
    with pytest.raises(UserError, match="table4 has not been run yet"):
        names("table4")
    with pytest.raises(UserError, match=r"profile among the studies: 'quik'\. Did you mean 'quick'"):
        names(profile="quik")
    assert study.selected([], (), "quick") == []


def test_name_of_a_grid_is_free_or_its_own(store: Store) -> None:
    study.check_name_is_free(grid("mine1"), store)
    save(store, "mine1")
    study.check_name_is_free(grid("mine1"), store)
    study.check_name_is_free(grid("mine1", "norm=none,l2", "seed=range(3)"), store)
    with pytest.raises(
        UserError, match=r"another content is called so .*none, l2.*choose another --name, or remove .*mine1"
    ):
        study.check_name_is_free(grid("mine1", "fusion=early,late"), store)
    with pytest.raises(UserError, match="another content"):
        study.check_name_is_free(replace(sweep.single([])[0], name="mine1"), store)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("table4", r"means a table \(`parsenet list table4`\)"),
        ("all", "means the paper's tables"),
        ("studies", "means what was issued"),
        ("../x", "cannot be the name of a file"),
        ("", "cannot be the name of a file"),
        ("x" * 101, "at most 100 bytes"),
    ],
)
def test_name_that_means_something_else_or_nothing_is_refused(store: Store, name: str, why: str) -> None:
    with pytest.raises(UserError, match=why):
        study.check_name_is_free(grid(name), store)
