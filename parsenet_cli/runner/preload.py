"""What the fork server imports once, so that no run has to: four seconds of torch, and the modules a run finds by name."""

from __future__ import annotations

import importlib

from parsenet_cli.core import paths

_FOUND_BY_NAME = [
    f"parsenet_cli.{folder.replace('/', '.')}.{name}"
    for folder in ("data/sets", "models/trunks", "models/context")
    for name in paths.modules(folder)
]

for _module in ("omegaconf", "filelock", "parsenet_cli.engine.train", *_FOUND_BY_NAME):
    importlib.import_module(_module)
