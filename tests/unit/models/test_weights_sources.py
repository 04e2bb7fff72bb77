"""Named sources: which a configuration means, and how their files come here, once, checked and converted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from parsenet_cli.config import identity, profile
from parsenet_cli.config.compose import Composer
from parsenet_cli.core import download
from parsenet_cli.core.address import Address
from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import sha256_of
from parsenet_cli.models import trunks
from parsenet_cli.models.preprocessing_spec import CAFFE, TORCHVISION
from parsenet_cli.models.support import unsupported
from parsenet_cli.models.trunks import vgg_tiny
from parsenet_cli.models.weights import sources
from parsenet_cli.models.weights.convert import get_weights
from parsenet_cli.models.weights.read import load
from parsenet_cli.models.weights.source import Source
from tests import damage
from tests.faulty_server import Faults, serving
from tests.unit.models.conftest import TINY, make_science, save_tensors
from tests.weight_layouts import in_ssds_positions


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    """Serves the thin VGG's weights as `thin.pth`, which `vgg_tiny` then declares as its source `thin`."""
    monkeypatch.setattr(download, "PAUSES_SECONDS", (0.01, 0.01))
    (tmp_path / "served").mkdir()
    published = save_tensors(in_ssds_positions(TINY, vgg_tiny.SPEC), tmp_path / "served/thin.pth")
    with serving(published.parent) as faults:
        source = Source(
            file="thin.pth",
            mirrors=tuple(Address(faults.address(fault, "thin.pth")) for fault in ("missing", "cuts")),
            checksum=f"sha256:{sha256_of(published)[:8]}",
            bodies=("fcn",),
            origin="made by a test",
            normalization=CAFFE,
        )
        monkeypatch.setitem(vgg_tiny.TRUNK.sources, "thin", source)
        yield faults


def declare(**changes: Any) -> None:
    """The source `thin` with other entries."""
    vgg_tiny.TRUNK.sources["thin"] = replace(vgg_tiny.TRUNK.sources["thin"], **changes)


def get(folder: Path, given: Path | None = None) -> tuple[Path, list[str]]:
    messages: list[str] = []
    return get_weights("vgg_tiny", "thin", folder / "weights", messages.append, given), messages


def test_a_source_is_downloaded_checked_and_converted_once(server: Faults, tmp_path: Path) -> None:
    file, messages = get(tmp_path)
    found = load(file)
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in TINY.items())
    assert found.normalization() == CAFFE
    assert found.about == "made by a test"
    assert found.metadata["weights"] == "thin"
    assert found.metadata["source_sha256"] == sha256_of(tmp_path / "served" / "thin.pth")
    assert any("BGR order (as declared for this source)" in text for text in messages)
    names = {path.name for path in file.parent.iterdir() if path.suffix != ".lock"}
    assert names == {file.name, f"{file.name}.json"}
    asked = len(server.requests["cuts"])
    again, _ = get(tmp_path)
    assert again == file
    assert len(server.requests["cuts"]) == asked


