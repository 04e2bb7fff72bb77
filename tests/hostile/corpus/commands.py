"""The commands that read, by name, and which of them meet what."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence

from tests.hostile.base import SHORT
from tests.hostile.drivers import READS, TRAINS, Case, Make

INLINE = ("--launcher", "inline")
ALL = {
    "list": ("list",),
    "list-table": ("list", "own"),
    "list-studies": ("list", "studies"),
    "status": ("status",),
    "status-json": ("status", "--json"),
    "status-table": ("status", "own", "--state", "done,failed", "--profile", "quick"),
    "show": ("show", "{run}"),
    "show-all": ("show", "{run}", "--all"),
    "show-json": ("show", "{run}", "--json"),
    "show-failed": ("show", "{failed}"),
    "diff": ("diff", "{run}", "{other}"),
    "table": ("table", "own"),
    "table-md": ("table", "own", "--to", "md"),
    "table-latex": ("table", "own", "--to", "latex"),
    "table-html": ("table", "own", "--to", "html"),
    "table-csv": ("table", "own", "--to", "csv"),
    "table-json": ("table", "own", "--to", "json"),
    "verify": ("verify", "own"),
    "verify-all": ("verify",),
    "verify-md": ("verify", "own", "--to", "md"),
    "verify-json": ("verify", "own", "--to", "json"),
    "report": ("report", "--force"),
    "export-csv": ("export", "--to", "csv"),
    "export-tensorboard": ("export", "--to", "tensorboard"),
    "export-out": ("export", "--to", "tensorboard", "--out", "exported"),
    "figure-curves": ("figure", "curves", "own"),
    "figure-context": ("figure", "context", "own"),
    "figure-table": ("figure", "table", "own"),
    "plan": ("plan", "own", *SHORT, "--seeds", "2"),
    "plan-json": ("plan", "own", *SHORT, "--seeds", "2", "--json"),
    "network": ("network", "body=fcn", "--profile", "quick"),
    "cancel": ("cancel", "{queued}"),
    "cancel-all": ("cancel", "--all"),
    "clean": ("clean", "--yes"),
    "clean-results": ("clean", "--yes", "--results-too"),
    "keep": ("keep", "{run}", *INLINE),
    "predict": ("predict", "{run}", "pictures", "--out", "maps"),
    "data-check": ("data", "check", "photos"),
    "data-list": ("data", "list"),
    "data-get": ("data", "get", "camvid", "--from", "archives"),
    "submit": ("submit", "{run}"),
    "submit-check": ("submit", "--check", "x.tgz", "--ids", "ids.txt"),
    "weights-list": ("weights", "list"),
    "weights-convert": ("weights", "convert", "w.pth", "out.safetensors", "--trunk", "vgg_tiny"),
    "train": ("train", *SHORT, "seed=11", *INLINE),
    "ablate": ("ablate", "own", *SHORT, "--seeds", "2", *INLINE),
    "sweep": ("sweep", "norm=none,l2", *SHORT, "--seeds", "1", *INLINE),
}
CODES = {"verify": 3, "verify-all": 3, "verify-md": 3, "verify-json": 3, "predict": 1, "cancel": 1, "cancel-all": 1}
"""Exit codes beside 0 and 2."""

TRAINING = ("train", "ablate", "sweep", "keep")
LOOK = (
    *(
        "status",
        "status-json",
        "status-table",
        "show",
        "show-all",
        "show-json",
        "diff",
        "cancel",
        "cancel-all",
        "clean",
    ),
    *("clean-results", "list-studies"),
)
STUDY = (
    *("table", "table-md", "table-latex", "table-html", "table-csv", "table-json", "verify", "verify-all", "verify-md"),
    *("verify-json", "report", "export-csv", "export-tensorboard", "figure-curves", "figure-table", "status", "show"),
    *("status-table", "list-table", "list-studies"),
)


def case(name: str, make: Make, command: str, **options: object) -> Case:
    """A command of `ALL` over a hostile thing."""
    codes = READS | ({CODES[command]} if command in CODES else set())
    codes = TRAINS if command in TRAINING else frozenset(codes)
    given = {"codes": codes, **options}
    return Case(f"{name}/{command}", make, ALL[command], **given)  # type: ignore[arg-type]


def over(
    seed: int, things: Mapping[str, Make], commands: Sequence[str], each: int, **options: object
) -> Iterator[Case]:
    """For each thing `each` of the commands: those that the seed chooses, all of them equally often."""
    deck: list[str] = []
    chooser = random.Random(f"{seed} {' '.join(commands)}")
    for name, make in things.items():
        chosen: list[str] = []
        while len(chosen) < min(each, len(commands)):
            deck = deck or chooser.sample(commands, len(commands))
            chosen += [deck.pop()] if deck[-1] not in chosen else [deck.pop(chooser.randrange(len(deck)))]
        for command in dict.fromkeys(chosen):
            yield case(name, make, command, **options)
