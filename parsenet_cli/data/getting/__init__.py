"""Data sets that `parsenet data get` can fetch: one module each, with `PUBLISHED`."""
