"""The arithmetic of a number is set in one place, by one interface of PyTorch, and what cannot be had is refused by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from parsenet_cli.core.errors import Stopped, UserError
from parsenet_cli.core.run_config import Precision, RunConfig
from parsenet_cli.core.text import silent
from parsenet_cli.data.dataset import IGNORED, Dataset
from parsenet_cli.engine import arithmetic, environment, inputs, loaded, predictor
from parsenet_cli.engine import train as training
from parsenet_cli.engine.predictor import Predictor
from parsenet_cli.engine.probe import Probe
from parsenet_cli.models.build import build_model
from parsenet_cli.store.run import Run, Store
from tests.conftest import changed
from tests.unit.engine.test_training import DATASET, adapted, never, planned, split

CPU, GPU = torch.device("cpu"), torch.device("cuda")
BACKENDS: Any = torch.backends


@pytest.fixture(autouse=True)
def as_pytorch_starts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """TF32 in convolutions of a GPU, as nobody has said otherwise."""
    for variable in arithmetic.VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    BACKENDS.fp32_precision, BACKENDS.cudnn.conv.fp32_precision = "none", "tf32"
    yield
    arithmetic.set_arithmetic("float32", CPU)


@pytest.fixture
def capability(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of a GPU that is only claimed to be there."""
    capability = [9, 0]
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: tuple(capability))
    return capability


@pytest.mark.usefixtures("capability")
@pytest.mark.parametrize(("precision", "convolutions"), [("float32", "ieee"), ("tf32", "tf32"), ("bfloat16", "ieee")])
def test_float32_is_ieee_and_tf32_is_that_of_convolutions_alone(precision: Precision, convolutions: str) -> None:
    arithmetic.set_arithmetic(precision, GPU)
    found = arithmetic.in_force()
    assert found["cudnn.conv.fp32_precision"] == convolutions
    assert found["fp32_precision"] == found["cuda.matmul.fp32_precision"] == "ieee"
    assert torch.backends.cudnn.rnn.fp32_precision == "ieee"  # type: ignore[attr-defined]
    with arithmetic.autocast(precision, CPU):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if precision == "bfloat16" else torch.float32)


def test_bits_of_a_cpu_are_those_of_before() -> None:
    torch.manual_seed(0)
    images, kernel, matrix = torch.randn(2, 16, 33, 31), torch.randn(24, 16, 3, 3), torch.randn(33, 70)

    def numbers() -> list[torch.Tensor]:
        weights = kernel.clone().requires_grad_()
        features = torch.nn.functional.conv2d(images, weights, padding=1)
        products = features.detach().transpose(2, 3) @ matrix
        (gradient,) = torch.autograd.grad(features.square().sum(), weights)
        return [features.detach(), products, gradient]

    before = numbers()
    arithmetic.set_arithmetic("float32", CPU)
    assert all(torch.equal(one, other) for one, other in zip(before, numbers(), strict=True))


