"""Every command that reads, over results folders that somebody else has written."""

from __future__ import annotations

import pytest

from tests.hostile.conftest import SEED, Counted
from tests.hostile.corpus import stores

pytestmark = pytest.mark.hostile


@pytest.mark.parametrize("kind", stores.RUN_FILES)
def test_json_of_another_shape(hostile: Counted, kind: str) -> None:
    hostile.expect_harmless(stores.json_texts(hostile.base, SEED, kind))


@pytest.mark.parametrize("kind", stores.RUN_FILES)
def test_json_with_another_value(hostile: Counted, kind: str) -> None:
    hostile.expect_harmless(stores.json_values(hostile.base, SEED, kind))


@pytest.mark.parametrize("kind", stores.ARRAYS)
def test_arrays(hostile: Counted, kind: str) -> None:
    hostile.expect_harmless(stores.arrays(hostile.base, SEED, kind))


@pytest.mark.parametrize("group", stores.GROUPS, ids=lambda group: group.__name__)
def test_store(hostile: Counted, group: stores.Group) -> None:
    hostile.expect_harmless(group(hostile.base, SEED))
