"""The tables of studies, on the terminal and under results/tables/."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from parsenet_cli.config import deviations
from parsenet_cli.config.deviations import Deviation, Setting
from parsenet_cli.config.protocol import STAND_INS
from parsenet_cli.config.table import CellKey
from parsenet_cli.core.code import REMEDY, told
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import is_plain, read_bytes, write_text
from parsenet_cli.report import formats
from parsenet_cli.report.blocks import Grid
from parsenet_cli.report.paper_table import paper_grid
from parsenet_cli.store.frame import results_frame
from parsenet_cli.store.run import Store
from parsenet_cli.store.study import Study, StudyRun, read_runs

WRITTEN = ("markdown", "latex", "csv")
"""The formats of results/tables/."""

Runs = Mapping[str, StudyRun]


def study_grid(study: Study, store: Store, runs: Runs | None = None) -> Grid:
    """The table of a study as it stands; every file of a run is read once, now unless its `runs` are given."""
    runs = read_runs([study], store) if runs is None else runs
    frame, footnotes = results_frame(study, runs), code_notes(study, runs)
    return paper_grid(study, frame, setting(study, runs), warnings(study, runs), footnotes=footnotes)


def write(grid: Grid, study: Study, store: Store) -> list[Path]:
    """Write results/tables/<profile>/<table>.{md,tex,csv}; files that would not change are left alone."""
    written = []
    for name in WRITTEN:
        table_format = formats.find(name)
        file = store.tables / study.profile / f"{study.table.name}.{table_format.SUFFIX}"
        text = table_format.text(grid)
        if not is_plain(file) or read_bytes(file) != text.encode():
            write_text(file, text)
            written.append(file)
    return written


def setting(study: Study, runs: Runs) -> str:
    """Data and trunk behind a table, for its caption: `synthetic_voc, vgg_tiny`; empty while nothing is known."""
    settings = dict.fromkeys(filter(None, (_setting(runs[signature]) for signature in study.signatures)))
    return " and ".join(settings)


def _setting(read: StudyRun) -> str:
    """As its result says; a run that is not done is asked for its configuration, unless that is another version's."""
    if read.result and read.result.protocol:
        values = {key: value for switch in read.result.protocol for key, value in switch["settings"].items()}
    else:
        try:
            values = vars(read.run.config().science)
        except UserError:
            return ""
    return ", ".join(str(values[key]) for key in ("data", "trunk") if key in values)


def warnings(study: Study, runs: Runs) -> list[str]:
    """What a reader of the table must know of the runs behind it."""
    return [*scored(study, runs), *deviating(study, runs), *mixed(study, runs), *by_other_code(study, runs)]


def by_other_code(study: Study, runs: Runs) -> list[str]:
    """One sentence where other or unknown code has made all results; where it has made some, their cells have footnotes."""
    remarks = [read.code_remark for signature in study.signatures if (read := runs[signature]).result]
    return told(remarks) if len(set(remarks)) == 1 else []


def code_notes(study: Study, runs: Runs) -> dict[str, str]:
    """These footnotes, by signature."""
    remarks = {signature: runs[signature].code_remark for signature in study.signatures}
    every = by_other_code(study, runs)
    return {s: f"{remark}, at least in part; {REMEDY}" for s, remark in remarks.items() if remark and not every}


def scored(study: Study, runs: Runs) -> list[str]:
    """One sentence that says over which classes and pixels the scores are taken."""
    results = [runs[signature].result for signature in study.signatures]
    notes = dict.fromkeys(result.convention for result in results if result and result.convention)
    return [f"Scored: {'; others: '.join(notes)}."] if notes else []


def mixed(study: Study, runs: Runs) -> list[str]:
    """A sentence that warns of runs made by different code, versions or devices."""
    seen: dict[str, set[str]] = {"states of the code": set(), "sets of versions": set(), "devices": set()}
    for read in (runs[signature] for signature in study.signatures if runs[signature].result):
        environment = read.environment
        seen["states of the code"].add(f"{environment.commit} {environment.uncommitted}")
        seen["sets of versions"].add(json.dumps(environment.versions, sort_keys=True))
        seen["devices"].update([environment.device, *(read.result.device_names if read.result else ())])
    several = [f"{len(values)} different {what}" for what, values in seen.items() if len(values) > 1]
    return [f"The runs behind this table were made with {', '.join(several)}."] if several else []


def deviating(study: Study, runs: Runs) -> list[str]:
    """One sentence that names what deviates from what the cells set, or nothing. Runs whose result holds no protocol are passed
    over."""
    sets = what_cells_set(study)
    counts: Counter[str] = Counter()
    judged = 0
    for signature in study.signatures:
        result = runs[signature].result
        if not result or not result.protocol:
            continue
        judged += 1
        keys = [cell.key for cell in study.cells if cell.signature == signature]
        switches = result.settings
        texts = {each.text for key in keys for each in told_deviations(study, switches, sets.get(key))}
        counts.update(sorted(texts))
    if not counts:
        return []
    parts = [text if count == judged else f"{text} ({count} of {judged} runs)" for text, count in counts.items()]
    return [f"Deviates from the protocol of these rows in {'; '.join(parts)}."]


def is_table(study: Study) -> bool:
    """Whether its cells set anything; else what it holds is a run by itself."""
    spec = study.table
    return any((spec.base, *(row.overrides for row in spec.rows), *(column.overrides for column in spec.columns)))


def what_cells_set(study: Study) -> dict[CellKey, dict[str, Any]]:
    """What each cell sets, by key (`deviations.cell_settings`); none where a run by itself stands there."""
    return {
        cell.key: deviations.cell_settings(cell.overrides)
        for cell in study.table.cells(cited=True)
        if study.table.base or cell.row.overrides or cell.column.overrides
    }


def told_deviations(study: Study, settings: Sequence[Setting], sets: Mapping[str, Any] | None) -> list[Deviation]:
    """What deviates in a run from what its cell sets (config/deviations.py has the rule), as far as a reader is told.

    Profiles other than `paper` replace data, network and numbers by design, and the caption says so: of their runs only
    what the command line changed is named.
    """
    changed = None if study.profile == "paper" else {text.partition("=")[0] for text in study.overrides}
    return [each for each in deviations.deviations_of(settings, sets) if _is_told(each, changed)]


def _is_told(deviation: Deviation, changed: set[str] | None) -> bool:
    if changed is None:
        return True
    group = deviation.key.partition(".")[0]
    return deviation.key not in STAND_INS and (deviation.key in changed or group in changed)
