"""`parsenet predict`: a run's model on the user's own pictures, as label maps and as pictures with a legend."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import typer

from parsenet_cli.errors import UserError
from parsenet_cli.files import replacing
from parsenet_cli.prediction import photo
from parsenet_cli.store import Run

FAILED = 1
LEGEND = "legend"


def predict(run: Run, inputs: Sequence[Path], out: Path, device: str) -> None:
    """Write `<name>.png` (class ids), `<name>_overlay.jpg` and `legend.png` into `out`.

    A picture that cannot be predicted is named and the others are done; then the command ends with exit code 1.

    Raises:
        UserError: no such pictures, a picture would be overwritten, the run has no model, or no picture could be predicted.
    """
    pictures = photo.find(inputs)
    if not pictures:
        raise UserError("no pictures named; expected files or folders")
    names = output_names(pictures)
    _check_nothing_is_overwritten(pictures, names, out)

    from parsenet_cli.engine.predictor import Predictor
    from parsenet_cli.pace import Pace
    from parsenet_cli.prediction import drawing
    from parsenet_cli.prediction.palette import indexed

    predictor, pace, failed = Predictor(run, device), Pace(len(pictures)), list[str]()
    with replacing(out / f"{LEGEND}.png") as file:
        drawing.legend(predictor.classes).save(file, "PNG")
    for path, name in zip(pictures, names, strict=True):
        try:
            pixels = photo.read(path)
            try:
                ids = predictor.ids(pixels)
            except UserError as problem:
                raise UserError(f"{path}: {problem}") from None
        except UserError as problem:
            failed.append(str(problem))
            pace.say(f"failed: {problem}")
        else:
            with replacing(out / f"{name}.png") as file:
                indexed(ids).save(file, "PNG")
            with replacing(out / f"{name}_overlay.jpg") as file:
                drawing.overlay(pixels, ids, predictor.classes).save(file, "JPEG", quality=92)
        pace.step(path.name)
    if len(failed) == len(pictures):
        raise UserError("no picture could be predicted:\n" + "\n".join(failed))
    typer.echo(f"{len(pictures) - len(failed)} of {len(pictures)} pictures predicted; written to {out}")
    if failed:
        raise typer.Exit(FAILED)


def output_names(pictures: Sequence[Path]) -> list[str]:
    """One name per picture: its own, and where several would be the same, more of the path and the suffix before it.

    Names differ also where upper and lower case do not, and none is that of the legend.
    """
    names = [path.stem for path in pictures]
    resolved = [path.resolve() for path in pictures]
    longest = max((len(path.parts) for path in resolved), default=0)
    for depth in range(2, longest + 1):
        clashing = _clashing(names)
        if not clashing:
            break
        for i in clashing:
            path = resolved[i]
            words = [*path.parts[-depth:-1], path.stem, path.suffix.removeprefix(".")]
            names[i] = re.sub(r"[^\w.-]+", "-", "_".join(words))
    for i in _clashing(names):  # a_b/c.jpg beside a/b_c.jpg
        names[i] = f"{names[i]}_{i + 1}"
    return names


def _clashing(names: Sequence[str]) -> list[int]:
    """Positions of names whose files would be those of another, or of the legend."""
    files = [name.casefold() for name in names]
    return [i for i, name in enumerate(files) if files.count(name) > 1 or name == LEGEND]


def _check_nothing_is_overwritten(pictures: Sequence[Path], names: Sequence[str], out: Path) -> None:
    given = {path.resolve() for path in pictures}
    written = [out / f"{LEGEND}.png", *(out / f"{n}{end}" for n in names for end in (".png", "_overlay.jpg"))]
    for file in written:
        if file.resolve() in given:
            raise UserError(
                f"{file}: this picture would be overwritten by a prediction; choose another folder with --out"
            )
