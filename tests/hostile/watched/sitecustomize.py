"""Python runs this in every process that has the folder on its path: it watches those that a test has started."""

import os
import sys

if os.environ.get("PARSENET_HOSTILE_LOG"):
    sys.path.append(os.environ["PARSENET_HOSTILE_TESTS"])
    from tests.hostile import watch

    sys.path.pop()
    watch.install(os.environ["PARSENET_HOSTILE_ALLOWED"].split(os.pathsep), os.environ["PARSENET_HOSTILE_LOG"])
