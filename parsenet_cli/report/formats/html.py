"""HTML in which text is always text: whatever is not `Html` already is escaped, in content and in attributes."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from html import escape

from parsenet_cli.core import paths
from parsenet_cli.report.blocks import (
    Block,
    Document,
    Field,
    Fold,
    Gallery,
    Grid,
    Legend,
    Line,
    Listing,
    Paragraph,
    Part,
    Picture,
    Section,
    Tiles,
)
from parsenet_cli.report.redact import redact_paths

VOID = frozenset({"col", "img", "link", "meta", "source"})


class Html(str):
    """Markup made here, to be put into a page as it is."""

    __slots__ = ()


def text(content: str) -> Html:
    """Text as markup: escaped, and without the names of anybody's folders."""
    return content if isinstance(content, Html) else Html(escape(redact_paths(content)))


def join(*parts: str) -> Html:
    """Markup and text one after the other."""
    return Html("".join(text(part) for part in parts))


def tag(name: str, /, *parts: str, **attributes: str | int | bool) -> Html:
    """An element. A trailing underscore is dropped from an attribute's name, others become `-`; what is false is left out."""
    words = [name]
    for key, value in attributes.items():
        if value is not False and value != "":
            said = key.rstrip("_").replace("_", "-")
            words.append(said if value is True else f'{said}="{text(value) if isinstance(value, str) else value}"')
    start = Html(f"<{' '.join(words)}>")
    return start if name in VOID else Html(f"{start}{join(*parts)}</{name}>")


DIGEST = "parsenet-inputs"
"""The name of the `meta` element that holds the digest of what the page was made from."""

SHEET = 12
"""A table with more columns than this is printed across the sheet."""


def to_html(document: Document) -> str:
    """The whole page."""
    style, script = ((paths.PACKAGE / "report/formats" / name).read_text() for name in ("page.css", "page.js"))
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name=DIGEST, content=document.digest),
        tag("link", rel="icon", href="data:,"),
        tag("title", document.title),
        tag("style", Html(style)),
    )
    body = tag(
        "body",
        tag("header", tag("h1", document.title), tag("p", document.about)),
        tag("nav", tag("h2", "Contents", id="contents"), _contents(document.sections), aria_labelledby="contents"),
        tag("main", *(_section(section) for section in document.sections)),
        tag("div", id="tip", role="tooltip", hidden=True),
        tag("script", Html(script)),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _contents(sections: tuple[Section, ...]) -> Html:
    items = []
    for section in sections:
        parts = [block for block in section.blocks if isinstance(block, Part)] if section.outlined else []
        inner = [tag("ol", *(tag("li", tag("a", part.title, href=f"#{part.key}")) for part in parts))] if parts else []
        items.append(tag("li", tag("a", section.title, href=f"#{section.key}"), *inner))
    return tag("ol", *items)


def _section(section: Section) -> Html:
    return tag("section", tag("h2", section.title), *_blocks(section.blocks), id=section.key)


def _blocks(blocks: tuple[Block, ...]) -> Iterator[Html]:
    for block in blocks:
        match block:
            case Paragraph():
                yield tag("p", block.text, class_=block.tone)
            case Listing():
                yield tag("pre", tag("code", "\n".join(block.lines)), tabindex="0")
            case Tiles():
                yield tag("ul", *(_tile(*tile) for tile in block.tiles), class_="tiles")
            case Grid():
                yield _grid(block)
            case Gallery():
                names = "gallery" + " small" * block.small + " wide" * block.wide
                yield tag("div", *(_picture(picture) for picture in block.pictures), class_=names)
            case Legend():
                yield tag("p", *(_entry(look, name) for look, name in block.entries), class_="legend")
            case Fold():
                yield tag("details", tag("summary", block.title), *_blocks(block.blocks))
            case Part():
                yield tag("section", tag("h3", block.title), *_blocks(block.blocks), id=block.key, class_="part")


def _tile(number: str, what: str, tone: str) -> Html:
    return tag("li", tag("strong", number), tag("span", what), class_=tone)


def _grid(grid: Grid) -> Html:
    deep = any(below != ("",) for _, below in grid.groups)
    # What stays in place while the rest is moved is the first column; the others follow it.
    first = [tag("th", label, scope="col", class_="label", rowspan=2 if deep else False) for label in grid.labels]
    first += [
        tag("th", head, scope="colgroup" if len(below) > 1 else "col", colspan=len(below) if len(below) > 1 else False)
        for head, below in grid.groups
    ]
    rows = [tag("tr", *first)]
    if deep:
        rows.append(tag("tr", *(tag("th", head, scope="col") for _, below in grid.groups for head in below)))
    body = [_line(line, len(grid.labels)) for line in grid.lines]
    table = tag("table", tag("thead", *rows), tag("tbody", *body), class_="prose" if grid.prose else "numbers")
    # Focusable, because what scrolls must be within reach of the keyboard.
    wide = sum(len(below) for _, below in grid.groups) > SHEET
    box = tag("div", table, class_="box wide" if wide else "box", tabindex="0", role="group", aria_label="table")
    if not grid.notes:
        return box
    notes = [tag("li", tag("sup", mark) if mark else "", " ", note) for mark, note in grid.notes]
    return join(box, tag("ul", *notes, class_="notes"))


def _line(line: Line, labels: int) -> Html:
    heads = [tag("th", *_content(field), scope="row", class_=_looks(field)) for field in line.fields[:labels]]
    others = [
        tag("td", *_content(field), class_=_looks(field), style=f"--shade:{abs(field.shade):g}" if field.shade else "")
        for field in line.fields[labels:]
    ]
    return tag("tr", *heads, *others, id=line.key)


def _looks(field: Field) -> str:
    names = [field.tone, "quiet" if field.quiet else "", "code" if field.code else ""]
    names.append("" if not field.shade else "more" if field.shade > 0 else "less")
    return " ".join(filter(None, names))


def _content(field: Field) -> Iterator[str]:
    inner = tag("b", field.text) if field.bold else field.text
    if field.target:
        yield tag("a", inner, href=f"#{field.target}", data_tip="\n".join(field.tip))
    elif field.tip:
        yield tag("span", inner, data_tip="\n".join(field.tip), tabindex="0")
    else:
        yield inner
    if field.marks:
        yield tag("sup", field.marks)
    if field.under:
        yield tag("small", field.under)


def _picture(picture: Picture) -> Html:
    image: Html
    if picture.svg:
        image = tag("div", Html(picture.svg), role="img", aria_label=picture.says)
    else:
        image = tag("img", src=Html(picture.data), alt=picture.says)
        if picture.dark:
            dark = tag("source", media="(prefers-color-scheme: dark)", srcset=Html(picture.dark))
            image = tag("picture", dark, image)
    patches = [_entry(colour, name) for colour, name in picture.patches]
    legend = [tag("span", *patches, class_="legend")] if patches else []
    return tag("figure", image, tag("figcaption", picture.caption, *legend))


def _entry(look: str, name: str) -> Html:
    """A patch of a colour, or a stroke as the curves have it, and its name."""
    if look.startswith("stroke"):
        line = tag("line", x1=0, x2=24, y1=5, y2=5, class_=look)
        return tag("span", tag("svg", line, viewBox="0 0 24 10", class_="key", aria_hidden="true"), name)
    patch = tag("i", style=f"background:{look}") if look.startswith("#") else tag("i", class_=look)
    return tag("span", patch, name)
