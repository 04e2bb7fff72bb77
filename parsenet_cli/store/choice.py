"""Which study of a table `table`, `verify`, `report`, `figure` and `export` take where a results folder holds several.

Studies of one table and profile agree where their frozen tables are the same and so is the run behind every cell and seed that
two of them share: then they were asked for with the same settings and say the same, and the one with the most cells, then seeds,
says most. A signature stands for all that can change a number (profile, recipe, data, overrides), so nothing is composed for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache

from parsenet_cli.config import table_file
from parsenet_cli.config.overrides import LISTED
from parsenet_cli.config.table import TableSpec
from parsenet_cli.core.code import OTHER, Code
from parsenet_cli.core.errors import UserError, unknown
from parsenet_cli.core.run_config import Runtime
from parsenet_cli.store.run import Store
from parsenet_cli.store.study import STUDIES, Study, load_all

_NO_CHANGE = {*Runtime.model_fields, "seed"}
"""Keys of overrides that say how, where and with which seed runs are carried out, and not what they are."""


def choose(studies: Sequence[Study], store: Store) -> Study:
    """The study that is taken of these, which are of one table and profile, oldest first, and at least one.

    It is of the table as its file has it now; where none is, or there is no file, as the newest has it. Of these it agrees
    with the newest among those that the fewest overrides change. Of these it has the most cells, then the most seeds, then
    it is the newest. Those with results of other code come last; results are read only where there is a choice.
    """
    if len(studies) == 1:
        return studies[0]
    present = _of_the_present_table(studies)
    reference = max(present, key=lambda each: (-len(changes(each)), each.created))
    agreeing = sorted((each for each in present if _same_runs(each, reference)), key=_size, reverse=True)
    return _by_this_code(agreeing, store)


def one_of_each(studies: Sequence[Study], store: Store) -> list[Study]:
    """The study that is taken of each table and profile, in the order in which these first occur."""
    return [choose(alike, store) for alike in _by_table(studies).values()]


def of_table(store: Store, table: str, profile: str | None = None, studies: Sequence[Study] | None = None) -> Study:
    """The study that is taken of a table under a profile (None: that of the newest), or the one of exactly that name.

    `studies`: those of the store, where they were read already.

    Raises:
        UserError: there is none.
    """
    studies = load_all(store) if studies is None else studies
    if called := [study for study in studies if study.name == table]:
        return called[-1]
    if of_it := [study for study in studies if study.table.name == table and profile in (None, study.profile)]:
        return choose([study for study in of_it if study.profile == of_it[-1].profile], store)
    if table in table_file.GROUPS:
        means, tables = table_file.GROUPS[table], ", ".join(table_file.names(table))
        raise UserError(f"'{table}' means {means}, where one table is expected: {tables or 'there is none'}")
    known = sorted({study.table.name for study in studies} | set(table_file.names()))
    if table not in known:
        raise unknown("table", table, known, LISTED)
    under, option = (f" under profile {profile}", f" --profile {profile}") if profile else ("", "")
    raise UserError(f"{store.root}: {table} has not been run{under} yet. Run `parsenet ablate {table}{option}` first")


def only(studies: Sequence[Study], name: str | None) -> list[Study]:
    """The studies without the others of the table and profile of the one of this name; all where none is named.

    Raises:
        UserError: no study is called so.
    """
    if name is None:
        return list(studies)
    called = next((study for study in studies if study.name == name), None)
    if called is None and not studies:
        raise UserError(f"--study {name}: there is no study here yet. Run `parsenet ablate` first")
    if called is None:
        raise unknown("study", name, [study.name for study in reversed(studies)], f"{LISTED} {STUDIES}")
    return [study for study in studies if study is called or _place(study) != _place(called)]


def check_named(name: str | None, taken: Sequence[Study], studies: Sequence[Study]) -> None:
    """Raise `UserError` where the study of this name is none of those that are taken: of another table or profile."""
    if name is not None and name not in [study.name for study in taken]:
        called = next(study for study in studies if study.name == name)
        raise UserError(
            f"--study {name}: it is of {called.table.name} under profile {called.profile}, which is not asked for here"
        )


def changes(study: Study) -> list[str]:
    """The overrides of its command that make other runs than the table and the profile say."""
    return sorted(text for text in study.overrides if text.partition("=")[0] not in _NO_CHANGE)


def why_not(study: Study, taken: Study) -> str:
    """Why a study is passed over for another of its table and profile, as what is said of it."""
    if not _same_table(study.table, taken.table):
        return "is of another state of the table"
    if not _same_runs(study, taken):
        return "has other settings"
    if _size(study) > _size(taken):
        return f"has results {OTHER}"
    return "is older" if _size(study)[:2] == _size(taken)[:2] else "has fewer cells or seeds"


def notes(taken: Iterable[Study], studies: Sequence[Study]) -> list[str]:
    """A sentence for each study that is taken though another of its table and profile has more seeds or, with as many, cells."""
    sentences = []
    by_table = _by_table(studies)
    for each in taken:
        most = max(by_table[_place(each)], key=lambda study: (len(study.seeds), _size(study)))
        if (len(most.seeds), _cells(most)) > (len(each.seeds), _cells(each)):
            sentences.append(
                f"{each.table.name} ({each.profile}): shown with {amount(each)}; a study with {amount(most)} "
                f"{why_not(most, each)}: `parsenet table --study {most.name}`"
            )
    return sentences


def kept_on_disk(study: Study, studies: Sequence[Study], store: Store) -> tuple[Study, str]:
    """The study whose table lies under results/tables/ where `study` was carried out now, and why that is another, if it is.

    It is the one that is taken. But what has a single seed, or some of its table's cells, does not replace a whole table with
    several seeds, also where that is as the table or the settings were before.
    """
    alike = _by_table(studies)[_place(study)]
    kept = taken = choose(alike, store)
    whole = [each for each in alike if _is_whole(each) and changes(each) == changes(taken)]
    if whole and not _is_whole(taken):
        kept = max(whole, key=_size)
    if kept.name == study.name:
        return kept, ""
    return kept, "has a single seed or some of the cells" if taken.name == study.name else why_not(study, taken)


def amount(study: Study) -> str:
    """`11 cells, 3 seeds`."""
    counts = ((_cells(study), "cell"), (len(study.seeds), "seed"))
    return ", ".join(f"{number} {noun}{'' if number == 1 else 's'}" for number, noun in counts)


def _place(study: Study) -> tuple[str, str]:
    return study.table.name, study.profile


def _by_table(studies: Iterable[Study]) -> dict[tuple[str, str], list[Study]]:
    """By table and profile, oldest first."""
    found: dict[tuple[str, str], list[Study]] = {}
    for study in sorted(studies, key=lambda study: study.created):
        found.setdefault(_place(study), []).append(study)
    return found


def _cells(study: Study) -> int:
    """Those that have runs."""
    return len({cell.key for cell in study.cells if cell.signature})


def _size(study: Study) -> tuple[int, int, str]:
    return _cells(study), len(study.seeds), study.created


def _is_whole(study: Study) -> bool:
    """Whether it has several seeds of all of its table's cells."""
    return len(study.seeds) > 1 and {cell.key for cell in study.table.cells()} <= {cell.key for cell in study.cells}


