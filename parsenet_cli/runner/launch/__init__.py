"""Launchers: one file or folder each, found by its name (`launcher=local`); `runner/launcher.py` says what each offers."""
