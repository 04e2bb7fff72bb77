"""The version: the one place where it stands, which the package's metadata is built from."""

from __future__ import annotations

__version__ = "0.1.0"
