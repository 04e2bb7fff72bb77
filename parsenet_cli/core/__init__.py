"""What every room uses: a run's configuration, metrics, errors, files, downloads, paths, text. Nothing here knows a room above."""
