"""`python -m parsenet_cli` is the command `parsenet`."""

from __future__ import annotations

from parsenet_cli.cli.app import main

main()