class _Switches(SimpleNamespace):
    """Either PyTorch's old switches or its new ones: the others raise when they are read or written."""

    def __setattr__(self, name: str, value: object) -> None:
        if name not in vars(self):
            raise RuntimeError(f"the two interfaces are mixed: {name}")
        vars(self)[name] = value


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.usefixtures("capability")
def test_only_one_of_pytorchs_two_interfaces_is_touched(old: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    cudnn: dict[str, Any] = {"benchmark": True, "deterministic": False}
    if old:
        matmul = _Switches(allow_tf32=True)
        fake = _Switches(cudnn=_Switches(allow_tf32=True, **cudnn), cuda=_Switches(matmul=matmul))
    else:
        conv, matmul = _Switches(fp32_precision="tf32"), _Switches(fp32_precision="none")
        fake = _Switches(fp32_precision="none", cudnn=_Switches(conv=conv, **cudnn), cuda=_Switches(matmul=matmul))
    monkeypatch.setattr(arithmetic, "backends", fake)
    arithmetic.set_arithmetic("float32", GPU)
    assert "tf32" not in arithmetic.in_force().values()
    assert not {"True"} & {value for flag, value in arithmetic.in_force().items() if "allow" in flag}
    arithmetic.set_arithmetic("tf32", GPU)
    found = arithmetic.in_force()
    assert (found["cudnn.allow_tf32"] if old else found["cudnn.conv.fp32_precision"]) == ("True" if old else "tf32")
    assert (found["cuda.matmul.allow_tf32"] if old else found["cuda.matmul.fp32_precision"]) in ("False", "ieee")


@pytest.mark.parametrize(
    ("precision", "device", "has", "variable", "message"),
    [
        ("tf32", CPU, (9, 0), None, "precision=tf32: a CPU has no TF32; use precision=float32 or bfloat16, or a GPU"),
        ("tf32", GPU, (7, 5), None, "precision=tf32: a GPU of compute capability 7.5 has none"),
        ("bfloat16", GPU, (7, 0), None, "precision=bfloat16: a GPU of compute capability 7.0 has none"),
        (
            "tf32",
            GPU,
            (9, 0),
            "0",
            "precision=tf32: NVIDIA_TF32_OVERRIDE=0 in the environment says otherwise; unset it",
        ),
        ("float32", GPU, (9, 0), "1", "precision=float32: NVIDIA_TF32_OVERRIDE=1 in the environment says otherwise"),
        ("bfloat16", GPU, (9, 0), "1", "precision=bfloat16: NVIDIA_TF32_OVERRIDE=1 in the environment says otherwise"),
        ("float32", GPU, (7, 5), "0", None),
        ("bfloat16", CPU, (9, 0), None, None),
        ("float32", CPU, (9, 0), "1", None),
    ],
)
def test_what_the_device_cannot_do_is_refused(
    precision: Precision,
    device: torch.device,
    has: tuple[int, int],
    variable: str | None,
    message: str | None,
    capability: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    capability[:] = has
    if variable is not None:
        monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", variable)
    if message is None:
        arithmetic.set_arithmetic(precision, device)
        return
    with pytest.raises(UserError) as refused:
        arithmetic.set_arithmetic(precision, device)
    assert str(refused.value).startswith(message)


@pytest.mark.usefixtures("capability")
def test_determinism_is_of_gpus_and_ends_with_the_next_setting() -> None:
    arithmetic.set_arithmetic("bfloat16", GPU, deterministic=True)
    assert torch.get_deterministic_debug_mode() == 2
    assert (BACKENDS.cudnn.deterministic, BACKENDS.cudnn.benchmark) == (True, False)
    assert not torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert arithmetic.in_force()["deterministic_debug_mode"] == "2"
    arithmetic.set_arithmetic("bfloat16", CPU, deterministic=True)
    assert torch.get_deterministic_debug_mode() == 0
    assert not BACKENDS.cudnn.deterministic
    assert arithmetic.name("tf32", GPU, True) == "tf32, deterministic"
    assert arithmetic.name("bfloat16", CPU, True) == arithmetic.name("bfloat16", GPU, False) == "bfloat16"


def test_workspaces_that_the_user_has_chosen_stay(monkeypatch: pytest.MonkeyPatch, capability: list[int]) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    arithmetic.set_arithmetic("float32", GPU, deterministic=True)
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"


def a_training(run: Run, config: RunConfig, store: Store) -> None:
    training.train_run(run, store.cache, 1, never)
    assert run.environment().arithmetic["cudnn.conv.fp32_precision"] == "ieee"
    (device,) = run.done_result().devices
    assert (device["iteration"], device["arithmetic"]) == (0, "float32")
    assert device["device"] == run.environment().device


def a_prediction(run: Run, config: RunConfig, store: Store) -> None:
    Predictor(run, "cpu")


def a_probe(run: Run, config: RunConfig, store: Store) -> None:
    Probe(config, (3, 40, 40))


def a_figure(run: Run, config: RunConfig, store: Store) -> None:
    loaded.from_config(config, store.cache, silent)


@pytest.mark.parametrize("use", [a_training, a_prediction, a_probe, a_figure])
def test_every_use_of_a_network_sets_it(
    use: Callable[[Run, RunConfig, Store], None], config: RunConfig, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = adapted(config, iterations=1, device="cpu")
    run = planned(store, config)
    images = Dataset(DATASET.classes, IGNORED, split(2), split(1))
    monkeypatch.setattr(inputs, "data", lambda *_: images)
    monkeypatch.setattr(predictor, "load_model", lambda _: (build_model(config.science, 3, None), images.classes))
    assert torch.backends.cudnn.conv.fp32_precision == "tf32"  # type: ignore[attr-defined]
    use(run, config, store)
    assert torch.backends.cudnn.conv.fp32_precision == "ieee"  # type: ignore[attr-defined]


def test_model_that_was_trained_in_tf32_predicts_on_a_cpu(
    config: RunConfig, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = planned(store, changed(config, precision="tf32"))
    monkeypatch.setattr(predictor, "load_model", lambda _: (build_model(config.science, 3, None), ("a", "b", "c")))
    assert Predictor(run, "cpu").ids(split(1).image(0)).shape == (48, 48)


def test_probe_waits_for_the_update_on_a_gpu(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    probe, happened = Probe(changed(config, device="cpu"), (3, 40, 40)), list[str]()
    monkeypatch.setattr(probe.trainer.optimizer, "update", lambda _rate: happened.append("update"))
    monkeypatch.setattr(torch.cuda, "synchronize", lambda _: happened.append("wait"))
    probe.device = GPU
    probe.step()
    assert happened == ["update", "wait"]


def test_memory_is_given_back_before_a_step_is_tried_with_less(
    config: RunConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trained = training.Trainer(adapted(config), build_model(config.science, 3, None), DATASET, CPU)
    tries: list[str] = []

    def batch(_number: int) -> float:
        tries.append("try")
        if tries == ["try"]:
            raise RuntimeError("CUDA error: out of memory")
        return 0.0

    monkeypatch.setattr(trained, "_batch", batch)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: tries.append("empty"))
    trained.device = GPU
    trained.step(0)
    assert tries == ["try", "empty", "try"]


def test_training_that_was_promised_bits_does_not_go_on_elsewhere(
    config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its checkpoint stays for the device that it was made on."""

    def fit(device: str, steps: int, **runtime: bool) -> training.Trainer:
        monkeypatch.setattr(environment, "device_name", lambda _: device)
        asked = changed(adapted(config, iterations=4), **runtime)
        one = training.Trainer(asked, build_model(asked.science, 3, None), DATASET, CPU)
        asks = iter(range(steps))
        one.fit(run, lambda: next(asks, None) is None)
        return one

    run = Run(tmp_path / "run")
    run.folder.mkdir()
    with pytest.raises(Stopped):
        fit("one card", 1, deterministic=True)
    with pytest.raises(UserError, match="deterministic=true: the checkpoint at iteration 2 was made on one card"):
        fit("another card", 9, deterministic=True)
    assert run.has_checkpoint
    devices = fit("another card", 9, deterministic=False).progress.devices
    assert [(entry["iteration"], entry["device"]) for entry in devices] == [(0, "one card"), (2, "another card")]
