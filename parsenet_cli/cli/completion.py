"""What the shell can complete a word to, and the script that makes bash ask for it.

`parsenet --install-completion` sets it up for the shell it is called from, `--show-completion` prints it. The shell then calls
`parsenet` with `_PARSENET_COMPLETE` set and the line in other variables; zsh and fish have typer's scripts, bash has ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, get_args

import typer

if TYPE_CHECKING:
    from parsenet_cli.store.run import Store

Complete = Callable[[typer.Context, str], list[str]]
"""From the words before (parsed, as far as they are there) and the beginning of a word to what it can become."""

_BASH = r"""
# Readline breaks words at = and :, so that fusion=l is three words. They are joined again by the text of the line, and of an
# answer only what stands behind the last break is given back ($2 is what readline will replace).
_parsenet_completion() {
    local IFS=$'\n' rest=${COMP_LINE:0:COMP_POINT} words=() i word trimmed answer
    for ((i = 0; i <= COMP_CWORD; i++)); do
        trimmed=${rest#"${rest%%[![:space:]]*}"} word=${COMP_WORDS[i]}
        ((i == COMP_CWORD)) && word=$trimmed
        if ((i > 0)) && [[ $trimmed == "$rest" ]]; then words[-1]+=$word; else words+=("$word"); fi
        rest=${trimmed#"$word"}
    done
    local current=${words[-1]}
    [[ $current == [\"\']* ]] && current=${current:1}
    local kept=${current%"$2"}
    COMPREPLY=()
    while read -r answer; do
        [[ $answer ]] && COMPREPLY+=("${answer#"$kept"}")
    done < <(env COMP_WORDS="${words[*]}" COMP_CWORD=$((${#words[@]} - 1)) _PARSENET_COMPLETE=complete_bash \
        "${1/#\~/$HOME}" 2> /dev/null)
    # More may follow what ends in = and a list with commas, unless its bracket is closed.
    if [[ ${COMPREPLY[0]} == *[=[] || ( ${COMPREPLY[0]} == *,* && ${COMPREPLY[0]} != *']' ) ]]; then
        compopt -o nospace
    fi
}

complete -o default -F _parsenet_completion parsenet
"""


def use_own_bash_script() -> None:
    """Make typer install and show our script for bash.

    Typer's gives readline whole words where it replaces what stands behind `=`, and a space behind `fusion=`. Typer has no
    public way to replace it; a version of it without this table keeps its own script.
    """
    from typer import _completion_shared

    scripts = getattr(_completion_shared, "_completion_scripts", {})
    scripts["bash"] = _BASH.replace("%", "%%")  # typer fills its scripts in with %


_PLAIN = re.compile(r"[\w.,=+\[\]-]+")
"""What a shell takes as it is: zsh evaluates the answers, some of which are names of somebody else's files."""


def _completing(candidates: Callable[[typer.Context, str], Iterable[str]]) -> Complete:
    """Those of the candidates that begin with the text."""

    def complete(ctx: typer.Context, text: str) -> list[str]:
        try:
            possible = dict.fromkeys(candidates(ctx, text))
            return [each for each in possible if each.startswith(text) and _PLAIN.fullmatch(each)]
        except Exception:  # a file that cannot be read, say: an error would stand in the middle of what is being typed
            return []

    return complete


def _overrides(_: typer.Context, text: str) -> list[str]:
    """`fus` -> `fusion=early`, `fusion=late`; `rec` -> `recipe=`, `recipe.lr=` …; `norm=none,` -> `norm=none,l2`.

    The only key is followed by its values, so that no shell puts a space behind its `=`.
    """
    from parsenet_cli.config.blocks import block_options
    from parsenet_cli.config.overrides import AXES, RECIPE_KEYS
    from parsenet_cli.core.blocks import GROUPS

    key, equals, value = text.partition("=")
    if equals:
        return [f"{key}={rest}" for rest in _values(key, value)]
    known = [*AXES, "recipe", *RECIPE_KEYS, "launcher", *_launcher_options(), *GROUPS, *block_options()]
    keys = [name for name in known if name.startswith(key)]
    values = _values(keys[0], "") if len(keys) == 1 else []
    return [f"{keys[0]}={rest}" for rest in values] or [f"{name}=" for name in keys]


def _values(key: str, value: str) -> list[str]:
    """What the value of an override can become; a list is offered what is not in it yet."""
    from parsenet_cli.config.blocks import block_options
    from parsenet_cli.config.overrides import axis_choices

    choices = block_options().get(key) or axis_choices(key)
    if key != "layers":
        return _list_items(choices, value)
    before, bracket, inside = value.rpartition("[")
    if not bracket or "]" in inside:
        return [f"{value}["] if not value or value.endswith("],") else []
    items = [item for item in _list_items(choices, inside) if item.startswith(inside)]
    if len(items) == 1:
        items = [f"{items[0]},", f"{items[0]}]"]
    return [f"{before}[{item}" for item in items]


def _list_items(choices: Iterable[str], text: str) -> list[str]:
    """The texts that begin like `text`, a list with commas, and end in one choice that it has not named before."""
    before, comma, _ = text.rpartition(",")
    return [f"{before}{comma}{choice}" for choice in choices if choice not in before.split(",")]


def _launcher_options() -> list[str]:
    """The options of all launchers, as `launcher.slots`."""
    from parsenet_cli.config import yaml_nodes
    from parsenet_cli.core import paths

    files = paths.yaml_files("conf/launcher").values()
    names = (name for file in files for name in yaml_nodes.read(file).mapping() if name != "name")
    return [f"launcher.{name}" for name in dict.fromkeys(names)]


def _tables(_: typer.Context, text: str) -> list[str]:
    from parsenet_cli.config import table_file

    return [*table_file.GROUPS, *table_file.names()]


def _tables_and_overrides(ctx: typer.Context, text: str) -> list[str]:
    tables = [name for name in _tables(ctx, text) if name.startswith(text)]
    return [*tables, *_overrides(ctx, text)] if text else tables


def _studies(ctx: typer.Context, text: str) -> list[str]:
    from parsenet_cli.store import study

    return study.names(_store(ctx))


def _tables_and_studies(ctx: typer.Context, text: str) -> list[str]:
    return [*_tables(ctx, text), *_studies(ctx, text)]


def _table_or_study(ctx: typer.Context, text: str) -> list[str]:
    from parsenet_cli.config import table_file

    return [*table_file.names(), *_studies(ctx, text)]


def _keys(ctx: typer.Context, text: str, part: str) -> list[str]:
    """Keys of the `rows` or `columns` of the tables that the words before name."""
    from parsenet_cli.config import table_file

    words = [*(ctx.params.get("arguments") or []), *ctx.args]  # which they are left in where an option has no value yet
    tables = [word for word in words if "=" not in word]
    specs = map(table_file.load, table_file.named(tables))
    return _list_items(dict.fromkeys(each.key for spec in specs for each in getattr(spec, part)), text)


def _signatures(ctx: typer.Context, text: str) -> list[str]:
    """Of the runs in the results folder; those that the words before name are not offered again."""
    named = {ctx.params.get("first"), *(ctx.params.get("signatures") or [])}
    return [run.signature for run in _store(ctx).runs() if run.signature not in named]


def _figures(_: typer.Context, text: str) -> list[str]:
    from parsenet_cli.report import figures

    return figures.names()


def _figure_arguments(ctx: typer.Context, text: str) -> list[str]:
    from parsenet_cli.report import figures

    options = figures.options(figures.find(ctx.params["name"]))
    return [*_tables(ctx, text), *(f"{option}=" for option in options), *_overrides(ctx, text)]


def _profiles(_: typer.Context, text: str) -> list[str]:
    from parsenet_cli.config import profile

    return profile.names()


def _formats(_: typer.Context, text: str) -> list[str]:
    from parsenet_cli.report import formats

    return formats.names()


def _releases(_: typer.Context, text: str) -> list[str]:
    from parsenet_cli.data import releases

    return releases.names()


def _weights(ctx: typer.Context, text: str) -> list[str]:
    """Sources of the trunk that --trunk names."""
    from parsenet_cli.models import trunks

    return ["imagenet", *trunks.find(ctx.params["trunk"]).sources]


def _states(_: typer.Context, text: str) -> list[str]:
    from parsenet_cli.store.result import RunState

    return _list_items(get_args(RunState), text)


def _store(ctx: typer.Context) -> Store:
    from parsenet_cli.store.run import Store

    return Store(ctx.params["results"])


def _groups(_: typer.Context, text: str) -> list[str]:
    from parsenet_cli.core.blocks import GROUPS

    return list(GROUPS)


def _of_axis(axis: str) -> Complete:
    def choices(_: typer.Context, text: str) -> list[str]:
        from parsenet_cli.config.overrides import axis_choices

        return axis_choices(axis)

    return _completing(choices)


complete_override = _completing(_overrides)
complete_table = _completing(_tables)
complete_argument = _completing(_tables_and_overrides)
complete_study = _completing(_studies)
complete_tables_and_studies = _completing(_tables_and_studies)
complete_table_or_study = _completing(_table_or_study)
complete_row = _completing(lambda ctx, text: _keys(ctx, text, "rows"))
complete_column = _completing(lambda ctx, text: _keys(ctx, text, "columns"))
complete_signature = _completing(_signatures)
complete_figure = _completing(_figures)
complete_figure_argument = _completing(_figure_arguments)
complete_profile = _completing(_profiles)
complete_format = _completing(_formats)
complete_state = _completing(_states)
complete_release = _completing(_releases)
complete_weights = _completing(_weights)
complete_group = _completing(_groups)
complete_trunk = _of_axis("trunk")
complete_launcher = _of_axis("launcher")
