"""The network of a run: a trunk (`trunks/`), global context (`context/`), and the head that fuses them (`fusion.py`)."""

from __future__ import annotations
