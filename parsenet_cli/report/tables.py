"""The sentence under a table whose runs deviate from the protocol of its rows."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from parsenet_cli.config import deviations
from parsenet_cli.config.deviations import Deviation
from parsenet_cli.config.protocol import STAND_INS
from parsenet_cli.core.files import write_text
from parsenet_cli.report.formats import render
from parsenet_cli.report.paper_table import tabulate
from parsenet_cli.store.frame import results_frame
from parsenet_cli.store.run import Store
from parsenet_cli.store.study import Study

if TYPE_CHECKING:
    from rich.console import RenderableType


def deviating(study: Study, store: Store) -> list[str]:
    """One sentence that names what deviates from what the cells set (deviations.py has the rule), or nothing.

    Profiles other than `paper` replace data, network and numbers by design, and the caption says so: of their runs only
    what the command line changed is named. Runs whose result holds no protocol are passed over.
    """
    said = {
        (cell.row.key, cell.column.key): deviations.cell_settings(cell.overrides)
        for cell in study.table.cells(cited=True)
        if study.table.base or cell.row.overrides or cell.column.overrides  # else it is a run by itself
    }
    chosen = None if study.profile == "paper" else {text.partition("=")[0] for text in study.overrides}
    cells: dict[str, list[tuple[str, str]]] = {}
    for cell in study.cells:
        if cell.signature:
            cells.setdefault(cell.signature, []).append((cell.row, cell.column))
    counts: Counter[str] = Counter()
    judged = 0
    for signature, places in cells.items():
        protocol = (r := store.run(signature).result()) and r.protocol
        if not protocol:
            continue
        judged += 1
        switches = deviations.from_json(protocol)
        found = {
            d.text for place in places for d in deviations.deviations(switches, said.get(place)) if _told(d, chosen)
        }
        counts.update(sorted(found))
    if not counts:
        return []
    words = [text if count == judged else f"{text} ({count} of {judged} runs)" for text, count in counts.items()]
    return [f"Deviates from the protocol of these rows in {'; '.join(words)}."]


def _told(deviation: Deviation, chosen: set[str] | None) -> bool:
    if chosen is None:
        return True
    group = deviation.key.partition(".")[0]
    return deviation.key not in STAND_INS and (deviation.key in chosen or group in chosen)


SUFFIXES = {"md": "md", "latex": "tex", "csv": "csv"}


def for_terminal(study: Study, store: Store) -> RenderableType:
    """The table for a rich console."""
    return render.to_terminal(tabulate(study, results_frame(study, store), warnings(study, store)))


def as_text(study: Study, store: Store, form: str) -> str:
    """The table as `md` or `latex`, the long frame as `csv`."""
    lines = results_frame(study, store)
    if form == "csv":
        return render.to_csv(lines)
    table = tabulate(study, lines, warnings(study, store))
    return render.to_markdown(table) if form == "md" else render.to_latex(table)


def write(study: Study, store: Store) -> list[Path]:
    """Write results/tables/<profile>/<table>.{md,tex,csv}; files that would not change are left alone."""
    written = []
    for form, suffix in SUFFIXES.items():
        file = store.tables / study.profile / f"{study.table.name}.{suffix}"
        text = as_text(study, store, form)
        if not file.is_file() or file.read_text() != text:
            write_text(file, text)
            written.append(file)
    return written


def warnings(study: Study, store: Store) -> list[str]:
    """What a reader of the table must know of the runs behind it."""
    return [*scored(study, store), *deviating(study, store), *mixed(study, store)]


def scored(study: Study, store: Store) -> list[str]:
    """One sentence that says over which classes and pixels the scores are taken."""
    results = [store.run(signature).result() for signature in study.signatures]
    found = dict.fromkeys(result.convention for result in results if result and result.convention)
    return [f"Scored: {'; others: '.join(found)}."] if found else []


def mixed(study: Study, store: Store) -> list[str]:
    """Sentences that warn of runs made by different code, versions or devices."""
    seen: dict[str, set[str]] = {"states of the code": set(), "sets of versions": set(), "devices": set()}
    for signature in study.signatures:
        run = store.run(signature)
        if run.result() is None:
            continue
        environment = run.environment()
        seen["states of the code"].add(f"{environment.commit} {environment.uncommitted}")
        seen["sets of versions"].add(json.dumps(environment.versions, sort_keys=True))
        seen["devices"].add(str(environment.device))
    words = [f"{len(values)} different {what}" for what, values in seen.items() if len(values) > 1]
    return [f"The runs behind this table were made with {', '.join(words)}."] if words else []
