"""Which configurations the network can be built and trained for: known before anything runs, and without importing torch."""

from __future__ import annotations

from parsenet_cli.core.blocks import NONE
from parsenet_cli.core.run_config import Precision, Science
from parsenet_cli.models import trunks
from parsenet_cli.models.weights import sources


def unfreezable(science: Science) -> str | None:
    """Why `recipe.frozen` cannot be had, as a sentence, or None.

    Raises:
        UserError: the trunk does not exist.
    """
    frozen, stages = science.recipe.frozen, trunks.find(science.trunk).stages
    if not frozen:
        return None
    named, some = f"recipe.frozen=[{', '.join(frozen)}]", f"[{', '.join(stages)}]"
    if not stages:
        return f"{named}: trunk {science.trunk} names no stages that could be frozen; use recipe.frozen=[]"
    if missing := [stage for stage in frozen if stage not in stages]:
        return f"{named}: trunk {science.trunk} has no stage {missing[0]}; expected the first of {some}, or [] for none"
    if frozen != stages[: len(frozen)]:
        skipped = next(stage for stage in stages if stage not in frozen)
        return f"{named}: {skipped} lies below {frozen[-1]} and would be trained; expected the first of {some}, or [] for none"
    if science.weights == "none":
        return f"{named}: with weights=none these stages would stay as they are drawn; use recipe.frozen=[], or other weights"
    return None


def unsupported(science: Science) -> str | None:
    """Why no network can be built for these axes, as a clause that fits behind "n/a: ", or None.

    Raises:
        UserError: the trunk does not exist.
    """
    trunk = trunks.find(science.trunk)
    for layer in science.layers:
        if layer not in trunk.layers:
            return f"layers: {science.trunk} has no feature for {layer}, only for {', '.join(trunk.layers)}"
    for tap in science.context_taps:
        if tap not in trunk.layers:
            return f"context_layers: {science.trunk} has no feature for {tap}"
    for axis, named in (("norm_layers", science.norm_layers or ()), ("feature_scale", science.feature_scale)):
        for layer in named:
            if layer not in science.layers:
                return f"{axis} has {layer}, which is not among layers=[{','.join(science.layers)}]"
    if science.norm == "lp" and (science.norm_across_space or science.norm_gradient == "authors"):
        return (
            "norm=lp is one of each pixel, with its exact gradient: norm_across_space and norm_gradient are those of l2"
        )
    if science.gate != NONE:
        read = {layer for layer in science.layers if layer != "pool6"} | {*science.context_taps}
        for tap in science.gate_layers:
            if tap not in read:
                return f"gate={science.gate}: gate_layers has {tap}, which is not read, only {', '.join(sorted(read))}"
    if reason := sources.unsupported(science):
        return reason
    if science.fusion == "late" and science.mix == "conv1x1":
        return "mix=conv1x1 mixes the concatenation of early fusion; fusion=late has none"
    if science.skips != "none":
        if science.skip_training == "staged":
            return "skip_training=staged starts from a trained network without the skip; use skip_training=at_once"
        extra = [layer for layer in (*science.layers, *science.context_taps) if layer not in ("pool6", "fc7")]
        if extra:
            return (
                f"skips={science.skips} join the scores of fc7; {', '.join(extra)} would be added twice: use skips=none"
            )
        if science.skips not in trunk.skips:
            return trunk.unsupported(science) or f"skips={science.skips}: {science.trunk} has no such skips"
    return trunk.unsupported(science)


AMPERE = (8, 0)
"""The compute capability of the first GPUs that have TF32 and bfloat16."""


def lacks_arithmetic(precision: Precision, device: str, capability: tuple[int, int] | None = None) -> str | None:
    """Why a device has no such arithmetic, as a clause, or None. A CPU has bfloat16, if need be by software.

    Args:
        precision: The axis of that name.
        device: `cpu`, or `cuda` for a GPU.
        capability: The GPU's compute capability; None where it is not known.
    """
    if device == "cpu":
        return "a CPU has no TF32; use precision=float32 or bfloat16, or a GPU" if precision == "tf32" else None
    if precision != "float32" and capability is not None and capability < AMPERE:
        major, minor = capability
        return f"a GPU of compute capability {major}.{minor} has none, from 8.0 on they have; use precision=float32"
    return None
