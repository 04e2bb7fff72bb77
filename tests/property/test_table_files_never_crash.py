"""Whatever a table file holds, it is read as a table or answered with a `UserError` that names it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parsenet_cli.config import frozen_table, table, table_file
from parsenet_cli.config.expression import parse
from parsenet_cli.core import paths
from parsenet_cli.core.errors import UserError
from tests.claim_store import evaluate

SOURCE = (paths.shipped("ablations") / "table5.yaml").read_text()
FRAGMENTS = [*"{}[]:-\"'&*!=.~#\n ", "&a ", "*a", "null", "1e-9", "**"]


@st.composite
def edited(draw: st.DrawFn) -> str:
    """A shipped table after a few careless edits."""
    text = SOURCE
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        length = draw(st.sampled_from([0, 1, 3, 30]))
        text = text[:start] + draw(st.sampled_from(["", *FRAGMENTS])) + text[start + length :]
    return text


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ablations") / "edited.yaml"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=edited())
def test_an_edited_table_is_read_or_answered(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
    answer = ""
    try:
        spec = table_file.read(file)
    except UserError as error:
        answer = str(error)
    if answer:
        assert answer.startswith(str(file))
    else:
        assert frozen_table.from_json(frozen_table.to_json(spec)) == spec
        assert all("=" in override for cell in spec.cells(cited=True) for override in cell.overrides)


@settings(max_examples=150, deadline=None)
@given(text=st.text(st.sampled_from("ab.x0 ()<>=-+,collapsed and or margin abs[]'\n"), max_size=30))
def test_a_claim_is_an_expression_or_refused(text: str) -> None:
    try:
        expression = parse(text)
    except ValueError:
        return
    value = evaluate(text, lambda _: 1.0, margin=1.0)
    assert isinstance(value, bool) or not expression.truth


@given(
    base=st.dictionaries(st.sampled_from(["norm", "fusion", "mix", "data"]), st.sampled_from("ab")),
    column=st.dictionaries(st.sampled_from(["norm", "fusion", "mix"]), st.sampled_from("cd")),
    row=st.dictionaries(st.sampled_from(["norm", "fusion", "mix", "data"]), st.sampled_from("ef")),
)
def test_a_row_beats_its_column_and_that_the_base_key_by_key(
    base: dict[str, str], column: dict[str, str], row: dict[str, str]
) -> None:
    lowest, low, high = (tuple(f"{key}={value}" for key, value in level.items()) for level in (base, column, row))
    columns, rows = (table.Column("c", "", "mean_iu", low),), (table.Row("r", ("",), high),)
    spec = table.TableSpec("t", "", "d", ("",), columns, rows, lowest)
    [cell] = spec.cells()
    assert dict(text.split("=") for text in cell.overrides) == {"data": "d", **base, **column, **row}
