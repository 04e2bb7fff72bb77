"""The tables of a study as text, on the terminal and under results/tables/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from parsenet_cli.files import write_text
from parsenet_cli.report import render
from parsenet_cli.report.frame import frame
from parsenet_cli.report.protocol_note import deviating
from parsenet_cli.report.table import tabulate
from parsenet_cli.store import Store
from parsenet_cli.study import Study

if TYPE_CHECKING:
    from rich.console import RenderableType

SUFFIXES = {"md": "md", "latex": "tex", "csv": "csv"}


def for_terminal(study: Study, store: Store) -> RenderableType:
    """The table for a rich console."""
    return render.to_terminal(tabulate(study, frame(study, store), warnings(study, store)))


def as_text(study: Study, store: Store, form: str) -> str:
    """The table as `md` or `latex`, the long frame as `csv`."""
    lines = frame(study, store)
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
    found = dict.fromkeys(result["convention"] for result in results if result and "convention" in result)
    return [f"Scored: {'; others: '.join(found)}."] if found else []


def mixed(study: Study, store: Store) -> list[str]:
    """Sentences that warn of runs made by different code, versions or devices."""
    seen: dict[str, set[str]] = {"states of the code": set(), "sets of versions": set(), "devices": set()}
    for signature in study.signatures:
        run = store.run(signature)
        if run.result() is None:
            continue
        environment = run.environment()
        seen["states of the code"].add(f"{environment.get('commit')} {environment.get('uncommitted')}")
        seen["sets of versions"].add(json.dumps(environment.get("versions"), sort_keys=True))
        seen["devices"].add(str(environment.get("device")))
    words = [f"{len(values)} different {what}" for what, values in seen.items() if len(values) > 1]
    return [f"The runs behind this table were made with {', '.join(words)}."] if words else []
