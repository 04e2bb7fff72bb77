"""What the shell offers while an override is typed: keys, then the values of a key."""

from __future__ import annotations


def complete(text: str) -> list[str]:
    """`fus` -> `fusion=`; `fusion=l` -> `fusion=late`; `fusion=early,` -> `fusion=early,late`."""
    from parsenet_cli.compose import AXES, RECIPE_KEYS, choices

    key, equals, value = text.partition("=")
    if not equals:
        return [f"{name}=" for name in (*AXES, "recipe", *RECIPE_KEYS, "launcher") if name.startswith(key)]
    before, comma, last = value.rpartition(",")
    return [f"{key}={before}{comma}{choice}" for choice in choices(key) if choice.startswith(last)]
