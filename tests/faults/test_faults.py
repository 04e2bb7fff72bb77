"""Whatever happens to its processes and files, a study ends with the table that it would have had."""

from __future__ import annotations

import pytest

from tests.faults.conftest import repeat
from tests.faults.journey import Journey


@pytest.mark.faults
def test_study_ends_as_if_nothing_had_happened(travelled: Journey) -> None:
    journey = travelled
    said = [f"{problem.kind}: {problem.text}" for problem in journey.problems]
    told = "\n".join([*said, "", *map(str, journey.injections), f"in {journey.folder}; again:", repeat(journey.name)])
    if journey.problems:
        pytest.fail(told, pytrace=False)
    assert journey.injections, f"nothing was injected; again: {repeat(journey.name)}"
