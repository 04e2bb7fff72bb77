"""A trunk's pretrained weights: where they come from, reading, converting."""
