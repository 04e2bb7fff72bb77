"""One run: its inputs, training, evaluation, checkpoint, and what a trained network is used for."""
