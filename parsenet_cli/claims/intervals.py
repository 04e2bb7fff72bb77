"""Intervals of the cells of a table, for figures and pages."""

from __future__ import annotations

import math

from parsenet_cli.claims.contrast import Contrast
from parsenet_cli.claims.expression import Reference
from parsenet_cli.claims.from_tables import estimator
from parsenet_cli.claims.interval import Interval
from parsenet_cli.claims.measured import Measurements, Undecidable
from parsenet_cli.store import Store
from parsenet_cli.study import Study


def cell_intervals(study: Study, store: Store) -> dict[tuple[str, str], Interval]:
    """(row, column) -> mean over seeds with its 95 % interval over seeds and images, percent.

    Left out are cells of which a seed is missing, those with one seed, and scores that are not defined.
    """
    of = estimator(study, Measurements([study], store))
    found = {}
    for place in dict.fromkeys((cell.row, cell.column) for cell in study.cells):
        try:
            estimate = of(Contrast(((Reference(*place, table=study.table.name), 1.0),)))
        except Undecidable:
            continue
        if math.isfinite(estimate.value):
            found[place] = estimate.interval()
    return found
