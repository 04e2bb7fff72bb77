"""Data sets, one module each (a module with `open_dataset` is a data set), and what turns files into batches."""

from __future__ import annotations
