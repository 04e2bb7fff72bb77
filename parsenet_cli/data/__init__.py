"""Data sets, their releases and downloads, and what turns files into batches."""
