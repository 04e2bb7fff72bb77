"""From studies and runs to what a person reads. Nothing here composes a configuration or trains."""

from __future__ import annotations
