"""Whatever stands in a grid, each format says it as text: nothing is markup, a formula or a terminal's command."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from parsenet_cli.core.text import printable
from parsenet_cli.report import formats
from parsenet_cli.report.blocks import Cell, Document, Fold, Grid, Listing, Paragraph, Part, Row, Section, words
from parsenet_cli.report.formats import html, latex, markdown

HOSTILE = (
    *("[/b]", "[fc7]", "[link=x]", ":smile:", "<b>", "</td>", "<!--", "&lt;", '"', "'", "](x)", "[a](http://x.test)", "`", "```"),
    *("|", "\\", "\\|", "*", "__", "~~", "$x$", "#", "# ", "- ", "+ ", "1. ", "12) ", "---", "===", "  ", "\n", "\n\n", "\t"),
    *("\x1b[31m", "\x1b]8;;x\x07", "\r", "\x00", "\x7f", "\x9b", "\u202e", "\u2028", "\ud800", "\U000e0041"),
    *("=1+1", "+x", "-x", "@x", "-1.5", "%", "&", "_", "^", "~", "{", "}", "--", "''", ",,", "\\input{x}", "–", "é", "日本"),
)  # fmt: skip

texts = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=4), max_size=5).map("".join)
FEW = settings(max_examples=60, deadline=None)


def line(text: str) -> str:
    """What a format that has no line breaks can say of it."""
    return " ".join(printable(text).split())


def grid(*given: str) -> Grid:
    """Every field that holds text, and a second row so that nothing is at the end of the table."""
    a, b, c, d, e, f = given
    rows = (Row((Cell(a), Cell(b), Cell(c, marks="a"))), Row((Cell("x"), Cell("y"), Cell("z"))))
    return Grid((d,), ((e, ("one", f)),), rows, notes=(("a", a), ("", b)), name=c, title=d, caption=e)


class Words(HTMLParser):
    """The elements of a page, and the words in each cell of its table."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: set[str] = set()
        self.cells: list[str] = []
        self.words = ""
        self.inside = self.quiet = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.quiet = self.quiet or tag in ("sup", "style", "script")
        if tag in ("td", "th"):
            self.inside = True
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        self.quiet = self.quiet and tag not in ("sup", "style", "script")
        self.inside = self.inside and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        self.words += "" if self.quiet else data
        if self.inside and not self.quiet:
            self.cells[-1] += data


def harmless(text: str) -> bool:
    return printable(text) == text


@FEW
@given(st.tuples(*[texts] * 6))
@example(("[/b]", "[fc7]", "\x1b]0;x\x07", "[link=x]y", "[/]", "\r"))
def test_terminal(given: tuple[str, ...]) -> None:
    shown = formats.find("terminal").text(grid(*given))
    assert harmless(shown)


def test_terminal_shows_brackets_everywhere() -> None:
    shown = formats.find("terminal").text(grid("[a]", "[/b]", "[c]", "[fc7]", "[e]", "[red]"))
    assert all(f"[{name}]" in shown for name in ("a", "/b", "c", "fc7", "e", "red"))


@FEW
@given(st.tuples(*[texts] * 6))
def test_markdown(given: tuple[str, ...]) -> None:
    a, b, c, d, e, f = map(line, given)
    shown = markdown.text(grid(*given))
    assert harmless(shown)
    rendered = Words(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(shown))
    assert rendered.elements <= {"p", "strong", "table", "thead", "tbody", "tr", "th", "td", "sup"}
    cells = [line(cell) for cell in rendered.cells]
    assert cells == [d, line(f"{e} one"), line(f"{e} {f}"), a, b, c, "x", "y", "z"]
    assert line(rendered.words).endswith(line(f"{a} {b}"))


@FEW
@given(texts, texts)
def test_markdown_of_a_report(first: str, second: str) -> None:
    blocks = (
        Paragraph(first),
        Listing((first, second)),
        Fold(first, (Paragraph(second),)),
        Part("x", second, (Paragraph(first),)),
    )
    shown = markdown.document(Document(first, second, (Section("s", second, blocks),), "d1"))
    assert harmless(shown)
    rendered = Words(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(shown))
    assert rendered.elements <= {"h1", "h2", "h3", "p", "pre", "code", "details", "summary"}
    for text in (first, second):
        assert line(text) in line(rendered.words)


