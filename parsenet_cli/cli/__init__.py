"""The commands: one file for each group, with nothing in it but options, a call and what is printed."""

from __future__ import annotations
