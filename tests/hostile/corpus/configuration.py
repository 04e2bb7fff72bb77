"""Tables, recipes, profiles and launchers of ./ablations and ./conf that somebody else has written, and what else lies there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial

from tests.hostile.base import TABLE, Base, Place
from tests.hostile.corpus import commands
from tests.hostile.corpus.commands import over
from tests.hostile.corpus.json_shapes import DEEP, NAMES, STEERING
from tests.hostile.drivers import Case, Make

Text = str | bytes

YAML: dict[str, Text] = {
    "empty": "",
    "null": "null\n",
    "list": "[a, b]\n",
    "text": "text\n",
    "number": "5\n",
    "tab": "a:\n\tb: 1\n",
    "colon": "a: b: c\n",
    "open": "a: [1, 2\n",
    "deep": "[" * DEEP,
    "deep-objects": "{a: " * 20_000,
    "deep-blocks": "".join(f"{' ' * i}a:\n" for i in range(400)),
    "laughs": "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10)),
    "itself": "a: &a [*a]\n",
    "no-anchor": "a: *nothing\n",
    "tag-python": "title: !!python/object/apply:os.system ['touch ran-yaml']\n",
    "tag-name": "title: !!python/name:os.system\n",
    "tag-unknown": "title: !mine 5\n",
    "tag-set": "title: !!set {a, b}\n",
    "tag-binary": "title: !!binary aGVsbG8=\n",
    "dates": "title: 2020-01-01\nseeds: 2020-01-01T00:00:00Z\n",
    "key-list": "? [a, b]\n: 1\n",
    "key-null": "~: 1\n",
    "key-number": "5: 1\n",
    "key-steers": f'"{STEERING.encode("unicode_escape").decode()}": 1\n'.replace('\\"', "'"),
    "huge-number": f"seeds: {'9' * 5000}\n",
    "octal": "seeds: 0777\n",
    "infinite": "seeds: .inf\n",
    "nan": "seeds: .nan\n",
    "documents": "a: 1\n---\na: 2\n",
    "directive": "%YAML 9.9\n---\na: 1\n",
    "latin-1": "title: é\n".encode("latin-1"),
    "utf-16": "title: a\n".encode("utf-16"),
    "bom": b"\xef\xbb\xbftitle: a\n",
    "nul": b"title: a\0\n",
    "binary": bytes(range(256)),
    "surrogate": b"title: \xed\xa0\x80\n",
    "steering": f"title: '{STEERING}'\n",
    "long": f"title: {'x' * 3_000_000}\n",
    "interpolation": "title: ${oc.env:HOME}\nlr: ${oc.env:HOME}\nname: ${oc.env:HOME}\n",
    "interpolation-itself": "title: ${title}\nlr: ${lr}\n",
    "defaults-missing": "defaults: [nosuch, _self_]\n",
    "defaults-up": "defaults: [../../../../etc/passwd, _self_]\n",
    "defaults-itself": "defaults: [mine, _self_]\n",
    "hydra": "hydra: {run: {dir: ../../home/hydra}}\n_target_: os.system\n",
    "package": "# @package hydra.searchpath\na: 1\n",
}


def _table(old: str, new: str) -> str:
    assert old in TABLE
    return TABLE.replace(old, new)


def _claim(text: str) -> str:
    return _table("both.raw > fc7.raw", f"'{text}'")


EXPRESSIONS = {
    "abs-chain": "".join("abs(" for _ in range(24)) + "fc7.raw" + ")" * 24 + " < 1",
    "abs-sum": " + ".join(["abs(fc7.raw - both.raw)"] * 24) + " < 1",
    "abs-nested": "abs(" * 200 + "fc7.raw" + ")" * 200 + " > 0",
    "brackets": "(" * 10_000 + "fc7.raw" + ")" * 10_000,
    "minuses": "-" * 5000 + "fc7.raw > 0",
    "pluses": "+".join(["fc7.raw"] * 50_000) + " > 0",
    "dots": ".".join("a" * 50_000),
    "ands": " and ".join(["fc7.raw > 0"] * 5000),
    "ten-megabytes": "fc7.raw > " + "1" * 10_000_000,
    "power": "9**9**9**9 > fc7.raw",
    "call": 'fc7.raw > __import__("os").system("touch ran-claim")',
    "attribute": "fc7.raw.__class__ > 0",
    "walrus": "(a := fc7.raw) > 0",
    "lambda": "(lambda: 1)() > fc7.raw",
    "text": '"a" * 10**9 > fc7.raw',
    "comprehension": "[x for x in (1,)] > fc7.raw",
    "divided": "fc7.raw / 0 > 1",
    "huge": "1e999 > fc7.raw",
    "huge-number": f"{'9' * 400} > fc7.raw",
    "own-infinity": "fc7.raw > -1e999",
    "unknown": "fc9.raw > 1",
    "ligature": "ﬁx.raw > 1",
    "empty": "",
    "blank": " ",
    "newline": "fc7.raw >\\n1",
    "escape": "fc7.raw > \\x1b[2J",
    "steering": STEERING.replace("'", "").replace("\r", "").replace("\x1b", "").replace("\x07", "").replace("\x9b", ""),
}

TABLES: dict[str, Text] = {
    **{f"claim-{name}": _claim(text) for name, text in EXPRESSIONS.items()},
    **{
        f"title-{name}": _table("A table of my own", '"' + text.encode("unicode_escape").decode().replace('"', "'") + '"')
        for name, text in NAMES.items()
        if name != "surrogate"
    },
    "label-markup": _table('label: ["fc7"]', 'label: ["[/b][red]fc7[/x]"]'),
    "label-empty": _table('label: ["fc7"]', "label: []"),
    "label-number": _table('label: ["fc7"]', "label: 5"),
    "row-up": _table("  fc7:\n", "  ../../up:\n"),
    "row-steers": _table("  fc7:\n", '  "a\\e]0;x\\a":\n'),
    "column-up": _table("  raw: {", "  ../../up: {"),
    "metric-unknown": _table("metric: mean_iu", "metric: nosuch"),
    "metric-class": _table("metric: mean_iu", 'metric: "iu[[/b]]"'),
    "set-interpolation": _table("set: [norm=none]", 'set: ["data_root=${oc.env:HOME}"]'),
    "set-up": _table("set: [norm=none]", 'set: ["recipe=../../../home/thesis"]'),
    "set-hydra": _table("set: [norm=none]", 'set: ["hydra.run.dir=../../home/x"]'),
    "set-launcher": _table("set: [norm=none]", 'set: ["launcher.setup=[touch ran-setup]"]'),
    "set-number": _table("set: [norm=none]", "set: [5, null]"),
    "set-many": _table("set: [norm=none]", f"set: [{', '.join(['norm=none'] * 5000)}]"),
    "paper-huge": _table('"36.6"', f'"{"9" * 400}"'),
    "paper-nan": _table('"36.6"', '"nan"'),
    "paper-list": _table('"36.6"', "[1]"),
    "paper-steers": _table('"36.6"', '"\\e[31m1"'),
    "base-number": _table("base: [recipe=parsenet]", "base: 5"),
    "base-weights": _table("base: [recipe=parsenet]", 'base: ["weights=../../home/thesis.txt"]'),
    "data-up": _table("data: siftflow", "data: ../up"),
    "data-list": _table("data: siftflow", "data: [siftflow]"),
    "rows-empty": TABLE[: TABLE.index("rows:")] + "rows: {}\n",
    "rows-list": TABLE[: TABLE.index("rows:")] + "rows: [a]\n",
    "columns-none": TABLE[: TABLE.index("columns:")] + TABLE[TABLE.index("rows:") :],
    "many-rows": TABLE[: TABLE.index("claims:")]
    .replace("rows:\n", "rows:\n" + "".join(f"  r{i}: {{label: [r], set: ['layers=[fc7]']}}\n" for i in range(3000))),
    "margin-huge": _table('margin: "0.5"', 'margin: "1e999"'),
    "margin-list": _table('margin: "0.5"', "margin: [1]"),
    "key-unknown": f"{TABLE}more: 1\n",
    "key-twice": f"{TABLE}title: again\n",
}  # fmt: skip


def _file(place: Place, name: str, content: Text) -> None:
    place.file(name, content)


def _entry(place: Place, name: str, kind: str) -> None:
    """Something that is no file, with the name of one."""
    entry = place.work / name
    entry.parent.mkdir(parents=True, exist_ok=True)
    match kind:
        case "folder":
            entry.mkdir()
        case "fifo":
            os.mkfifo(entry)
        case "emacs-lock":
            entry.with_name(f".#{entry.name}").symlink_to("somebody@somewhere.4711:1700000000")
        case "dangling":
            entry.symlink_to("nowhere")
        case "loop":
            entry.symlink_to(entry.name)
        case "device":
            entry.symlink_to("/dev/zero")
        case "apple-double":
            entry.with_name(f"._{entry.name}").write_bytes(b"\0\5\26\7\0\2\0\0Mac OS X")
        case "link":  # one's own: it is followed
            entry.symlink_to("../ablations/own.yaml")


ENTRIES = ("folder", "fifo", "emacs-lock", "dangling", "loop", "device", "apple-double", "link")
PLACES = {
    "ablations": ("list", "plan", "table", "verify-all", "status"),
    "conf/recipe": ("list", "plan", "network"),
    "conf/profile": ("list", "plan", "network"),
    "conf/launcher": ("list", "plan", "network"),
}
"""Folders, and the commands that look into them."""


def tables(base: Base, seed: int) -> Iterator[Case]:
    """A table of every kind in ./ablations."""
    things: dict[str, Make] = {
        f"ablations={n}": partial(_file, name="ablations/own.yaml", content=t) for n, t in TABLES.items()
    }
    yield from over(seed, things, ("list", "plan", "verify-all", "table"), 2)
    things = {f"ablations-yaml={n}": partial(_file, name="ablations/other.yaml", content=t) for n, t in YAML.items()}
    yield from over(seed, things, ("list", "plan", "verify-all", "status"), 2)


def groups(base: Base, seed: int) -> Iterator[Case]:
    """Recipes, profiles and launchers: each text as each, chosen and only lying there."""
    choosing = {
        "recipe": (
            ("plan", "own", "recipe=mine", "--seeds", "1", "weights=none"),
            ("network", "recipe=mine", "--profile", "quick"),
        ),
        "profile": (("plan", "own", "--profile", "mine", "weights=none"), ("network", "--profile", "mine")),
        "launcher": (("plan", "own", "launcher=mine", "--seeds", "1", "weights=none", "recipe.frozen=[]"), ("list",)),
    }
    keys = "seeds: 1\nabout: x\ndata: {}\nrecipe: {}\nset: []\nname: mine\nslots: 1\n"
    texts = {
        **YAML,
        "keys-of-all": keys,
        "name-up": keys.replace("name: mine", "name: ../../up"),
        "name-number": "name: 5\n",
    }
    texts |= {
        "set-text": keys.replace("set: []", "set: norm"),
        "set-code": keys.replace("set: []", 'set: ["x=$(touch ran-set)"]'),
    }
    texts |= {"data-list": keys.replace("data: {}", "data: [1]"), "seeds-text": keys.replace("seeds: 1", "seeds: many")}
    for group, issued in choosing.items():
        for number, (name, text) in enumerate(texts.items()):
            command = issued[number % len(issued)]
            make = partial(_file, name=f"conf/{group}/mine.yaml", content=text)
            yield Case(f"conf/{group}={name}/{command[0]}", make, command)


def entries(base: Base, seed: int) -> Iterator[Case]:
    """What is no file, and what editors and other systems leave, where tables and configurations are looked for."""
    for folder, readers in PLACES.items():
        things: dict[str, Make] = {
            f"{folder}/other.yaml={kind}": partial(_entry, name=f"{folder}/other.yaml", kind=kind) for kind in ENTRIES
        }
        yield from over(seed, things, readers, 3)
    for folder in ("ablations", "conf"):
        yield commands.case(f"{folder}=loop", partial(_replaced, folder=folder, kind="loop"), "list")
        yield commands.case(f"{folder}=file", partial(_replaced, folder=folder, kind="file"), "plan")


def _replaced(place: Place, folder: str, kind: str) -> None:
    where = place.work / folder
    if where.exists():
        where.rename(place.work / "moved")
    if kind == "loop":
        where.symlink_to(where.name)
    else:
        where.write_text("a file")


def folders(base: Base, seed: int) -> Iterator[Case]:
    """A current folder of any name, with a ./conf of one's own."""
    names = [
        name
        for key, name in NAMES.items()
        if key not in ("up", "absolute", "slash", "dots", "empty", "long", "nul", "dash")
    ]
    for name in [
        *names,
        "a,b",
        "a=b",
        "a#b",
        "a;b",
        "a&b",
        "{a}",
        "a(b)",
        "${HOME}",
        "a$(touch ran-folder)b",
        "~",
        "*",
        "a\\b",
    ]:
        if "/" not in name:
            yield Case(f"cwd={name!a}/plan", partial(_inside, name=name), ("plan", "own", *PLAN), folder=name)


PLAN = ("recipe=own", "--seeds", "1", "data=synthetic_siftflow", "weights=none")


def _inside(place: Place, name: str) -> None:
    folder = place.work / os.fsdecode(name.encode(errors="surrogateescape"))
    folder.mkdir(exist_ok=True)
    for entry in ("ablations", "results"):
        (place.work / entry).rename(folder / entry)
    (folder / "conf/recipe").mkdir(parents=True)
    (folder / "conf/recipe/own.yaml").write_text("defaults: [_base, _self_]\nlr: 1e-8\niterations: 3\n")


MAKERS: tuple[Callable[[Base, int], Iterator[Case]], ...] = (tables, groups, entries, folders)
