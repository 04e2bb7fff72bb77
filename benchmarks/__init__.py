"""What the README's performance section was measured with. `python -m benchmarks` runs all of it."""
