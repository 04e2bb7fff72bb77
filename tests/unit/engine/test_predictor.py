"""A kept model: the file alone rebuilds the network, and what it cannot take is said in words."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.engine import trained_model
from parsenet_cli.engine.predictor import Predictor
from parsenet_cli.models.build import Segmenter, build_model
from parsenet_cli.models.preprocess import Preprocess
from parsenet_cli.models.preprocessing_spec import InputNormalization
from parsenet_cli.models.weights import read
from parsenet_cli.store.run import Run, Store
from tests.conftest import changed

CLASSES = ("background", "cat", "dog")
CONVENTION = InputNormalization("BGR", (1.5, 2.25, 3.125), (4.0, 5.0, 6.0))


@pytest.fixture
def config(config: RunConfig) -> RunConfig:
    """With a pyramid of 3x3 bins: such a network needs maps of some size."""
    return changed(config, context="spp", context_bins=(1, 2, 3), spp_geometry="adaptive")


@pytest.fixture
def model(run: Run, config: RunConfig) -> Segmenter:
    """A network that is kept, with numbers and a preprocessing that no default gives."""
    model = build_model(config.science, len(CLASSES), None)
    model.preprocess = Preprocess(CONVENTION)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.001)
    trained_model.save(run, config, model, CLASSES)
    return model.eval()


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def test_network_is_rebuilt_from_the_file_alone(run: Run, model: Segmenter) -> None:
    rebuilt, classes = trained_model.load_model(run)
    assert classes == CLASSES
    assert rebuilt.preprocess.normalization == CONVENTION
    pixels = torch.from_numpy(noise(90, 70)).permute(2, 0, 1)[None]
    with torch.inference_mode():
        torch.testing.assert_close(rebuilt(pixels), model(pixels), rtol=0, atol=0)


def rewritten(run: Run, **changes: str) -> None:
    with safe_open(run.model_file, "pt") as opened:
        metadata = opened.metadata() | changes
    save_file(load_file(run.model_file), run.model_file, metadata)


def changed_science(run: Run, **axes: object) -> str:
    return json.dumps(run.config().science.model_dump(mode="json") | axes)


@pytest.mark.parametrize(
    ("classes", "says"),
    [
        ("5", "expected 1 to 255 different class names"),
        ("[]", "expected 1 to 255 different class names"),
        ('["a", 5, "b"]', "printable characters, found '5'"),
        ('["a", "b", "a"]', "found 'a' twice"),
        ('["a", "b", "c\\u001b[31m"]', "printable characters"),
        ("[" * 100_000, "nested too deeply"),
        ('["a", "b"]', "expected shape .* for 2 classes and the network it describes, found shape"),
        (json.dumps([str(i) for i in range(200)]), "expected shape .* for 200 classes"),
        (json.dumps([str(i) for i in range(300)]), "expected 1 to 255"),
    ],
    ids=["number", "none", "mixed", "twice", "escape", "deep", "fewer", "more", "too many"],
)
def test_classes_of_a_model_are_names_that_fit_its_head(run: Run, model: Segmenter, classes: str, says: str) -> None:
    rewritten(run, classes=classes)
    with pytest.raises(UserError, match=rf"model\.safetensors: .*{says}"):
        trained_model.load_model(run)


def test_network_that_its_file_does_not_hold_is_given_no_memory(run: Run, model: Segmenter) -> None:
    rewritten(run, science=changed_science(run, mix="conv1x1", mix_width=4000))
    with pytest.raises(UserError, match=r"model\.safetensors: .*: expected .* the network it describes, found"):
        trained_model.load_model(run)


def test_model_without_a_usable_mean_is_refused(run: Run, model: Segmenter) -> None:
    for damage in ({"mean_bgr": "nan,1,1"}, {"std_bgr": "0,1,1"}):
        rewritten(run, **{"mean_bgr": "1,1,1", "std_bgr": "1,1,1", **damage})
        with pytest.raises(UserError, match=r"model\.safetensors: metadata: (mean|scale)"):
            trained_model.load_model(run)


def test_model_can_be_the_weights_of_another_run(run: Run, model: Segmenter) -> None:
    assert read.load(run.model_file).normalization() == CONVENTION


def test_network_that_diverged_predicts_its_first_class(run: Run, config: RunConfig, model: Segmenter) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(float("nan"))
    trained_model.save(run, config, model, CLASSES)
    assert not Predictor(run, "cpu").ids(noise(90, 70)).any()


def test_image_below_the_least_size_is_refused_and_one_of_it_is_not(run: Run, model: Segmenter) -> None:
    predictor = Predictor(run, "cpu")
    with pytest.raises(UserError, match=r"3x2 pixels are too small for this network: expected at least \d+") as refused:
        predictor.ids(noise(2, 3))
    least = int(str(refused.value).partition("at least ")[2].split()[0])
    assert predictor.ids(noise(least, least)).shape == (least, least)
    with pytest.raises(UserError):
        predictor.ids(noise(least - 1, least - 1))


def test_image_that_does_not_fit_into_the_memory_is_refused_beforehand(
    run: Run, model: Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parsenet_cli.engine.predictor.LARGE", 100 * 100)
    predictor = Predictor(run, "cpu")
    assert predictor.ids(noise(200, 200)).shape == (200, 200)
    monkeypatch.setattr("parsenet_cli.engine.predictor._free_memory", lambda: 200 * 200 * 3)
    assert predictor.ids(noise(90, 90)).shape == (90, 90)
    with pytest.raises(UserError, match=r"300x200 pixels do not fit into the memory.*a smaller copy"):
        predictor.ids(noise(200, 300))


def test_memory_that_runs_out_after_all_is_said(run: Run, model: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_self: Segmenter, _images: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(Segmenter, "forward", full)
    with pytest.raises(UserError, match="do not fit into the memory"):
        Predictor(run, "cpu").ids(noise(90, 70))


def test_missing_model_names_the_command_that_makes_it(run: Run) -> None:
    with pytest.raises(UserError, match=f"not done .*parsenet keep {run.signature} --results"):
        trained_model.load_model(run)


def test_model_of_another_run_or_without_a_description_is_refused(store: Store, run: Run, model: Segmenter) -> None:
    other = store.run("0123456789ab")
    other.folder.mkdir()
    other.model_file.write_bytes(run.model_file.read_bytes())
    with pytest.raises(UserError, match=f"expected the model of run 0123456789ab, found that of {run.signature}"):
        trained_model.load_model(other)
    save_file(load_file(run.model_file), run.model_file)
    with pytest.raises(UserError, match="does not say which network it holds"):
        trained_model.load_model(run)


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.5, 0.999])
def test_truncated_model_is_refused(run: Run, model: Segmenter, share: float) -> None:
    whole = run.model_file.read_bytes()
    run.model_file.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UserError, match=r"model\.safetensors"):
        trained_model.load_model(run)
