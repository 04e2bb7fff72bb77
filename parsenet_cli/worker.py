"""`python -m parsenet_cli.worker <run folder>`: the command that queued jobs hold (see runner/worker.py)."""

from parsenet_cli.runner.worker import run_from_command_line

if __name__ == "__main__":
    run_from_command_line()
