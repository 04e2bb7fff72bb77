"""What words are completed to, asked for as each shell does (bash in a terminal: tests/e2e/test_completion_in_bash.py)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from parsenet_cli.cli import completion
from parsenet_cli.cli.app import app
from parsenet_cli.config import profile, table_file
from parsenet_cli.report import figures, formats
from parsenet_cli.store.run import Run, Store

Ask = Callable[[str], list[str]]


@pytest.fixture
def in_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PARSENET_RESULTS", raising=False)
    return tmp_path


@pytest.fixture
def answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], in_own_folder: Path
) -> Callable[..., str]:
    """What `parsenet` prints when a shell asks it with these variables."""

    def ask(**variables: str) -> str:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit):
            app(prog_name="parsenet")
        printed = capsys.readouterr()
        assert printed.err == ""
        return printed.out.rstrip("\n")

    return ask


@pytest.fixture
def complete(answer: Callable[..., str]) -> Ask:
    """What the last word of a line can become, asked for as bash's script does it."""

    def ask(line: str) -> list[str]:
        words = line.split(" ")
        variables = {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
        return answer(_PARSENET_COMPLETE="complete_bash", **variables).splitlines()

    return ask


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("train fus", ["fusion=early", "fusion=late"]),
        ("train fusion=", ["fusion=early", "fusion=late"]),
        ("train fusion=l", ["fusion=late"]),
        ("sweep norm=none,", ["norm=none,l2", "norm=none,lp"]),
        ("sweep norm=none,l2,", ["norm=none,l2,lp"]),
        ("train recipe.iterat", ["recipe.iterations="]),
        ("train recipe=quick_p", ["recipe=quick_parsenet"]),
        ("train recipe.loss=s", ["recipe.loss=sum"]),
        ("train weights=caffe_f", ["weights=caffe_full"]),
        ("train launcher=in", ["launcher=inline"]),
        ("train launcher.slots_", ["launcher.slots_per_gpu="]),
        ("train --launcher s", ["slurm"]),
        ("train layers=", ["layers=["]),
        ("train layers=[po", ["layers=[pool6,", "layers=[pool6]"]),
        ("train layers=[pool6,c", ["layers=[pool6,conv5", "layers=[pool6,conv4", "layers=[pool6,conv3"]),
        ("train layers=[fc7]", []),
        ("sweep layers=[fc7],", ["layers=[fc7],["]),
        ("sweep layers=[fc7],[f", ["layers=[fc7],[fc7,", "layers=[fc7],[fc7]"]),
        ("train nonsense=", []),
        ("train --profile ph", ["photos"]),
        ("ablate be", ["beyond"]),
        ("ablate table4 fusion=l", ["fusion=late"]),
        ("verify --profile pa", ["paper"]),
        ("report be", ["beyond"]),
        ("table table4 --to la", ["latex"]),
        ("export --to t", ["tensorboard"]),
        ("figure re", ["receptive-field"]),
        ("figure scales im", ["images="]),
        ("figure scales fusion=e", ["fusion=early"]),
        ("data get vo", ["voc12"]),
        ("data check ca", ["camvid"]),
        ("weights get --trunk squeezenet im", ["imagenet"]),
        ("weights get caffe_r", ["caffe_reduced"]),
        ("weights get --trunk vgg_", ["vgg_tiny"]),
        ("network --profile q", ["quick"]),
        ("plan table4 --rows f", ["fcn32s", "fcn8s", "fc7"]),
        ("plan table4 --rows fc7,fcn", ["fc7,fcn32s", "fc7,fcn8s"]),
        ("ablate table4 norm=l2 --columns ", ["raw", "norm"]),
        ("ablate --rows f", []),
        ("ablate no_table --rows f", []),
    ],
)
def test_completes(line: str, expected: list[str], complete: Ask) -> None:
    assert complete(f"parsenet {line}") == expected


def test_offers_everything_that_can_be_named(complete: Ask) -> None:
    tables = table_file.names()
    assert complete("parsenet ablate ") == [*table_file.GROUPS, *tables]
    assert complete("parsenet verify ") == [*table_file.GROUPS, *tables]
    assert complete("parsenet table ") == tables
    assert complete("parsenet export --to csv ") == [*table_file.GROUPS, *tables]
    assert complete("parsenet figure ") == figures.names()
    assert complete("parsenet table table4 --to ") == formats.names()
    assert complete("parsenet report --profile ") == profile.names()
    keys = complete("parsenet ablate rec")
    assert {"recipe=", "recipe.lr=", "recipe.iterations="} <= set(keys)


