"""One image in, its label map out: exactly what a run's own evaluation does to a validation image."""

from __future__ import annotations

from functools import cached_property
from itertools import count

import numpy as np
import torch
from torch import nn

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.memory import is_out_of_memory, proc_value
from parsenet_cli.core.palette import Pixels
from parsenet_cli.core.run_config import Precision
from parsenet_cli.engine import arithmetic
from parsenet_cli.engine.device import choose_device
from parsenet_cli.engine.evaluate import argmax_classes
from parsenet_cli.engine.trained_model import load_model
from parsenet_cli.store.run import Run

LARGE = 2**22
"""Pixels from which on it is asked beforehand whether the memory suffices."""

PROBE = 320
"""Side of the image that tells how much memory a pixel takes."""


class Predictor:
    """The kept model of a run. `classes` names what its label maps hold.

    It computes in the run's arithmetic, or in float32 where the device has no such.

    Raises:
        UserError: the run has no model, or there is no such device.
    """

    def __init__(self, run: Run, device: str) -> None:
        if device == "cuda" and not torch.cuda.is_available():
            raise UserError("--device cuda: PyTorch finds no GPU here; use --device cpu or auto")
        self._device = choose_device(device)
        model, self.classes = load_model(run)
        self._model = model.to(self._device)
        asked = run.config().science.precision
        self._precision: Precision = asked if arithmetic.lacking(asked, self._device) is None else "float32"
        arithmetic.set_arithmetic(self._precision, self._device)

    def ids(self, image: Pixels, name: object = "image") -> Pixels:
        """RGB uint8 (H, W, 3) -> class ids uint8 (H, W), the whole image at once. `name` is what messages call it.

        Raises:
            UserError: the image is too small for the network, or too large for the memory.
        """
        height, width = image.shape[:2]
        self._check_memory(height, width, name)
        if not self._takes(height, width):
            side = next(side for side in count(1) if self._takes(side, side))
            raise UserError(
                f"{name}: {width}x{height} pixels are too small for this network: expected at least {side} a side"
            )
        try:
            return self._predict(image)
        except (torch.OutOfMemoryError, RuntimeError) as problem:
            if not is_out_of_memory(problem):
                raise
        raise self._too_large(height, width, name)

    def _predict(self, image: Pixels) -> Pixels:
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].to(self._device)
        with torch.inference_mode(), arithmetic.autocast(self._precision, self._device):
            return np.asarray(argmax_classes(self._model(pixels))[0].cpu().numpy())

    def _takes(self, height: int, width: int) -> bool:
        try:
            self._model.check_size(height, width)
        except UserError:
            return False
        return True

    def _check_memory(self, height: int, width: int, name: object) -> None:
        """On a CPU the system would end the whole command without a word; a GPU says itself that its memory is full."""
        if self._device.type != "cpu" or height * width < LARGE:
            return
        needed, free = self._bytes_per_pixel * height * width, _free_memory()
        if free is not None and needed > free:
            raise self._too_large(height, width, name, f" ({needed / 2**30:.1f} GB needed, {free / 2**30:.1f} GB free)")

    @cached_property
    def _bytes_per_pixel(self) -> float:
        """What the largest layer reads and writes, per pixel of the image."""
        sizes: list[int] = []

        def measure(_module: nn.Module, before: object, after: object) -> None:
            sizes.append(_bytes(before) + _bytes(after))

        hooks = [module.register_forward_hook(measure) for module in self._model.modules()]
        try:
            self._predict(np.zeros((PROBE, PROBE, 3), np.uint8))
        finally:
            for hook in hooks:
                hook.remove()
        return max(sizes) / PROBE**2

    def _too_large(self, height: int, width: int, name: object, numbers: str = "") -> UserError:
        elsewhere = "--device cpu or " if self._device.type == "cuda" else ""
        return UserError(
            f"{name}: {width}x{height} pixels do not fit into the memory{numbers}; images are predicted whole. "
            f"Use {elsewhere}a smaller copy of the image"
        )


def _bytes(value: object) -> int:
    if isinstance(value, torch.Tensor):
        return value.numel() * value.element_size()
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple | list) else ()
    return sum(_bytes(part) for part in parts)


def _free_memory() -> int | None:
    """Bytes this machine can give, where it says so."""
    kilobytes = proc_value("meminfo", "MemAvailable:")
    return int(kilobytes.split()[0]) * 1024 if kilobytes else None
