"""Which of our code answers which recorded layer, network or table."""

from __future__ import annotations

from collections.abc import Callable

import torch

from tests.golden import networks, normalisation, scores, sliding, solver, upsampling, vectors
from tests.golden.vectors import Case

ANSWERS: dict[str, Callable[[Case], None]] = {
    "l2norm": normalisation.norm,
    "softmax_loss": normalisation.loss,
    "deconv": upsampling.deconvolution,
    "unpool_repeat": upsampling.unpooling,
    "crops": upsampling.crops,
    "conv": sliding.convolution,
    "maxpool": sliding.maximum,
    "avgpool": sliding.average,
    "binpool": sliding.bins,
    "global_avgpool": sliding.global_average,
    "lengths": sliding.lengths,
    "solver": solver.solver,
    "network": networks.network,
    "scores": scores.scores,
}


def compared(file: str, name: str) -> Case:
    """A case with all its differences, computed by one thread."""
    case = vectors.case(file, name)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        ANSWERS[case.spec["op"]](case)
    finally:
        torch.set_num_threads(before)
    return case
