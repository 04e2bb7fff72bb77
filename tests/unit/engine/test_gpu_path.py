"""What a training step would do on a GPU, seen without one: on PyTorch's fake tensors, which have a device and no content.

Forward passes run on fake CUDA tensors. Backward passes cannot, where there is no driver: whole steps run on fake CPU
tensors, which have no values either, so that nothing in a step can depend on one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from parsenet_cli.core.run_config import RunConfig, Science
from parsenet_cli.engine.loss import softmax_loss
from parsenet_cli.engine.train import Trainer
from parsenet_cli.models.build import build_model
from parsenet_cli.models.context.spp import averaging_matrix, copying_matrix
from parsenet_cli.models.upsample import hat_matrix
from tests.unit.engine.test_training import DATASET
from tests.unit.models.conftest import make_science

CONTEXT = ("pool6", "fc7")
STACK = ("pool6", "fc7", "conv5", "conv4", "conv3")
SIDE = 96
"""Of the images: fc7's map of body `reduced` has 12 cells."""

NETWORKS: dict[str, dict[str, Any]] = {
    "five layers": {"layers": STACK, "norm": "l2"},
    "late fusion": {"body": "reduced", "layers": CONTEXT, "norm": "l2", "fusion": "late"},
    "pyramid": {"body": "reduced", "layers": CONTEXT, "norm": "l2", "context": "spp"},
    "adaptive pyramid, dropped, upsampled first": {
        **{"body": "deeplab", "layers": STACK, "norm": "l2", "context": "spp", "spp_geometry": "adaptive"},
        **{"context_dropout": 0.5, "align": "upsample_first"},
    },
    "mixed": {"body": "largefov", "layers": CONTEXT, "norm": "l2", "mix": "conv1x1"},
    "skips": {"skips": "8s", "pad100": True},
    "learned skips": {"skips": "16s", "upsample": "learned"},
    "learned upsampling, one scale, one norm": {
        **{"layers": STACK, "norm": "l2", "upsample": "learned"},
        **{"norm_shared": True, "norm_across_space": True, "norm_gradient": "authors"},
    },
    "squeezenet": {"trunk": "squeezenet", "body": "reduced", "layers": CONTEXT},
}

MOST_OPERATIONS = {"five layers": 205, "late fusion": 145, "pyramid": 210, "skips": 135}
"""Of a step, views and allocations apart. Each is a launch or more, and those are what a GPU waits for."""

VARYING = {
    *(
        "scatter",
        "scatter_",
        "scatter_add",
        "scatter_add_",
        "scatter_reduce",
        "scatter_reduce_",
        "index_add",
        "index_add_",
    ),
    *(
        "index_put",
        "index_put_",
        "_index_put_impl_",
        "index_copy",
        "index_copy_",
        "put_",
        "bincount",
        "histc",
        "cumsum",
    ),
    *("kthvalue", "median", "nll_loss2d_forward", "nll_loss2d_backward", "max_unpool2d", "repeat_interleave"),
    *(f"upsample_{kind}_backward" for kind in ("linear1d", "bilinear2d", "bicubic2d", "trilinear3d")),
    *("adaptive_avg_pool2d_backward", "_adaptive_avg_pool2d_backward", "adaptive_max_pool2d_backward"),
    *(f"{kind}_pad2d_backward" for kind in ("reflection", "replication")),
    *("fractional_max_pool2d_backward", "grid_sampler_2d_backward", "embedding_dense_backward"),
}
"""Operations that torch.use_deterministic_algorithms names: on a GPU they need not come out the same twice, or throw."""

FREE = {"detach", "alias", "as_strided", "empty", "empty_like", "empty_strided", "new_empty_strided", "_unsafe_view"}


Kinds = set[tuple[str, torch.dtype]]
"""Devices and types of tensors. Tensors themselves are not kept: a gradient that somebody else has is copied."""


@dataclass(frozen=True)
class Operation:
    name: str
    given: Kinds
    made: Kinds
    is_view: bool


def kinds(tree: object) -> Kinds:
    return {(x.device.type, x.dtype) for x in tree_leaves(tree) if isinstance(x, Tensor)}


@dataclass
class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """What PyTorch is asked for, below autograd and autocast."""

    operations: list[Operation] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func.namespace == "aten":
            name = "deconvolution" if func._opname == "convolution" and args[6] else func._opname
            self.operations.append(Operation(name, kinds((args, kwargs or {})), kinds(result), func.is_view))
        return result

    @property
    def launches(self) -> list[str]:
        return [op.name for op in self.operations if not op.is_view and op.name not in FREE]


@pytest.fixture(autouse=True)
def matrices_of_their_own() -> Iterator[None]:
    """None that is fake may stay."""
    kept = (hat_matrix, averaging_matrix, copying_matrix)
    for function in kept:
        function.cache_clear()
    yield
    for function in kept:
        function.cache_clear()


@lru_cache
def science_of(network: str) -> Science:
    return make_science(dropout=0.5, **NETWORKS[network])


