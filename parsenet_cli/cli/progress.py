"""What is shown while runs are carried out: a live table in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from parsenet_cli.cli.options import rewrite, say
from parsenet_cli.config.table import CellKey
from parsenet_cli.core.text import duration
from parsenet_cli.report.blocks import Cell, Grid, Row
from parsenet_cli.report.formats import terminal
from parsenet_cli.runner.state import progress_text, waits
from parsenet_cli.store.run import Run, Store
from parsenet_cli.store.study import Study, labels

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

LINE_EVERY_SECONDS = 20.0
"""Without a terminal: how often a line says how far the running ones are."""

PROGRESS_SECONDS = 10.0
"""Without a terminal: how often a line says how far one thing is."""


class PlainView:
    """One line per event; a failure shows the last lines of its log at once."""

    def __init__(self, studies: Sequence[Study], total: int) -> None:
        self._total = total
        self._width = len(str(total))
        self._labels = labels(studies)
        self._last = time.monotonic()
        self._heads: Sequence[str] = ()

    def print(self, text: str) -> None:
        """Write one line."""
        say(text)

    def started(self, run: Run) -> None:
        self.print(f"{'':{2 * self._width + 1}}  start  {run.signature}  {self._labels[run.signature]}")

    def finished(self, run: Run, finished: int, seconds_left: float | None) -> None:
        result = run.done_result()
        left = f"; {duration(seconds_left)} left" if seconds_left != 0 else ""
        self.print(
            f"{finished:{self._width}}/{self._total}  done   {run.signature}  {self._labels[run.signature]}: mean IU "
            f"{result.score_text}  ({result.seconds:.1f} s{left})"
        )

    def again(self, run: Run, reason: str) -> None:
        self.print(f"{'':{2 * self._width + 1}}  again  {run.signature}  {self._labels[run.signature]}: {reason}")

    def failed(self, run: Run, error: str) -> None:
        self.print(f"{'':{2 * self._width + 1}}  FAILED {run.signature}  {self._labels[run.signature]}: {error}")
        for line in run.log_tail():
            self.print(f"      | {line}")

    def refresh(
        self, active: Sequence[Run], finished: int, seconds_left: float | None, preparing: Sequence[str] = ()
    ) -> None:
        heads = [text.partition(":")[0] for text in preparing]
        for head, text in zip(heads, preparing, strict=True):
            if head and head not in self._heads:
                self.print(f"preparing: {text}")
        self._heads = heads
        if active and time.monotonic() - self._last > LINE_EVERY_SECONDS:
            self._last = time.monotonic()
            running = [f"{run.signature} {progress_text(run.status())}" for run in active if not waits(run)]
            parts = [f"running {'; '.join(running)}"] if running else []
            parts += [f"{len(active) - len(running)} in the queue"] if len(running) < len(active) else []
            self.print(f"{finished:{self._width}}/{self._total}  {'; '.join(parts)}  ({duration(seconds_left)} left)")


class LiveView(PlainView):
    """The tables that are being filled, every cell with its state; above them scroll failures."""

    def __init__(self, studies: Sequence[Study], total: int, store: Store, console: Console) -> None:
        super().__init__(studies, total)
        self._studies, self._console = studies, console
        self._texts = {s: r.score_text for study in studies for s in study.signatures if (r := store.run(s).result())}
        self._failed: set[str] = set()
        self._drawn = 0.0
        self.live: Live | None = None

    def print(self, text: str) -> None:
        self._console.print(terminal.line(text))

    def started(self, run: Run) -> None:
        return

    def finished(self, run: Run, finished: int, seconds_left: float | None) -> None:
        self._texts[run.signature] = run.done_result().score_text

    def failed(self, run: Run, error: str) -> None:
        self._failed.add(run.signature)
        super().failed(run, error)

    def refresh(
        self, active: Sequence[Run], finished: int, seconds_left: float | None, preparing: Sequence[str] = ()
    ) -> None:
        if self.live is None or time.monotonic() - self._drawn < 0.5:
            return
        self._drawn = time.monotonic()
        waiting = {run.signature: "queued" for run in active if waits(run)}
        running = {run.signature: progress_text(run.status()) for run in active if run.signature not in waiting}
        words = [f"{finished}/{self._total} runs done", f"{len(running)} running"]
        words += [f"{len(waiting)} in the queue"] if waiting else []
        words += [f"{len(self._failed)} failed"] if self._failed else []
        words += [f"{duration(seconds_left)} left"]
        self.live.update(self._tables({**running, **waiting}, preparing, " · ".join(words)))

    def _tables(self, active: dict[str, str], preparing: Sequence[str], totals: str) -> RenderableType:
        from rich.console import Group

        grids = [self._grid(study, active) for study in self._studies if active.keys() & set(study.signatures)]
        texts = [terminal.line(f"preparing: {text}") for text in preparing]
        return Group(*map(terminal.renderable, grids), *texts, terminal.line(totals, "bold"))

    def _grid(self, study: Study, active: dict[str, str]) -> Grid:
        signatures: dict[CellKey, list[str | None]] = {}
        for cell in study.cells:
            signatures.setdefault(cell.key, []).append(cell.signature)
        columns = [each for each in study.table.columns if any(key.column == each.key for key in signatures)][:4]
        rows = []
        for row in study.table.rows:
            cells = (self._cell(signatures.get(CellKey(row.key, column.key), []), active) for column in columns)
            rows.append(Row((*map(Cell, row.labels), *cells)))
        groups = tuple((column.header, ("",)) for column in columns)
        return Grid(study.table.labels, groups, tuple(rows), name=study.table.name, title=study.table.title)

    def _cell(self, signatures: Sequence[str | None], active: dict[str, str]) -> Cell:
        """`57.1 56.9 140/300, 0:07 left`: a text per seed; empty where the study has no such cell."""
        runs = [signature for signature in signatures if signature]
        if not runs:
            return Cell("n/a" if signatures else "")
        texts = [self._texts.get(s) or active.get(s) or ("failed" if s in self._failed else "·") for s in runs]
        tone = "undecided" if active.keys() & set(runs) else "supported" if self._texts.keys() >= set(runs) else ""
        return Cell(" ".join(texts), tone="failed" if self._failed & set(runs) else tone)


def open_view(studies: Sequence[Study], total: int, store: Store) -> tuple[PlainView, AbstractContextManager[Any]]:
    """The view for this terminal, and the context it is shown in."""
    if not sys.stdout.isatty():
        return PlainView(studies, total), nullcontext()
    from rich.console import Console
    from rich.live import Live

    console = Console()
    view = LiveView(studies, total, store, console)
    view.live = Live(console=console, refresh_per_second=4, transient=True)
    return view, view.live


class ProgressLine:
    """Progress on standard error: one line that is rewritten in a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._printed = float("-inf")
        self._topic = ""

    def __call__(self, text: str) -> None:
        topic, colon, _ = text.partition(":")
        now = time.monotonic()
        if self._terminal:
            rewrite(text)
        elif (colon and topic != self._topic) or now - self._printed >= PROGRESS_SECONDS:
            say(text, err=True)
            self._printed = now
        self._topic = topic

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._terminal and self._topic:
            say("", err=True)
