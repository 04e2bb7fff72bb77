"""Generated pictures: how the scenes of the synthetic data sets are painted, pixel and label together."""

from __future__ import annotations