def fake_model(network: str, device: str) -> nn.Module:
    """Within a FakeTensorMode: the network, in training, with parameters that have a device and no content."""
    with torch._subclasses.fake_tensor.unset_fake_temporarily():
        model = build_model(science_of(network), 5, None)
    for module in model.modules():
        groups: tuple[dict[str, Any], ...] = (module._parameters, module._buffers)
        for group in groups:
            for name, tensor in group.items():
                if tensor is not None:
                    fake = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=device)
                    trained = isinstance(tensor, nn.Parameter)
                    group[name] = nn.Parameter(fake, tensor.requires_grad) if trained else fake
    return model


def forward(network: str, precision: torch.dtype | None) -> tuple[Recorder, Recorder]:
    """What a first and a second forward pass with the loss do on a fake GPU, under autocast where a precision is given."""
    available = {"torch.cuda.amp.common.amp_definitely_not_available": False, "torch.cuda.is_bf16_supported": True}
    with FakeTensorMode(), ExitStack() as stack:
        for name, answer in available.items():
            stack.enter_context(mock.patch(name, return_value=answer))
        model = fake_model(network, "cuda")
        images = torch.empty(2, 3, SIDE, SIDE, dtype=torch.uint8, device="cuda")
        labels = torch.empty(2, SIDE, SIDE, dtype=torch.uint8, device="cuda")
        passes = []
        for _ in range(2):
            passes.append(Recorder())
            with passes[-1]:
                with torch.autocast("cuda", precision, enabled=precision is not None):
                    logits = model(images)
                softmax_loss(logits, labels, 255, 2)
    return passes[0], passes[1]


@pytest.mark.parametrize("network", NETWORKS)
def test_a_forward_pass_stays_on_the_gpu_and_has_autocast_where_it_belongs(network: str) -> None:
    first, second = forward(network, torch.bfloat16)
    for op in first.operations:
        assert {device for device, _ in op.given | op.made} <= {"cuda"}, op.name
    assert VARYING.isdisjoint(first.launches)
    assert "arange" not in second.launches[: second.launches.index("_softmax")], "matrices are made once"
    types: dict[str, set[torch.dtype]] = {}
    for op in first.operations:
        found = op.made if op.name == "mean" else op.given | op.made
        types.setdefault(op.name, set()).update(dtype for _, dtype in found)
    assert types["convolution"] == {torch.bfloat16}
    for name in ("deconvolution", "mean", "bmm", "mm", "rsqrt_", "_softmax"):  # upsampling, averages, norm and loss
        assert types.get(name, {torch.float32}) == {torch.float32}, name
    assert {"mean", "bmm", "deconvolution"} & types.keys()
    assert ("rsqrt_" in types) == (NETWORKS[network].get("norm") == "l2")


def test_without_autocast_all_is_float32() -> None:
    recorded, _ = forward("five layers", None)
    found = {dtype for op in recorded.operations for _, dtype in op.made}
    assert {dtype for dtype in found if dtype.is_floating_point} == {torch.float32}


def fake_trainer(config: RunConfig, network: str, **recipe: Any) -> Trainer:
    """Within a FakeTensorMode: a training with the update that a GPU has."""
    science = science_of(network)
    science = science.model_copy(update={"recipe": science.recipe.model_copy(update={"batch": 2, **recipe})})
    model: Any = fake_model(network, "cpu")
    trainer = Trainer(config.model_copy(update={"science": science}), model, DATASET, torch.device("cpu"))
    trainer.optimizer._fused = True
    pixels = [torch.empty(*shape, dtype=torch.uint8) for shape in ((2, 3, SIDE, SIDE), (2, SIDE, SIDE))]
    trainer.batches = [pixels] * 4  # type: ignore[assignment]
    return trainer


@pytest.fixture
def pixels_are_fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "from_numpy", lambda tensor: tensor)


@pytest.mark.usefixtures("pixels_are_fake")
@pytest.mark.parametrize("network", NETWORKS)
def test_a_step_needs_no_value_and_launches_no_more_than_it_did(config: RunConfig, network: str) -> None:
    with FakeTensorMode():
        trainer = fake_trainer(config, network)
        trainer.step(0)  # makes the matrices
        with Recorder() as recorded:
            loss = trainer.step(0)
        with pytest.raises(DataDependentOutputException):
            float(loss)
    assert len(recorded.launches) <= MOST_OPERATIONS.get(network, 10_000)
    begin = recorded.launches.index("_softmax")  # the loss of a CPU may scatter, that of a GPU does not: see above
    assert VARYING.isdisjoint({*recorded.launches[:begin], *recorded.launches[begin + 10 :]})
    assert recorded.launches.count("_fused_sgd_") == len(trainer.optimizer.groups)


@pytest.mark.usefixtures("pixels_are_fake")
def test_clipping_and_accumulating_need_no_value_either(config: RunConfig) -> None:
    with FakeTensorMode():
        trainer = fake_trainer(config, "late fusion", clip_gradients=1.0, iter_size=2)
        trainer.step(0)
        trainer.optimizer._fused = False
        with pytest.raises(DataDependentOutputException):  # the loop, which is the CPU's
            trainer.step(1)