def _of_the_present_table(studies: Sequence[Study]) -> list[Study]:
    """Those whose frozen table is the file's; where none is, those whose it is the newest's."""
    newest = studies[-1].table
    if all(_same_table(study.table, newest) for study in studies):  # no file has to be read to tell them apart
        return list(studies)
    try:
        file = table_file.load(newest.name)
    except UserError:  # it has none, or a broken one, which is not what is asked for here
        file = newest
    return [s for s in studies if _same_table(s.table, file)] or [s for s in studies if _same_table(s.table, newest)]


def _same_table(table: TableSpec, other: TableSpec) -> bool:
    """The title is left aside: that of a grid is the command as it was typed, with its seeds."""
    return replace(table, title=other.title) == other


def _same_runs(study: Study, other: Study) -> bool:
    """Whether the same run stands behind every cell and seed of both."""
    runs = {(cell.key, cell.seed): cell.signature for cell in other.cells}
    return all(runs.get((cell.key, cell.seed), cell.signature) == cell.signature for cell in study.cells)


def _by_this_code(studies: Sequence[Study], store: Store) -> Study:
    """The first without a result of other or unknown code; the first of all where each has one."""
    if len(studies) == 1:
        return studies[0]
    code = Code(store.cache)

    @cache
    def other_code(signature: str) -> bool:
        result = store.run(signature).result()
        return result is not None and bool(code.remark(result.code, result.modules))

    return next((study for study in studies if not any(map(other_code, study.signatures))), studies[0])
