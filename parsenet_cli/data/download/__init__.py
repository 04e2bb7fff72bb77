"""From published archives to a folder that is whole and verified: `parsenet data get` and `check`."""
