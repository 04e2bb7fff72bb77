"""`parsenet report`: from studies and runs to index.html and report.md, unless both were made from the same already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import open_plain, write_text
from parsenet_cli.report import redact
from parsenet_cli.report.blocks import Document
from parsenet_cli.report.collect import ReportInput, collect_input, digest
from parsenet_cli.report.formats import html, markdown
from parsenet_cli.report.redact import Private
from parsenet_cli.store.run import Store

if TYPE_CHECKING:
    from parsenet_cli.claims.verdict import Verdict

PAGE, TEXT = "index.html", "report.md"
MARK = b"parsenet-inputs"
"""Stands there before the digest: what has it may be replaced."""
HEAD = 4096
"""Bytes at the beginning of both files within which the digest stands."""


@dataclass(frozen=True)
class Built:
    """Where the report lies, and whether it was written now."""

    files: tuple[Path, Path]
    written: bool


def build_report(
    store: Store,
    profile: str | None,
    folder: Path,
    force: bool = False,
    *,
    tables: Sequence[str] = (),
    study: str | None = None,
) -> Built:
    """Write the report of the studies (under `profile`, of `tables`) into `folder`. The same store gives the same bytes.

    `study` is shown instead of the one that would be taken of its table.

    Raises:
        UserError: there is no study to report, the folder may not be written, or another page stands there.
    """
    report = collect_input(store, profile, tables, study)
    made_from = digest(report)
    files = (folder / PAGE, folder / TEXT)
    heads = [_head(file) for file in files]
    for file, head in zip(files, heads, strict=True):
        if head is not None and MARK not in head:
            raise UserError(
                f"{file}: is there already and is no report of parsenet: move it away, or choose another --out"
            )
    if not force and all(made_from.encode() in (head or b"") for head in heads):
        return Built(files, written=False)
    private = redact.of_report(report)
    document = private.document(compose(report, made_from, private))
    write_text(files[0], html.document(document))
    write_text(files[1], markdown.document(document))
    return Built(files, written=True)


def compose(report: ReportInput, made_from: str, private: Private) -> Document:
    """What the report says; `private`: what errors are shown without."""
    from parsenet_cli.claims.judge import judge_studies
    from parsenet_cli.claims.table_claims import cell_intervals
    from parsenet_cli.config.table_file import group_of
    from parsenet_cli.report.sections import figures, provenance, summary, tables

    def judged(group: str) -> list[Verdict]:
        # Each apart, as by `verify`: more tables beyond the paper, or of the user's, do not weaken what is said of it.
        under = ((s for s in report.under(p) if group_of(s.table.name) == group) for p in report.profiles)
        figures = group == "all" and report.with_figures
        return [
            verdict
            for s in under
            for verdict in judge_studies(list(s), report.store, beside=report.beside, figures=figures)
        ]

    verdicts = judged("all")
    intervals = {study.name: cell_intervals(study, report.store) for study in report.shown}
    sections = (
        summary.section(report, verdicts),
        summary.claims(verdicts),
        tables.section(report, intervals),
        *tables.beyond(report, intervals, judged("beyond")),
        *tables.own(report, intervals, judged("mine")),
        provenance.failures(report, private),
        figures.curves(report),
        figures.context(report),
        *figures.measured(report),
        provenance.making(report),
        provenance.left_out(report),
    )
    profiles = ", ".join(report.profiles)
    return Document(
        title="ParseNet, measured",
        about=(
            "The tables and claims of “ParseNet: Looking Wider to See Better” (Liu, Rabinovich, Berg; arXiv 1506.04579), "
            f"measured by parsenet under the profile{'s' if len(report.profiles) > 1 else ''} {profiles}. Made from the "
            "results folder alone; every number says from which runs it comes."
        ),
        sections=sections,
        digest=made_from,
    )


def _head(file: Path) -> bytes | None:
    """How the file begins; None where there is none. Raises `OSError` for what is no plain file."""
    try:
        with open_plain(file, follow=True) as stream:
            return stream.read(HEAD)
    except FileNotFoundError:
        return None
