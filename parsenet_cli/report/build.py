"""`parsenet report`: from studies and runs to index.html and report.md, unless both were made from the same already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from parsenet_cli.claims.decide import Verdict
from parsenet_cli.claims.estimate import Interval
from parsenet_cli.core.files import write_text
from parsenet_cli.report.blocks import Document
from parsenet_cli.report.collect import ReportInput, collect_input, digest
from parsenet_cli.report.formats import html, markdown
from parsenet_cli.report.sections import curves, figures, panels, provenance, tables
from parsenet_cli.report.sections import summary as overview
from parsenet_cli.store.run import Store

PAGE, TEXT = "index.html", "report.md"
HEAD = 4096
"""Bytes at the beginning of both files within which the digest stands."""


@dataclass(frozen=True)
class Made:
    """Where the report lies, and whether it was written now."""

    files: tuple[Path, Path]
    written: bool


def build_report(store: Store, profile: str | None, folder: Path, force: bool = False) -> Made:
    """Write the report of the newest studies (under `profile`) into `folder`. The same store gives the same bytes.

    Raises:
        UserError: there is no study to report, or the folder may not be written.
    """
    found = collect_input(store, profile)
    made_from = digest(found)
    files = (folder / PAGE, folder / TEXT)
    if not force and all(_made_from(file, made_from) for file in files):
        return Made(files, written=False)
    document = compose(found, made_from)
    write_text(files[0], html.to_html(document))
    write_text(files[1], markdown.to_markdown(document))
    return Made(files, written=True)


def compose(found: ReportInput, made_from: str) -> Document:
    """What the report says."""
    verdicts = _verdicts(found)
    sections = [
        overview.summary(found, verdicts),
        overview.claims(found, verdicts),
        tables.section(found, _intervals(found)),
        provenance.troubles(found),
        curves.section(found),
        panels.section(found),
        *figures.sections(found),
        provenance.making(found),
        provenance.left_out(found),
    ]
    profiles = ", ".join(found.profiles)
    return Document(
        title="ParseNet, measured",
        about=(
            "The tables and claims of “ParseNet: Looking Wider to See Better” (Liu, Rabinovich, Berg; arXiv 1506.04579), "
            f"measured by parsenet under the profile{'s' if len(found.profiles) > 1 else ''} {profiles}. Made from the results "
            "folder alone; every number says from which runs it comes."
        ),
        sections=tuple(sections),
        digest=made_from,
    )


def _made_from(file: Path, wanted: str) -> bool:
    try:
        with file.open("rb") as stream:
            return wanted.encode() in stream.read(HEAD)
    except OSError:
        return False


def _verdicts(found: ReportInput) -> list[Verdict]:
    from parsenet_cli.claims.judge import judge_studies

    return [verdict for profile in found.profiles for verdict in judge_studies(found.of(profile), found.store)]


def _intervals(found: ReportInput) -> Mapping[str, Mapping[tuple[str, str], Interval]]:
    from parsenet_cli.claims.table_claims import cell_intervals

    return {study.name: cell_intervals(study, found.store) for study in found.studies}
