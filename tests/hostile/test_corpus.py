"""The corpus itself: nothing that can be issued is left out."""

from __future__ import annotations

import pytest

from tests.hostile.conftest import SEED, Counted
from tests.hostile.corpus import commands, configuration, data, processes, stores, weights, words

pytestmark = pytest.mark.hostile


def test_every_command_meets_something_hostile(hostile: Counted) -> None:
    groups = (*stores.GROUPS, *configuration.MAKERS, *data.GROUPS, *weights.GROUPS, *words.GROUPS, *processes.GROUPS)
    cases = [case for group in groups for case in group(hostile.base, SEED)]
    cases += [case for kind in stores.RUN_FILES for case in stores.json_texts(hostile.base, SEED, kind)]
    issued = {case.command for case in cases}
    assert [name for name, command in commands.ALL.items() if command not in issued] == []
