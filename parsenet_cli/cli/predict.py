"""Commands that use a trained network: `predict`, `submit`, and `keep`, which makes that a run has its network."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from parsenet_cli.cli.completion import complete_signature
from parsenet_cli.cli.options import (
    DEFAULT_RESULTS,
    FAILED,
    INTERRUPTED,
    LauncherName,
    Results,
    SignatureName,
    issued,
    say,
)
from parsenet_cli.core.errors import UserError


class Device(StrEnum):
    """Where a network computes."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


DeviceName = Annotated[Device, typer.Option("--device", help="auto is the GPU where there is one.")]
DataRoot = Annotated[Path | None, typer.Option("--data-root", help="Where VOC2012 lies; the run's if not given.")]
Ids = Annotated[Path | None, typer.Option("--ids", help="A list with one id per line, instead of VOC2012's test list.")]


def predict(
    signature: SignatureName,
    images: Annotated[list[Path], typer.Argument(help="Images, and folders of images.")],
    out: Annotated[Path, typer.Option("--out", help="The folder that predictions are written into.")],
    device: DeviceName = Device.auto,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Predict your own images with a run's model.

    For each, class ids as an indexed PNG, and the image in the colours of its classes; one legend for all.
    """
    from parsenet_cli.cli.progress import ProgressLine
    from parsenet_cli.engine.predict.photos import predict_images
    from parsenet_cli.store.run import Store

    with ProgressLine() as line:
        total, failures = predict_images(Store(results).find(signature), images, out, device.value, line)
    for failure in failures:
        say(f"failed: {failure}", err=True)
    say(f"{total - len(failures)} of {total} images predicted; written to {out}")
    if failures:
        raise typer.Exit(FAILED)


def submit(
    signature: Annotated[
        str | None,
        typer.Argument(help="A run's signature, or its first digits.", autocompletion=complete_signature),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The archive to write.")] = None,
    ids: Ids = None,
    data_root: DataRoot = None,
    archive: Annotated[Path | None, typer.Option("--check", help="Validate this archive; predict nothing.")] = None,
    device: DeviceName = Device.auto,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Write the archive for VOC2012's evaluation server, or check one.

    Predicts the test list; issuing the same command again goes on where it stopped.
    """
    from parsenet_cli.cli.progress import ProgressLine
    from parsenet_cli.engine.predict import submit
    from parsenet_cli.store.run import Store

    if (signature is None) == (archive is None):
        raise UserError("expected either a run's signature or --check ARCHIVE")
    if archive is not None:
        say(submit.check(archive, ids, data_root))
    if signature is not None:
        store = Store(results)
        run = store.find(signature)
        try:
            with ProgressLine() as line:
                submit.predict_test_set(store, run, out, ids, data_root, device.value, say, line)
        except KeyboardInterrupt as interrupt:
            say(f"\nstopped; {interrupt}. To go on, issue it again:\n  {issued()}", err=True)
            raise typer.Exit(INTERRUPTED) from None


def keep(
    signature: SignatureName,
    launcher: LauncherName = None,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Train a run again to keep its model, exactly as it was frozen.

    On the same machine and by the same code its numbers are the same, to the last bit; where they are not, that is said.
    """
    from parsenet_cli.cli.run import open_composer, run_plans, with_launcher
    from parsenet_cli.core.code import Code
    from parsenet_cli.runner.plan import plan_retrain

    store, composer = open_composer(results, "quick", [])
    run = store.find(signature)
    before = run.result()
    if before and not run.model_file.is_file():
        memory = "its memory ran out on the way" if before.ran_out_of_memory else ""
        for why in filter(None, [Code(store.cache).remark(before.code, before.modules), memory]):
            say(f"{run.signature}: {why}, so its numbers may be others now", err=True)
    run_plans(store, composer, [plan_retrain(store, run)], with_launcher([], launcher), retry=True)
    after = run.result()
    if before and after and before.metrics != after.metrics:
        ious = " -> ".join(f"{result.metrics.get('mean_iu')}" for result in (before, after))
        where = f"`parsenet show {run.signature}` says where the old result is kept"
        say(f"{run.signature}: its numbers are others now: mean IU {ious}; {where}", err=True)
