"""`python -m tests.hostile.zygote`: has imported everything, and carries out each command line in a fork of itself.

A command costs what it computes and not what it imports, and one that ends by a signal, hangs or changes what modules hold takes
nothing with it. Requests come as lines of JSON on the standard input; the answer to each is the status that `wait` gave.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import resource
import signal
import sys
import traceback
from typing import Any

NOT_IMPORTED = ("__main__", "worker")
LATER = (
    *("pandas", "matplotlib.pyplot", "matplotlib.backends.backend_pdf", "rich.live", "rich.table", "hydra", "scipy.io"),
    *("pydantic.dataclasses", "jinja2", "antlr4", "torch._meta_registrations", "multiprocessing.forkserver"),
    *("PIL.BmpImagePlugin", "PIL.GifImagePlugin", "PIL.JpegImagePlugin", "PIL.PpmImagePlugin", "PIL.PngImagePlugin"),
)
"""What commands import while they run."""


def main() -> None:
    import parsenet_cli

    for module in pkgutil.walk_packages(parsenet_cli.__path__, "parsenet_cli."):
        if module.name.removeprefix("parsenet_cli.") not in NOT_IMPORTED:
            importlib.import_module(module.name)
    for name in LATER:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # a collection in a fork would copy the pages of all that was imported
    _say("ready")
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            _carry_out(request)
        _, status = os.waitpid(child, 0)
        with _suppressed():
            os.killpg(child, signal.SIGKILL)  # what it has left behind
        _say(str(status))


def _say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def _suppressed() -> Any:
    from contextlib import suppress

    return suppress(ProcessLookupError, PermissionError)


def _carry_out(request: dict[str, Any]) -> None:
    code = 70
    try:
        os.setsid()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(request["patience"])
        for number, file in ((0, os.devnull), (1, request["out"]), (2, request["err"])):
            os.dup2(os.open(file, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666), number)
        resource.setrlimit(resource.RLIMIT_AS, (request["memory"], request["memory"]))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.environ.clear()
        os.environ.update(request["env"])
        os.chdir(request["cwd"])
        sys.argv = ["parsenet", *request["argv"]]
        from parsenet_cli.cli import app
        from tests.hostile import watch

        watch.install(request["allowed"], request["log"])
        code = app.main()
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        with _flushing():
            sys.stdout.flush()
        with _flushing():
            sys.stderr.flush()
        os._exit(code)


def _flushing() -> Any:
    from contextlib import suppress

    return suppress(Exception)


if __name__ == "__main__":
    main()
