"""What a test puts into the product's processes; Python imports a module of this name when it starts.

It acts only where PARSENET_FAULT_FOLDER names a folder: `events` there gets a line for everything that is observed (time, pid,
run, what), and `orders.json` says what is to happen where. The product knows nothing of it: names are patched as modules are
imported, also in the fork server, whose children inherit that.

Places are named in words: `step 40`, `write result.json filled`, `rename checkpoint.pt`, `evaluate`, `look`. An order is

    {"at": <pattern of places>, "nth": 1, "run": <signature or "">, "do": <deed>, ...}

and happens once, whichever process comes there first; with `"always": true` every time, from the nth on.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

if os.environ.get("PARSENET_FAULT_FOLDER"):
    sys.path.insert(0, str(Path(__file__).parents[3]))
    from tests.faults.injected import patches

    patches.install()