@FEW
@given(st.tuples(*[texts] * 6))
def test_html(given: tuple[str, ...]) -> None:
    shown = html.text(grid(*given))
    assert harmless(shown)
    assert html.text(grid(*["x"] * 6)).count("<") == shown.count("<")
    assert "\x1b" not in Words(shown).words


def test_html_says_what_was_written() -> None:
    hostile = "<b>'\"&lt;</td>\x1b[31m"
    assert Words(html.text(grid(*[hostile] * 6))).cells[-6:-3] == [printable(hostile)] * 3


@FEW
@given(st.tuples(*[texts] * 6))
def test_json(given: tuple[str, ...]) -> None:
    a, b, c, d, e, _ = map(printable, given)
    shown = formats.find("json").text(grid(*given))
    assert shown.isascii()
    assert harmless(shown)
    content = json.loads(shown)
    assert (content["name"], content["title"], content["caption"], content["notes"]) == (c, d, e, [a, b])


def unquoted(value: str) -> str:
    """The inverse of the apostrophe."""
    return value[1:] if re.match(r"'+[=+\-@\t\r\n]", value) else value


@FEW
@given(st.tuples(*[texts] * 6))
@example(("=1", "+1", "-1.5e3", "'=1", "@x", "-"))
def test_csv(given: tuple[str, ...]) -> None:
    a, b, c, d, e, f = map(printable, given)
    shown = formats.find("csv").text(grid(*given))
    assert harmless(shown)
    head, first, _ = csv.reader(io.StringIO(shown))
    assert [unquoted(value) for value in head] == [d, f"{e} one".strip(), f"{e} {f}".strip()]
    assert [unquoted(value) for value in first] == [a, b, c]
    for value in (*head, *first):
        assert not re.match(r"[=@\t\r\n]|[+-](?![\d.])", value)


def test_csv_of_records_is_no_formula_either() -> None:
    made = words(("a",), [("x",)], records=({"=head": "=cmd|' /C calc'!A0", "value": -1.5, "text": "-1.5"},))
    assert formats.find("csv").text(made) == "'=head,value,text\n'=cmd|' /C calc'!A0,-1.5,-1.5\n"


UNESCAPED = {escape: character for character, escape in latex._ESCAPED.items()}


def without_latex(escaped: str) -> str:
    """The inverse of `latex.escaped`; fails where something is left that LaTeX would understand."""
    tokens = "|".join(map(re.escape, sorted(UNESCAPED, key=len, reverse=True)))
    rest = re.sub(tokens, "", escaped)
    assert re.search(r"[\\{}$&%#_^~\[\n]", rest) is None
    return re.sub(tokens, lambda token: UNESCAPED[token[0]], escaped).replace(latex._BREAK, "")


@FEW
@given(texts)
@example("-–, –-, --, ––, '', ,,, FCN-32s³")
def test_latex(text: str) -> None:
    assert without_latex(latex.escaped(printable(text))) == line(text)


@FEW
@given(st.tuples(*[texts] * 6))
def test_latex_of_a_table(given: tuple[str, ...]) -> None:
    shown, plain = (latex.text(grid(*each)) for each in (given, ["x"] * 6))
    assert harmless(shown)
    assert re.search(r"\\label\{tab:[\w.-]*\}\n", shown, re.ASCII)
    assert shown.count("\n") == plain.count("\n")
    assert len({len(re.findall(r"(?<!\\)&", text)) for text in (shown, plain)}) == 1
    depth = re.sub(r"\\[{}]", "", shown)
    assert depth.count("{") == depth.count("}")


@pytest.mark.parametrize("name", ["}\\input{/etc/passwd}%", "a b", "voc_low", "x\n\ny"])
def test_latex_label_is_a_name(name: str) -> None:
    shown = latex.text(words(("a", "b"), [("x", "y")], name=name))
    assert re.search(r"^\\label\{tab:[\w.-]+\}$", shown, re.MULTILINE)
