"""What is typed: overrides, names, numbers and options of every kind."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from tests.hostile.base import Base, Place
from tests.hostile.corpus.json_shapes import STEERING
from tests.hostile.drivers import READS, Case

KEYS = (
    *(
        "norm",
        "fusion",
        "layers",
        "mix",
        "mix_width",
        "norm_scale",
        "data",
        "data_root",
        "weights",
        "trunk",
        "body",
        "seed",
        "skips",
    ),
    *(
        "classes",
        "context",
        "context_dropout",
        "micro_batch",
        "device",
        "keep_model",
        "checkpoint_seconds",
        "input_mean",
    ),
    *(
        "recipe",
        "recipe.lr",
        "recipe.length",
        "recipe.batch",
        "recipe.crop",
        "recipe.iterations",
        "recipe.step",
        "recipe.policy",
    ),
    *(
        "recipe.head_lr",
        "recipe.dropout",
        "recipe.mirror",
        "recipe.iter_size",
        "recipe.frozen",
        "recipe.loss_stride",
        "launcher",
        "launcher.name",
        "launcher.slots",
    ),
    *(
        "launcher.threads",
        "launcher.setup",
        "launcher.folder",
        "nosuch",
        "data_id",
        "weights_file",
        "hydra.run.dir",
        "",
    ),
)
VALUES = (
    *(
        "-1",
        "0",
        "1e308",
        "1e999",
        "nan",
        "-inf",
        "null",
        "true",
        "'text'",
        "[]",
        "[a]",
        "[[a]]",
        "{}",
        "{a:b}",
        "{a:{b:[1]}}",
    ),
    *(
        "99999999999999999999",
        "20261124061500",
        "²",
        "١",
        "0x10",
        "1_000",
        "010",
        "",
        " ",
        "a b",
        "a=b",
        "a,b",
        "[a,b],[c]",
        "~nosuchuser/x",
    ),
    *(
        "/somewhere/My Photos (2024)",
        "/somewhere/új",
        "it's",
        '"',
        "a\\b",
        "\\",
        "$(touch ran-value)",
        "`touch ran-value`",
        "; touch ran-value",
    ),
    *(
        "${oc.env:HOME}",
        "${nosuch}",
        "../launcher/slurm",
        "../../etc/passwd",
        "/dev/zero",
        "/proc/self/mem",
        "range(3)",
        "range(10**9)",
    ),
    *(
        "range(0,1e12)",
        "glob(*)",
        "interval(0,1)",
        "choice(a,b)",
        "sort(1,2)",
        "shuffle(1,2)",
        "tag(a,1)",
        "int(x)",
        "str(1)",
        "json_str(x)",
    ),
    *(
        "cast(x)",
        "extend_list(1)",
        "l2=l2",
        "a\x1b]0;x\x07",
        STEERING,
        "x" * 100_000,
        "[" * 5000,
        "(" * 5000,
        "{" * 5000,
        "\udcff",
        "a\u202eb",
    ),
    *("=cmd()", "!!python/object:os.system", "a\nb", "a\tb", "a:b", "a#b", "*", "?", "@", "+x", "~x", "--yes"),
)
VALUES_PER_KEY = 5
COMMANDS = (
    ("plan", "own", "--seeds", "1", "weights=none", "recipe.frozen=[]"),
    ("network", "body=fcn", "--profile", "quick"),  # a second, where a plan takes half of one
    ("sweep", "weights=none", "recipe.frozen=[]", "recipe.iterations=1", "data=folder", "data_root=/nowhere"),
)


def overrides(base: Base, seed: int) -> Iterator[Case]:
    """Keys and values: each key with some of the values, each value with some of the keys."""
    chooser = random.Random(f"{seed} overrides")
    deck: list[str] = []
    number = 0
    for key in KEYS:
        for _ in range(VALUES_PER_KEY):
            deck = deck or chooser.sample(VALUES, len(VALUES))
            value = deck.pop()
            command = COMMANDS[number % 8 == 0]
            number += 1
            yield _typed(f"{key}={value}", command)
    for value in VALUES:  # together in one value of a path, which may be anything
        yield _typed(
            f"data_root={value}", ("plan", "own", "--seeds", "1", "weights=none", "recipe.frozen=[]", "data=folder")
        )
    for value in VALUES:
        yield _typed(f"norm_scale={value}", COMMANDS[2])


ODD = (
    ("plan", ""),
    ("plan", "all", "nosuch"),
    ("plan", "own", "own", "own"),
    ("plan", "../ablations/own"),
    ("plan", "/etc/passwd"),
    ("plan", "mi\x1bne"),
    ("plan", "own", "--rows", ""),
    ("plan", "own", "--rows", ",,,"),
    ("plan", "own", "--rows", STEERING),
    ("plan", "own", "--columns", "nosuch"),
    ("plan", "own", "--seeds", "0"),
    ("plan", "own", "--seeds", "-1"),
    ("plan", "own", "--seeds", "1000000"),
    ("plan", "own", "--seeds", "99999999999999999999"),
    ("plan", "own", "--profile", "../profile/quick"),
    ("plan", "own", "--profile", STEERING),
    ("plan", "own", "--launcher", "../recipe/fcn"),
    ("plan", "own", "--launcher", ""),
    ("plan", "own", "~norm"),
    ("plan", "own", "+norm=l2"),
    ("plan", "own", "++hydra.run.dir=x"),
    ("table", ""),
    ("table", STEERING),
    ("table", "own", "--to", "nosuch"),
    ("table", "own", "--to", "../formats/html"),
    ("table", "own", "--profile", STEERING),
    ("table", "{study}", "--to", "json"),
    ("show", ""),
    ("show", "*"),
    ("show", "../runs"),
    ("show", STEERING),
    ("show", "\udcff"),
    ("diff", "", ""),
    ("verify", "nosuch"),
    ("verify", "own", "--profile", ""),
    ("figure", ""),
    ("figure", "../curves"),
    ("figure", "curves", "nosuch"),
    ("figure", "curves", "own", "--out", "x.exe"),
    ("figure", "curves", "own", "--out", "/proc/x.png"),
    ("figure", "curves", "own", "--out", "pictures"),
    ("figure", "curves", "own", "--out", "n" * 300 + ".png"),
    ("figure", "curves", "own", "--out", "\udcff.png"),
    ("figure", "curves", "own", "--out", "/dev/full"),
    ("figure", "context", "own", "images=-1"),
    ("figure", "context", "own", "images=x"),
    ("figure", "context", "own", "images=99999999999999999999"),
    ("figure", "scales", "images=0"),
    ("figure", "scales", "--run", STEERING),
    ("report", "--out", "/dev/null"),
    ("report", "--out", "/proc/x"),
    ("report", "--out", "pictures/a.jpg"),
    ("report", "--out", "n" * 300),
    ("report", "--profile", STEERING),
    ("export", "--to", "csv", "--out", "/dev/null"),
    ("export", "--to", "csv", "--out", "/proc"),
    ("export", "--to", "tensorboard", "nosuch"),
    ("export", "--to", "nosuch"),
    ("status", "--results", "/dev/null"),
    ("status", "--results", "/proc"),
    ("status", "--results", "n" * 300),
    ("status", "--results", ""),
    ("status", "--results", "a\0b".replace("\0", "\x01")),
    ("status", "--results", "\udcff"),
    ("status", "--watch", "--json"),
    ("status", "--state", STEERING),
    ("status", STEERING),
    ("list", STEERING),
    ("list", "../studies"),
    ("train", "--name", STEERING),
    ("train", "--name", "../../x"),
    ("cancel",),
    ("cancel", ""),
    ("cancel", STEERING),
    ("clean", "--yes", "--results", "/nowhere"),
    ("clean", "--yes", "--results", "photos"),
    ("keep", "nosuch"),
    ("keep", "{run}", "--launcher", "nosuch"),
    ("predict", "{run}", "nosuch.jpg", "--out", "maps"),
    ("predict", "{run}", "/dev/zero", "--out", "maps"),
    ("predict", "{run}", "/proc/self/mem", "--out", "maps"),
    ("predict", "{run}", "pictures/a.jpg", "--out", "/dev/null"),
    ("predict", "{run}", "pictures/a.jpg", "--out", "pictures/a.jpg"),
    ("predict", "{run}", "pictures/a.jpg", "--out", "n" * 300),
    ("predict", "{run}", "pictures/a.jpg", "--out", "\udcff"),
    ("predict", "{run}", "pictures/a.jpg", "--out", "maps", "--device", "cuda"),
    ("predict", "{run}", "n" * 300, "--out", "maps"),
    ("predict", "{run}", "pictures/a.jpg", "pictures/a.jpg", "--out", "maps"),
    ("submit",),
    ("submit", "{run}", "--check", "x.tgz"),
    ("submit", "--check", "/dev/zero"),
    ("submit", "--check", "pictures"),
    ("submit", "--check", STEERING),
    ("data", "get", "nosuch"),
    ("data", "get", "../camvid"),
    ("data", "get", "camvid", "--from", "/dev/zero"),
    ("data", "get", "camvid", "--from", "nosuch"),
    ("data", "get", "camvid", "--from", "pictures"),
    ("data", "check", "/dev/null"),
    ("data", "check", "/proc/self"),
    ("data", "check", "~nosuchuser/x"),
    ("data", "check", STEERING),
    ("data", "check", "\udcff"),
    ("data", "list", "--root", "~nosuchuser/x"),
    ("data", "list", "--root", "/dev/null"),
    ("data", "list", "--root", "\udcff"),
    ("weights", "convert", "/dev/zero", "o.safetensors"),
    ("weights", "convert", "pictures", "o.safetensors"),
    ("weights", "convert", "pictures/a.jpg", "/dev/null"),
    ("weights", "convert", "pictures/a.jpg", "o.safetensors", "--trunk", "../vgg16"),
    ("weights", "get", "nosuch"),
    ("weights", "get", "imagenet", "--trunk", "nosuch"),
    ("network", "body=fcn,reduced", "layers=[fc7],[pool6,fc7]", "--profile", "quick"),
    ("network", "mix=conv1x1", "mix_width=-1"),
    ("network", "mix=conv1x1", "mix_width=0"),
    ("network", "--size", "0x0"),
    ("network", "--size", "99999999x99999999"),
    ("network", "--size", "-5x5"),
    ("network", "--size", "²x²"),
    ("network", "--classes", "999999999999"),
    ("sweep", "norm=l2"),
    ("sweep", "seed=range(10**9)"),
    ("sweep", "norm=none,l2", "seed=range(100000)", "weights=none", "recipe.frozen=[]"),
    ("sweep", "nosuch=1,2"),
    ("train", "weights=none", "recipe.frozen=[]", "--results", "/proc/nowhere"),
    ("nosuch",),
    ("--nosuch",),
    ("",),
    (STEERING,),
    ("list", STEERING),
    ("list", "--nosuch\x1b[2J"),
)


def arguments(base: Base, seed: int) -> Iterator[Case]:
    """Arguments and options that nobody should type."""
    for given in ODD:
        may_fail = {1} if given[0] in ("predict", "") else set()
        may_fail |= {3, 4} if given[0] == "verify" else set()
        yield Case(f"typed {_shown(' '.join(given))}", _nothing, given, READS | may_fail)


def environments(base: Base, seed: int) -> Iterator[Case]:
    """Variables of the environment that name folders, terminals and encodings."""
    variables = {
        "PARSENET_RESULTS": ("", "/dev/null", "~nosuchuser/x", "a\x1b]0;x\x07", "n" * 300),
        "PARSENET_DATA": ("", "/dev/null", "~nosuchuser/x", "n" * 300),
        "COLUMNS": ("0", "-5", "x", "1", "99999999999999999999", "²"),
        "TERM": ("", "dumb", "nosuch\x1b"),
        "LC_ALL": ("C", "nosuch", "de_DE.ISO-8859-1"),
        "PYTHONIOENCODING": ("ascii", "latin-1"),
        "HOME": ("", "/nowhere", "/dev/null"),
        "FORCE_COLOR": ("1",),
    }
    commands = (("status",), ("list",), ("data", "list"), ("table", "own"), ("verify", "own"))
    number = 0
    for name, values in variables.items():
        for value in values:
            given = commands[number % len(commands)]
            number += 1
            codes = READS | ({3} if given[0] == "verify" else set())
            process = name in ("PYTHONIOENCODING", "LC_ALL")
            if name != "FORCE_COLOR":  # colours are escape sequences, and asked for
                yield Case(
                    f"{name}={_shown(value)}/{' '.join(given)}",
                    _nothing,
                    given,
                    codes,
                    env={name: value},
                    process=process,
                )


def _typed(text: str, command: tuple[str, ...]) -> Case:
    return Case(f"{command[0]} {_shown(text)}", _nothing, (*command, text))


def _shown(text: str) -> str:
    return repr(text)[1:-1] if len(text) < 60 else f"{text[:40]!r}…({len(text)})"


def _nothing(_: Place) -> None:
    pass


GROUPS: tuple[Callable[[Base, int], Iterator[Case]], ...] = (overrides, arguments, environments)
