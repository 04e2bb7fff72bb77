"""What is answered to arguments that Hydra or another program would take."""

from __future__ import annotations

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given
from hypothesis import strategies as st

from parsenet_cli.config import overrides, table_file
from parsenet_cli.config.overrides import habit, key_of, value_of, values_of
from parsenet_cli.core.errors import UserError


@pytest.mark.parametrize(
    ("argument", "to_type"),
    [
        ("-m", "`parsenet sweep fusion=early,late norm=none,l2`"),
        ("--multirun", "`parsenet sweep fusion=early,late norm=none,l2`"),
        ("--cfg", "`parsenet config norm=none`"),
        ("--cfg=job", "`parsenet config norm=none`"),
        ("+norm=l2", "write norm=l2"),
        ("++recipe.lr=1e-3", "write recipe.lr=1e-3"),
        ("~norm", "write norm=VALUE"),
        ("~norm=l2", "write norm=VALUE"),
        ("hydra.run.dir=out", "--results"),
        ("context=off", "layers=[fc7] (off)"),
        ("context=none", "layers=[fc7] (off)"),
        ("context=global,none", "layers=[fc7] (off)"),
        ("context=true", "layers=[pool6,fc7] (on)"),
        ("norm=off", "norm=none (off)"),
        ("norm=on,off", "norm=l2 (on)"),
        ("weights=choice(none,pretrained)", "weights=none,pretrained"),
        ("lr=0.1", "recipe.lr=0.1"),
        ("iterations=5", "recipe.iterations=5"),
        ("learning_rate=0.1", "recipe.lr=0.1"),
        ("dataset=voc12", "data=voc12"),
    ],
)
def test_habit_is_answered_with_what_to_type(argument: str, to_type: str) -> None:
    with pytest.raises(UserError) as refused:
        key_of(argument)
    assert to_type in str(refused.value)
    assert len(f"error: {refused.value}") <= 5 * 80


@pytest.mark.parametrize(
    "argument", ["norm=none,l2", "context=global,spp", "norm_learn=false", "init=zero", "weights=none"]
)
def test_valid_override_is_no_habit(argument: str) -> None:
    assert habit(argument) == ""


@pytest.mark.parametrize(
    ("override", "to_type"),
    [
        ("norm_scale=interval(0,1)", "norm_scale=a,b,c"),
        ("norm=glob(*)", "norm=none,l2,lp"),
        ("fusion=tag(a,interval(0,1))", "fusion=early,late"),
    ],
)
def test_values_that_no_sweep_has_are_written_out(override: str, to_type: str) -> None:
    for read in (values_of, value_of):
        with pytest.raises(UserError, match="write the values out") as refused:
            read(override)
        assert str(refused.value).endswith(to_type)


def test_sweep_that_is_to_be_typed_can_be_typed() -> None:
    """A shell reads the parentheses itself where they stand in no quotes."""
    with pytest.raises(UserError, match=r"`parsenet sweep 'norm_scale=range\(1,4\)'`"):
        value_of("norm_scale=range(1,4)")


def test_habit_among_tables_is_answered() -> None:
    with pytest.raises(UserError, match="write norm=VALUE"):
        table_file.load("~norm")


_WORDS = st.one_of(
    st.from_regex(overrides._WORD, fullmatch=True),
    st.sampled_from(
        ["true", "false", "null", "nan", "inf", "infinity", "1e5", "0", "-0", "007", "1_0", "16s", "-1.50e-9"]
    ),
)


@given(st.one_of(_WORDS, st.lists(_WORDS).map(lambda words: f"[{','.join(words)}]")))
@example("[]")
@example("1e-9")
def test_a_plain_value_is_what_hydras_grammar_makes_of_it(text: str) -> None:
    expected = OverridesParser.create().parse_override(f"recipe.lr={text}").value()
    assert repr(value_of(f"recipe.lr={text}")) == repr(expected)
