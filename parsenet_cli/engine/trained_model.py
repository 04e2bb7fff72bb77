"""A run's trained network as one file, model.safetensors, that rebuilds it without its data and its initial weights."""

from __future__ import annotations

import json
from collections.abc import Mapping

import torch
from torch import Tensor

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import atomic_write
from parsenet_cli.core.run_config import RunConfig, Science
from parsenet_cli.core.sealed import parse_json
from parsenet_cli.data.dataset import check_class_names
from parsenet_cli.models.build import Segmenter, build_model
from parsenet_cli.models.preprocess import Preprocess
from parsenet_cli.models.weights import read
from parsenet_cli.store.artifacts import verify_model
from parsenet_cli.store.run import Run


def save(run: Run, config: RunConfig, model: Segmenter, classes: tuple[str, ...]) -> None:
    """Write model.safetensors: every parameter by name and, as metadata, what the network is. It holds no code.

    The metadata: `signature`, `science` and `classes` as JSON, and the input's `channel_order` with `mean_…` and
    `std_…`, as in any file of weights, so that the file can also be the `weights=` of another run.
    """
    from safetensors.torch import save as to_bytes

    metadata = {
        "signature": run.signature,
        "science": config.science.model_dump_json(),
        "classes": json.dumps(classes),
        **model.preprocess.normalization.metadata(),
    }
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    with atomic_write(run.model_file) as file:
        file.write(to_bytes(tensors, metadata))


def load_model(run: Run) -> tuple[Segmenter, tuple[str, ...]]:
    """The network of a run, on the CPU and in evaluation mode, and the names of its classes.

    Raises:
        UserError: the run has no model, or the file is damaged or another run's.
    """
    again = f"{run.retrain_command()} trains the run again and keeps its model"
    if run.model_file.is_file():
        verify_model(run)
    else:
        why = "it was not kept" if run.result() is not None else f"it is not done ({run.state()})"
        raise UserError(f"{run.folder}: the run has no {run.model_file.name}, because {why}; {again}")
    tensors, metadata = read.read_safetensors(run.model_file)
    try:
        signature, classes = metadata["signature"], check_class_names(parse_json(metadata["classes"]))
        science = Science.model_validate(parse_json(metadata["science"]))
    except (KeyError, ValueError) as problem:
        what = " ".join(str(problem).split())[:500]
        raise UserError(f"{run.model_file}: does not say which network it holds ({what}); {again}") from None
    normalization = read.Weights(str(run.model_file), tensors, metadata).normalization()
    if signature != run.signature or normalization is None:
        raise UserError(
            f"{run.model_file}: expected the model of run {run.signature}, found that of {signature[:100]}; {again}"
        )
    _check_shapes(run, science, len(classes), tensors, again)
    model = build_model(science, len(classes), None)
    model.preprocess = Preprocess(normalization)
    model.load_state_dict(tensors)
    return model.eval(), classes


def _check_shapes(run: Run, science: Science, classes: int, tensors: Mapping[str, Tensor], again: str) -> None:
    """Raises `UserError` unless the tensors are those of the network, which is not given any memory before that is known."""
    try:
        with torch.device("meta"):
            wanted = {
                name: tuple(tensor.shape) for name, tensor in build_model(science, classes, None).state_dict().items()
            }
    except (RuntimeError, ValueError, TypeError, OverflowError, IndexError) as problem:
        what = " ".join(str(problem).split())[:500]
        raise UserError(f"{run.model_file}: the network it describes cannot be built ({what}); {again}") from None
    for name in sorted(wanted.keys() | tensors.keys()):
        expected, found = wanted.get(name), tuple(tensors[name].shape) if name in tensors else None
        if expected != found:
            raise UserError(
                f"{run.model_file}: {name[:200]}: expected {_shape(expected)} for {classes} classes and the network it "
                f"describes, found {_shape(found)}; {again}"
            )


def _shape(shape: tuple[int, ...] | None) -> str:
    return "no such tensor" if shape is None else f"shape {shape}"
