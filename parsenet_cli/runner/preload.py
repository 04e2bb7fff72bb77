"""What the fork server imports once, so that no run has to: four seconds of torch, and the modules a run finds by name."""

from __future__ import annotations

import filelock  # noqa: F401
import omegaconf  # noqa: F401

from parsenet_cli.core import code, paths
from parsenet_cli.core.blocks import FOLDERS


def _import_what_runs_need() -> None:
    from parsenet_cli.data import sets
    from parsenet_cli.engine import train  # noqa: F401
    from parsenet_cli.models import blocks, trunks
    from parsenet_cli.runner import launch

    for folder, find in (("data/sets", sets.find), ("models/trunks", trunks.find)):
        for name in paths.modules(folder):
            find(name)
    for group, folder in FOLDERS.items():
        for name in paths.modules(folder):
            blocks.load(group, name)
    launch.current_job()


code.loaded()  # before it is imported: a result says by which code it was made
_import_what_runs_need()