def test_a_damaged_converted_file_is_made_anew(server: Faults, tmp_path: Path) -> None:
    file, _ = get(tmp_path)
    whole = file.read_bytes()
    file.write_bytes(whole[:1000])
    get(tmp_path)
    assert file.read_bytes() == whole
    for bit in (8 * 30, 8 * len(whole) // 2, 8 * len(whole) - 1):
        damage.flip(file, bit)
        get(tmp_path)
        assert file.read_bytes() == whole


def test_a_converted_file_from_before_there_were_seals_is_believed_and_sealed(server: Faults, tmp_path: Path) -> None:
    file, _ = get(tmp_path)
    whole, seal = file.read_bytes(), file.with_name(f"{file.name}.json")
    seal.unlink()
    asked = len(server.requests["cuts"])
    get(tmp_path)
    assert len(server.requests["cuts"]) == asked
    assert seal.is_file()
    damage.flip(file, 4 * len(whole))
    get(tmp_path)
    assert file.read_bytes() == whole


def test_a_file_one_has_already_is_taken_when_it_is_the_published_one(server: Faults, tmp_path: Path) -> None:
    own = tmp_path / "own.pth"
    own.write_bytes((tmp_path / "served" / "thin.pth").read_bytes())
    file, _ = get(tmp_path, own)
    assert load(file).normalization() == CAFFE
    assert own.is_file()
    assert not server.requests
    own.write_bytes(own.read_bytes()[:-1] + b"?")
    with pytest.raises(UserError, match=r"--from .*own\.pth: .*sha256.*parsenet weights convert"):
        get(tmp_path, own)
    with pytest.raises(UserError, match=r"--from .*none\.pth: there is no such file"):
        get(tmp_path, tmp_path / "none.pth")


def test_a_source_that_cannot_be_had_names_every_mirror(server: Faults, tmp_path: Path) -> None:
    declare(mirrors=tuple(Address(server.address(fault, "thin.pth")) for fault in ("missing", "wrong_byte")))
    with pytest.raises(UserError, match=r"missing/thin\.pth.*wrong_byte/thin\.pth"):
        get(tmp_path)
    assert not (tmp_path / "weights" / "vgg_tiny-thin.safetensors").exists()


def test_another_network_under_a_sources_name_is_refused(server: Faults, tmp_path: Path) -> None:
    save_tensors({"layer1.0.conv1.weight": torch.zeros(1)}, tmp_path / "served/thin.pth")
    declare(checksum=None)
    with pytest.raises(UserError, match=r"thin\.pth: not the weights of trunk vgg_tiny"):
        get(tmp_path)
    assert not (tmp_path / "weights" / "vgg_tiny-thin.safetensors").exists()


# --- which source a configuration means ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trunk", "body", "name", "means"),
    [
        ("vgg16", "reduced", "imagenet", "caffe_reduced"),
        ("vgg16", "largefov", "imagenet", "caffe_reduced"),
        ("vgg16", "fcn", "imagenet", "caffe_full"),
        ("vgg16", "deeplab", "imagenet", "caffe_full"),
        ("vgg16", "reduced", "torchvision", "torchvision"),
        ("vgg16", "reduced", "caffe_full", "caffe_full"),
        ("squeezenet", "reduced", "imagenet", "imagenet"),
        ("vgg_tiny", "reduced", "pretrained", "pretrained:vgg_tiny:1"),
        ("vgg_tiny", "reduced", "none", "none"),
    ],
)
def test_weights_enter_the_signature_under_their_sources_name(
    tmp_path: Path, trunk: str, body: str, name: str, means: str
) -> None:
    assert identity.of_weights(name, trunk, body, tmp_path) == (means, None)


def test_a_run_asks_for_the_source_of_its_body(cache: Path) -> None:
    def weights(*overrides: str) -> str:
        given = ["data=synthetic_siftflow", "trunk=vgg16", *overrides]
        return Composer(profile.load("quick"), given, cache).run_config().science.weights

    assert weights("weights=imagenet") == "caffe_reduced"
    assert weights("weights=imagenet", "body=fcn") == "caffe_full"
    assert weights("weights=caffe_convolutions") == "caffe_convolutions"
    with pytest.raises(UserError, match=r"weights=cafe: expected caffe_convolutions, caffe_full, .*none or a file"):
        weights("weights=cafe")


@pytest.mark.parametrize("name", trunks.names())
def test_sources_are_declared_with_what_a_download_needs(name: str) -> None:
    """And what `imagenet` means can serve every body."""
    trunk = trunks.find(name)
    for source in trunk.sources.values():
        assert source.file
        assert all(mirror.url.endswith(f"/{source.file}") for mirror in source.mirrors)
        assert source.checksum is None or source.checksum.startswith("sha256:")
        assert set(source.bodies) <= set(trunk.bodies)
        assert source.normalization in (CAFFE, TORCHVISION)
    assert set(trunk.imagenet) == (set(trunk.bodies) if trunk.sources else set())
    for body, source_name in trunk.imagenet.items():
        assert unsupported(make_science(trunk=name, body=body, weights=source_name)) is None


def test_what_there_is_to_get(tmp_path: Path) -> None:
    assert sources.source_names("vgg16", None) == ["caffe_full", "caffe_reduced"]
    assert sources.source_names("vgg16", "torchvision") == ["torchvision"]
    assert sources.source_names("squeezenet", None) == ["imagenet"]
    with pytest.raises(
        UserError, match=r"unknown source of weights for vgg16 'caffe_fuller'\. Did you mean 'caffe_full'"
    ):
        sources.source_names("vgg16", "caffe_fuller")
    with pytest.raises(UserError, match="vgg_tiny has no published weights"):
        sources.source_names("vgg_tiny", None)
    assert "caffe_full" in sources.all_choices()
