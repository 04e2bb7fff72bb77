"""Completion in a real interactive bash on a terminal: what stands in the line after the tabulator key."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from parsenet_cli.core import paths
from parsenet_cli.core.files import write_text

SHOW_LINE, CLEAR_LINE = "\x14", "\x15"
"""Ctrl-T, bound below, and Ctrl-U. Readline takes keys one after the other: it shows the line when the completion is done."""

SECONDS = 120
"""On a machine that has other things to do."""


class Terminal:
    """An interactive bash behind a pseudo-terminal."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.keyboard, side = pty.openpty()
        arguments = ["bash", "--rcfile", environment["HOME"] + "/.bashrc", "-i"]
        self.shell = subprocess.Popen(
            arguments, stdin=side, stdout=side, stderr=side, env=environment, cwd=folder, start_new_session=True
        )
        os.close(side)
        self.seen = ""
        self.wait_for("ready> ")

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Read until the pattern was printed; what is behind it stays for the next."""
        deadline = time.monotonic() + SECONDS
        while not (found := re.search(pattern, self.seen, re.DOTALL)):
            assert time.monotonic() < deadline, f"waited too long for {pattern!r}; so far: {self.seen!r}"
            if select.select([self.keyboard], [], [], 1)[0]:
                self.seen += os.read(self.keyboard, 65536).decode(errors="replace")
        self.seen = self.seen[found.end() :]
        return found

    def type(self, keys: str) -> None:
        os.write(self.keyboard, keys.encode())

    def completed(self, line: str) -> str:
        """The line after the tabulator key."""
        self.type(f"{line}\t{SHOW_LINE}")
        shown = self.wait_for("\x01(.*)\x02")[1]
        self.type(CLEAR_LINE)
        return shown

    def close(self) -> None:
        self.shell.kill()
        self.shell.wait()
        os.close(self.keyboard)


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """Bash after `parsenet --install-completion`, in a folder with one run."""
    home, programs, folder = (tmp_path_factory.mktemp(name) for name in ("home", "bin", "work"))
    program = programs / "parsenet"
    program.write_text(f"#!{sys.executable}\nfrom parsenet_cli.__main__ import main\nmain()\n")
    program.chmod(0o755)
    write_text(folder / "results/runs/0123456789ab/config.yaml", "")
    (folder / "photos").mkdir()
    environment = {
        **os.environ,
        **{"HOME": str(home), "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(paths.PACKAGE.parent)},
        **{"TERM": "dumb", "INPUTRC": "/dev/null", "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
    }
    environment.pop("PARSENET_RESULTS", None)
    subprocess.run([program, "--install-completion", "bash"], env=environment, cwd=folder, check=True)
    with (home / ".bashrc").open("a") as file:
        file.write("""bind -x '"\\C-t": printf "\\001%s\\002" "$READLINE_LINE"'\nPS1='ready> '\n""")
    shell = Terminal(environment, folder)
    yield shell
    shell.close()


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("parsenet abl", "parsenet ablate "),
        ("parsenet ablate be", "parsenet ablate beyond "),
        ("parsenet ablate table4 fus", "parsenet ablate table4 fusion="),
        ("parsenet ablate table4 fusion=l", "parsenet ablate table4 fusion=late "),
        ("parsenet ablate table4 recipe.it", "parsenet ablate table4 recipe.iter"),
        ("parsenet ablate table4 recipe.iterat", "parsenet ablate table4 recipe.iterations="),
        ("parsenet sweep fusion=early,", "parsenet sweep fusion=early,late"),
        ("parsenet sweep norm=none fusion=e", "parsenet sweep norm=none fusion=early "),
        ("parsenet train layers=[po", "parsenet train layers=[pool6"),
        ("parsenet train layers=[pool6,f", "parsenet train layers=[pool6,fc7"),
        ('parsenet train "fusion=l', 'parsenet train "fusion=late" '),
        ("parsenet train launcher=sl", "parsenet train launcher=slurm "),
        ("parsenet train data_root=pho", "parsenet train data_root=photos/"),
        ("parsenet ablate table4 --profile q", "parsenet ablate table4 --profile quick "),
        ("parsenet plan table4 --rows pool6_fc7,con", "parsenet plan table4 --rows pool6_fc7,conv"),
        ("parsenet ablate table4 --rows pool6_fc7,conv5,fcn32", "parsenet ablate table4 --rows pool6_fc7,conv5,fcn32s"),
        ("parsenet show 01", "parsenet show 0123456789ab "),
        ("true && parsenet show 01", "true && parsenet show 0123456789ab "),
    ],
)
def test_bash_completes(typed: str, completed: str, terminal: Terminal) -> None:
    assert terminal.completed(typed) == completed