@pytest.mark.parametrize("before", ["show", "predict", "submit", "keep", "cancel", "diff", "figure scales --run"])
def test_signatures_are_those_of_the_results_folder(
    before: str, complete: Ask, runs: list[Run], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    signatures = [run.signature for run in store.runs()]
    assert len(signatures) == 5
    command, _, rest = before.partition(" ")
    assert complete(f"parsenet {command} --results {store.root} {rest}{' ' if rest else ''}") == signatures
    monkeypatch.setenv("PARSENET_RESULTS", str(store.root))
    assert complete(f"parsenet {before} {signatures[2][:6]}") == [signatures[2]]
    monkeypatch.setenv("PARSENET_RESULTS", str(store.root / "elsewhere"))
    assert complete(f"parsenet {before} ") == []


def test_a_signature_is_offered_once(complete: Ask, runs: list[Run], store: Store) -> None:
    first, *others = [run.signature for run in store.runs()]
    assert complete(f"parsenet diff --results {store.root} {first} ") == others
    assert complete(f"parsenet cancel --results {store.root} {first} ") == others


def test_own_tables_and_studies_are_offered(complete: Ask, in_own_folder: Path) -> None:
    own = in_own_folder / "ablations"
    own.mkdir()
    (own / "be_mine.yaml").write_text("title: [unfinished")
    studies = in_own_folder / "results" / "studies"
    studies.mkdir(parents=True)
    (studies / "be_mine-quick-1234.json").write_text("{}")
    assert complete("parsenet ablate be") == ["beyond", "be_mine"]
    assert complete("parsenet table be") == ["be_mine", "be_mine-quick-1234"]
    assert complete("parsenet report be") == ["beyond", "be_mine", "be_mine-quick-1234"]
    for command in ("table", "verify", "report"):
        assert complete(f"parsenet {command} --study ") == ["be_mine-quick-1234"]
    assert complete("parsenet plan be_mine --rows ") == []  # the command says why its file cannot be read


@pytest.mark.parametrize(
    "name", ["a`touch x`", "a$(touch x)", "a'; touch x", "a b", "a\\", 'a"', "a\nb", "a\x1b[2J", "a;b"]
)
def test_names_that_a_shell_would_carry_out_are_not_offered(name: str, complete: Ask, in_own_folder: Path) -> None:
    for folder, suffix in (("ablations", ".yaml"), ("results/studies", ".json"), ("conf/recipe", ".yaml")):
        (in_own_folder / folder).mkdir(parents=True)
        (in_own_folder / folder / f"{name}{suffix}").write_text("")
        (in_own_folder / folder / f"a_plain{suffix}").write_text("")
    assert set(complete("parsenet table a")) == {"a_plain", "arithmetic"}
    assert complete("parsenet ablate a_")[0] == "a_plain"
    assert complete("parsenet train recipe=a") == ["recipe=a_plain"]


def test_zsh_gets_the_answer_that_it_evaluates(answer: Callable[..., str]) -> None:
    asked = {"_PARSENET_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "parsenet ablate table4 fusion=l"}
    assert answer(**asked) == """_arguments '*: :(("fusion=late"))'"""
    asked["_TYPER_COMPLETE_ARGS"] = "parsenet sweep norm="
    assert answer(**asked) == """_arguments '*: :(("norm=none"\n"norm=l2"\n"norm=lp"))'"""
    asked["_TYPER_COMPLETE_ARGS"] = "parsenet train data_root=pho"
    assert answer(**asked) == "_files"


def test_fish_gets_a_line_for_each(answer: Callable[..., str]) -> None:
    asked = {"_PARSENET_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    assert answer(_TYPER_COMPLETE_ARGS="parsenet ablate table4 fusion=", **asked) == "fusion=early\nfusion=late"
    assert answer(_TYPER_COMPLETE_ARGS="parsenet ablate --profile q", **asked) == "quick"
    assert answer(_TYPER_COMPLETE_ARGS="parsenet abl", **asked).startswith("ablate\t")


def test_bash_is_given_our_script() -> None:
    """By `--show-completion` as well; --install-completion is in tests/e2e."""
    command = "from parsenet_cli.__main__ import main; main()"
    for shell, begins in (("bash", completion._BASH.strip()), ("zsh", "#compdef"), ("fish", "complete --command")):
        done = subprocess.run(
            [sys.executable, "-c", command, "--show-completion", shell],
            env={**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
            capture_output=True,
            text=True,
        )
        assert done.stdout.startswith(begins), done.stderr


def test_no_completion_waits_for_a_large_library() -> None:
    """However long a line is thought about: half a second is the time of an answer on an idle machine."""
    lines = [
        "ablate table4 fusion=l",
        "ablate table4 --rows ",
        "show ",
        "table ",
        "train --profile ",
        "train launcher.sl",
    ]
    code = f"""
import os, sys
from parsenet_cli.cli.app import app
for line in {lines!r}:
    words = ["parsenet", *line.split(" ")]
    os.environ.update(_PARSENET_COMPLETE="complete_bash", COMP_WORDS=chr(10).join(words), COMP_CWORD=str(len(words) - 1))
    try: app(prog_name="parsenet")
    except SystemExit: pass
print("loaded:", *sorted({{"torch", "pandas", "numpy", "hydra", "rich", "matplotlib", "scipy"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "loaded:", done.stdout + done.stderr
