"""What users and others give to commands: configurations, data, weights, archives and words."""

from __future__ import annotations

import pytest

from tests.hostile.conftest import SEED, Counted
from tests.hostile.corpus import configuration, data, stores, weights, words

pytestmark = pytest.mark.hostile


@pytest.mark.parametrize("group", configuration.MAKERS, ids=lambda group: group.__name__)
def test_tables_and_configurations(hostile: Counted, group: stores.Group) -> None:
    hostile.expect_harmless(group(hostile.base, SEED))


@pytest.mark.parametrize("group", data.GROUPS, ids=lambda group: group.__name__)
def test_data(hostile: Counted, group: stores.Group) -> None:
    hostile.expect_harmless(group(hostile.base, SEED))


@pytest.mark.parametrize("group", weights.GROUPS, ids=lambda group: group.__name__)
def test_weights(hostile: Counted, group: stores.Group) -> None:
    hostile.expect_harmless(group(hostile.base, SEED))


@pytest.mark.parametrize("group", words.GROUPS, ids=lambda group: group.__name__)
def test_words(hostile: Counted, group: stores.Group) -> None:
    hostile.expect_harmless(group(hostile.base, SEED))
