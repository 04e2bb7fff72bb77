"""What every room uses: run configuration, metrics, errors, files, downloads, paths, text."""
