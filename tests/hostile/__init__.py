"""Hostile folders, files and arguments: whatever the commands are given, they answer in a sentence, write nothing elsewhere, run
nothing, and end."""
