"""Data sets that `parsenet data get` can fetch: one module each, with `PUBLISHED`."""

from __future__ import annotations
