"""What only a process of its own shows: modules and programs beside it, workers that write, signals and hangs."""

from __future__ import annotations

import pytest

from tests.hostile.conftest import SEED, Counted
from tests.hostile.corpus import processes, stores

pytestmark = pytest.mark.hostile


@pytest.mark.parametrize("group", processes.GROUPS, ids=lambda group: group.__name__)
def test_process(hostile: Counted, group: stores.Group) -> None:
    hostile.expect_harmless(group(hostile.base, SEED))


def test_what_a_fork_could_hide(hostile: Counted) -> None:
    cases = list(processes.again(hostile.base, SEED))
    hostile.expect_harmless(iter(cases), fewest=len(cases))
