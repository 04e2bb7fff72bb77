"""The sentence under a table whose runs deviate from the protocol of its rows."""

from __future__ import annotations

from collections import Counter

from parsenet_cli import deviations
from parsenet_cli.deviations import Deviation
from parsenet_cli.protocol import STAND_INS
from parsenet_cli.store import Store
from parsenet_cli.study import Study


def deviating(study: Study, store: Store) -> list[str]:
    """One sentence that names what deviates from what the cells set (deviations.py has the rule), or nothing.

    Profiles other than `paper` replace data, network and numbers by design, and the caption says so: of their runs only
    what the command line changed is named. Runs whose result holds no protocol are passed over.
    """
    said = {
        (cell.row.key, cell.column.key): deviations.said_by(cell.overrides)
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
        protocol = (store.run(signature).result() or {}).get("protocol")
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
