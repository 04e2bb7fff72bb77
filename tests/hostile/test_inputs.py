"""What users and others give to commands: configurations, data, weights, archives and words."""

from __future__ import annotations

import pytest

from tests.hostile.conftest import SEED, Counted
from tests.hostile.corpus import configuration, data, stores, weights, words

pytestmark = pytest.mark.hostile


GROUPS = (*configuration.MAKERS, *data.GROUPS, *weights.GROUPS, *words.GROUPS)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: f"{group.__module__.rpartition('.')[2]}-{group.__name__}")
def test_input(hostile: Counted, group: stores.Group) -> None:
    hostile.expect_harmless(group(hostile.base, SEED))
