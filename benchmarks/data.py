"""Augmented crops a second from the decoded cache beside torchvision's way, and images a second into the cache.

    python -m benchmarks.data [FOLDER]

FOLDER is in VOC's layout; without one, 200 generated images of 500x375 stand in. Both sides crop 321x321 at random,
mirror every second image, and make batches of 10 images and label maps. torchvision's side is what its documentation
shows: a data set that opens JPEG and PNG, v2 transforms, and a DataLoader with two workers. Ours is measured in one
process, and in two at once, as two runs feed themselves on two cores. All take turns.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from parsenet_cli.data.batches import Batches
from parsenet_cli.data.dataset import DataOptions
from parsenet_cli.data.sets import folder

CROP, BATCH, ROUNDS = 321, 10, 5
OURS_PER_ROUND, THEIRS_PER_ROUND = 400, 40
"""Batches in a round: about as long for both."""


def generate_images(target: Path, count: int = 200) -> Path:
    """A folder in VOC's layout with generated images: smooth colours with some noise, as large as a photo's file."""
    draw = np.random.default_rng(0)
    for part in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (target / part).mkdir(parents=True)
    names = [f"{i:06}" for i in range(count)]
    for name in names:
        small = Pillow.fromarray(draw.integers(0, 256, (24, 32, 3), np.uint8)).resize(
            (500, 375), Pillow.Resampling.BICUBIC
        )
        noisy = np.clip(np.asarray(small, np.int16) + draw.integers(-12, 13, (375, 500, 1)), 0, 255).astype(np.uint8)
        Pillow.fromarray(noisy).save(target / "JPEGImages" / f"{name}.jpg", quality=90)
        classes = Pillow.fromarray(draw.integers(0, 21, (6, 8), np.uint8)).resize((500, 375), Pillow.Resampling.NEAREST)
        classes.save(target / "SegmentationClass" / f"{name}.png")
    (target / "classes.txt").write_text("\n".join(f"class{i}" for i in range(21)))
    for listing in ("train", "val"):
        chosen = names if listing == "train" else names[:1]
        (target / "ImageSets" / "Segmentation" / f"{listing}.txt").write_text("\n".join(chosen))
    return target


class Images:
    """What a user of torchvision writes for such a folder."""

    def __init__(self, root: Path, names: tuple[str, ...]) -> None:
        from torchvision.transforms import v2  # type: ignore[import-untyped]

        self.root, self.names = root, names
        self.transform = v2.Compose([v2.RandomCrop(CROP, pad_if_needed=True, fill=0), v2.RandomHorizontalFlip()])

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, i: int) -> Any:
        import torch
        from torchvision import tv_tensors  # type: ignore[import-untyped]
        from torchvision.transforms.v2.functional import pil_to_tensor  # type: ignore[import-untyped]

        name = self.names[i]
        masks = [self.root / kind / f"{name}.png" for kind in ("SegmentationClass", "SegmentationClassAug")]
        image = tv_tensors.Image(pil_to_tensor(Pillow.open(self.root / "JPEGImages" / f"{name}.jpg").convert("RGB")))
        mask = Pillow.open(next(file for file in masks if file.is_file()))
        return self.transform(image, tv_tensors.Mask(torch.from_numpy(np.array(mask))))


def measure(root: Path, cache: Path) -> None:
    """Print images a second for decoding, and crops a second for both ways."""
    from torch.utils.data import DataLoader

    started = time.perf_counter()
    data = folder.open_dataset(DataOptions(root, cache))
    seconds = time.perf_counter() - started
    count = len(data.train) + len(data.val)
    print(f"hashing and decoding into the cache: {count / seconds:.0f} images a second ({count} images)")

    loader: Any = DataLoader(Images(root, data.train.ids), BATCH, shuffle=True, num_workers=2, drop_last=True)  # type: ignore[arg-type]
    theirs = _endless(loader)
    next(theirs)
    rates: dict[str, list[float]] = {"one": [], "two": [], "torchvision": []}
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        both = [(root, cache, first) for first in (0, 1)]
        pool.starmap(crops, both)
        for _ in range(ROUNDS):
            rates["one"].append(pool.apply(crops, both[0]))
            rates["two"].append(sum(pool.starmap(crops, both, chunksize=1)))
            started = time.perf_counter()
            for _ in range(THEIRS_PER_ROUND):
                next(theirs)
            rates["torchvision"].append(THEIRS_PER_ROUND * BATCH / (time.perf_counter() - started))
    one, two, other = (statistics.median(values) for values in rates.values())
    print(
        f"crops of {CROP}x{CROP} a second: {one:.0f} in one process, {two:.0f} in two; torchvision with two workers {other:.0f}"
    )
    print(f"ratio: {one / other:.1f} and {two / other:.1f}")


def crops(root: Path, cache: Path, first: int) -> float:
    """Crops a second of one process, from batch `first` * OURS_PER_ROUND on."""
    import torch

    torch.set_num_threads(1)
    batches = Batches(folder.open_dataset(DataOptions(root, cache)).train, BATCH, CROP, True, "shuffle", seed=0)
    batches[0]
    started = time.perf_counter()
    for number in range(OURS_PER_ROUND):
        batches[first * OURS_PER_ROUND + number]
    return OURS_PER_ROUND * BATCH / (time.perf_counter() - started)


def _endless(loader: Any) -> Any:
    while True:
        yield from loader


def main() -> None:
    """Measure on the folder named on the command line or in PARSENET_PHOTOS, else on generated images."""
    import torch

    torch.set_num_threads(1)
    given = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("PARSENET_PHOTOS")
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(given) if given else generate_images(Path(temporary) / "photos")
        measure(root, Path(temporary) / "cache")


if __name__ == "__main__":
    main()
