"""What the cases are made of. Each module has makers of hostile things, and groups of cases that bring them to commands."""
