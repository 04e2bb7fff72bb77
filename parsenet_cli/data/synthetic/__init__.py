"""Generated images: how the scenes of the synthetic data sets are drawn, pixel and label together."""
