"""Weights from the command line to a run's result."""

from __future__ import annotations

from pathlib import Path

import torch

from parsenet_cli.models.trunks import vgg_tiny
from parsenet_cli.store.run import Store
from tests.conftest import SHORT, Cli
from tests.weight_layouts import caffemodel, full_tensors


def test_a_caffemodel_is_converted_and_started_from(cli: Cli, results: Path, tmp_path: Path) -> None:
    (tmp_path / "net.caffemodel").write_bytes(caffemodel(full_tensors(vgg_tiny.SPEC), old=True))
    done = cli("weights", "convert", "net.caffemodel", "net.safetensors", "--trunk", "vgg_tiny", "--body", "reduced")
    assert "14 tensors of body reduced, channels in BGR order" in done.stdout
    assert "mean 104.00699, 116.66877, 122.67892" in done.stdout
    overrides = [text for text in SHORT if not text.startswith("weights=")]
    for weights in ("net.safetensors", "net.caffemodel"):
        cli("train", *overrides, f"weights={weights}", "body=reduced")
    first, second = (run.done_result() for run in Store(results).runs())
    assert first.metrics == second.metrics
    for result in (first, second):
        assert (result.network["preprocessing"]["order"], result.network["weights"]) == ("BGR", "net.caffemodel")


def test_the_order_can_be_said(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "net.caffemodel").write_bytes(caffemodel(full_tensors(vgg_tiny.SPEC)))
    done = cli("weights", "convert", "net.caffemodel", "n.safetensors", "--trunk", "vgg_tiny", "--order", "RGB")
    assert "RGB order (as you said), mean 122.67892, 116.66877, 104.00699" in done.stdout


def test_sources_are_listed_with_what_is_here(cli: Cli) -> None:
    listed = cli("weights", "list").stdout
    for name in ("caffe_reduced", "caffe_full", "caffe_convolutions", "torchvision", "squeezenet"):
        assert name in listed
    assert "caffe_reduced: https://s3.amazonaws.com/amdegroot-models/vgg16_reducedfc.pth (unverified 2026-11)" in listed


def test_published_weights_can_be_given_as_a_file(cli: Cli, tmp_path: Path) -> None:
    torch.save({"0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "vgg16_reducedfc.pth")
    done = cli("weights", "get", "caffe_reduced", "--from", "vgg16_reducedfc.pth", code=2)
    assert "vgg16_reducedfc.pth: not the weights of trunk vgg16: 29 of 30 tensors are missing" in done.stderr
    done = cli("weights", "get", "--from", "vgg16_reducedfc.pth", code=2)
    assert "say which source it is: caffe_full, caffe_reduced" in done.stderr


def test_a_source_that_does_not_fit_the_body_is_not_run(cli: Cli) -> None:
    done = cli("train", "trunk=vgg16", "weights=caffe_reduced", "body=fcn", "data=synthetic_siftflow")
    assert "body fcn needs caffe_full or caffe_convolutions or torchvision" in done.stdout
