"""The network of a run: a trunk (`trunks/`) and its pretrained weights (`weights/`), global context (`context/`), and the head
that fuses them (`head.py`)."""

from __future__ import annotations
