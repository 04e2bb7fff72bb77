"""What the fork server imports once, so that no run has to: four seconds of torch, and the modules a run finds by name."""

from __future__ import annotations

import filelock  # noqa: F401
import omegaconf  # noqa: F401

from parsenet_cli.core import code, paths


def _import_what_runs_need() -> None:
    from parsenet_cli.data import sets
    from parsenet_cli.engine import train  # noqa: F401
    from parsenet_cli.models import context, trunks
    from parsenet_cli.runner import launch

    for folder, find in (("data/sets", sets.find), ("models/trunks", trunks.find), ("models/context", context.find)):
        for name in paths.modules(folder):
            find(name)
    launch.current_job()


code.loaded()  # before it is imported: a result says by which code it was made
_import_what_runs_need()
