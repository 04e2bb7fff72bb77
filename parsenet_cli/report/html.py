"""HTML in which text is always text: whatever is not `Html` already is escaped, in content and in attributes."""

from __future__ import annotations

from html import escape

from parsenet_cli.report.discretion import without_places

VOID = frozenset({"col", "img", "link", "meta", "source"})


class Html(str):
    """Markup made here, to be put into a page as it is."""

    __slots__ = ()


def text(content: str) -> Html:
    """Text as markup: escaped, and without the names of anybody's folders."""
    return content if isinstance(content, Html) else Html(escape(without_places(content)))


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
