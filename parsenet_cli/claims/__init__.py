"""What the paper claims, judged by the runs (docs/claims.md)."""

from __future__ import annotations
