"""A run's trained network as one file, model.safetensors, that rebuilds it without its data and its initial weights."""

from __future__ import annotations

import json

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import atomic_write
from parsenet_cli.core.run_config import RunConfig, Science
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
    stored = read.load(run.model_file)
    try:
        signature, classes = stored.metadata["signature"], tuple(json.loads(stored.metadata["classes"]))
        science = Science.model_validate(json.loads(stored.metadata["science"]))
    except (KeyError, ValueError) as problem:
        what = " ".join(str(problem).split())
        raise UserError(f"{run.model_file}: does not say which network it holds ({what}); {again}") from None
    normalization = stored.normalization()
    if signature != run.signature or normalization is None:
        raise UserError(
            f"{run.model_file}: expected the model of run {run.signature}, found that of {signature}; {again}"
        )

    from safetensors.torch import load_file

    model = build_model(science, len(classes), None)
    model.preprocess = Preprocess(normalization)
    model.load_state_dict(load_file(run.model_file))
    return model.eval(), classes
