"""`keep` promises the same numbers, and says where they may be or are others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parsenet_cli.cli import predict, run
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.store.run import Store
from tests import made_store


@pytest.mark.parametrize("number", [0.46254, 0.46267])
def test_keep_says_that_the_numbers_may_be_others_and_both_where_they_are(
    store: Store,
    config: RunConfig,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: float,
) -> None:
    made = made_store.add_run(store, config, metrics={"mean_iu": 0.46254}, code="0123456789ab", ran_out_of_memory=True)

    def train_again(*_: object, **__: object) -> None:
        made.record_result(replace(made.done_result(), metrics={"mean_iu": number}))

    monkeypatch.setattr(run, "run_plans", train_again)
    predict.keep(made.signature, None, store.root)
    told = capsys.readouterr().err
    assert f"{made.signature}: made by other code, so its numbers may be others now" in told
    assert f"{made.signature}: its memory ran out on the way, so its numbers may be others now" in told
    assert ("mean IU 0.46254 -> 0.46267" in told) == (number != 0.46254)
