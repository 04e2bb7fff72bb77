"""The files that belong to a run's result: result.json names their checksums, so that a damaged or exchanged one is seen.

A result from before checksums were recorded names none, and its files are believed as far as their own formats say.
"""

from __future__ import annotations

from collections.abc import Iterable

from parsenet_cli.files import Damaged, crc32_of
from parsenet_cli.store import Run


def checksums(run: Run) -> dict[str, str]:
    """The CRC-32 of each file when the result was written, by name; {} where there is no result, or an older one."""
    found: dict[str, str] = (run.result() or {}).get("files", {})
    return found


def damaged(run: Run) -> list[str]:
    """The names of those that are not what was written: gone, changed, or another training's.

    The model is left out, which may be large: `check_model` looks at it when it is used.
    """
    known = checksums(run).items()
    return [name for name, crc in known if name != run.model_file.name and _crc(run, name) != crc]


def sentences(runs: Iterable[Run]) -> list[str]:
    """What to say of each damaged file of these runs."""
    return [
        f"{run.folder / name}: is damaged, gone or another training's; what follows from it is left out"
        for run in runs
        for name in damaged(run)
    ]


def check_model(run: Run) -> None:
    """Raises `Damaged` where the model is not the one that was written with the result."""
    name, known = run.model_file.name, checksums(run)
    if known and _crc(run, name) != known.get(name):
        from parsenet_cli import keep

        raise Damaged(
            f"{run.model_file}: is damaged or another training's: its checksum is not the one in result.json. Remove it; "
            f"{keep.command(run)} then trains the run again and keeps its model"
        )


def _crc(run: Run, name: str) -> str | None:
    try:
        return crc32_of(run.folder / name)
    except OSError:
        return None
