"""Options of a launcher, checked before anything is started."""

from __future__ import annotations

from typing import Any

from parsenet_cli.core.errors import UserError


def whole_number(options: dict[str, Any], least: int, *keys: str, nullable: bool = False) -> None:
    """Raises `UserError` for the first of these options that is no whole number from `least`."""
    for key in keys:
        met = isinstance(options[key], int) and not isinstance(options[key], bool) and options[key] >= least
        expect(options, key, met, f"a whole number from {least}", nullable)


def positive(options: dict[str, Any], *keys: str, nullable: bool = False) -> None:
    """Raises `UserError` for the first of these options that is no number above 0."""
    for key in keys:
        met = isinstance(options[key], int | float) and not isinstance(options[key], bool) and options[key] > 0
        expect(options, key, met, "a positive number", nullable)


def expect(options: dict[str, Any], key: str, met: bool, expected: str, nullable: bool = False) -> None:
    """Raises `UserError`, which says what was `expected` of this option, unless that is met; null does where it is allowed."""
    if not met and not (nullable and options[key] is None):
        raise UserError(f"launcher.{key}={options[key]!r}: expected {expected}{' or null' if nullable else ''}")
