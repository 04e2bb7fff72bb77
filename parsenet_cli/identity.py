"""What data and weights *are*, so that a signature changes with their content and not with where they lie."""

from __future__ import annotations

import importlib
from functools import lru_cache
from pathlib import Path

from parsenet_cli.belonging import check_model
from parsenet_cli.config import RunConfig
from parsenet_cli.data.dataset import DataOptions, Progress, silent
from parsenet_cli.data.fingerprint import content_hashes
from parsenet_cli.data.home import prepared_root
from parsenet_cli.errors import UserError
from parsenet_cli.files import sha256_of
from parsenet_cli.models import sources, trunks
from parsenet_cli.store import Run


def data_options(config: RunConfig, cache: Path) -> DataOptions:
    """What a data set's module needs to identify or open it; without a data_root, what `parsenet data get` prepared."""
    given = config.runtime.data_root
    return DataOptions(
        root=Path(given) if given else prepared_root(config.science.data, results=cache.parent),
        cache=cache,
        classes=config.science.classes,
        train_split=config.science.train_split,
    )


def of_data(config: RunConfig, cache: Path) -> str:
    """The identity of the run's data. Raises `UserError` where a data set on disk is missing or incomplete."""
    return _of_data(config.science.data, data_options(config, cache))


@lru_cache
def _of_data(name: str, options: DataOptions) -> str:
    """Looked up once per command: a table has many cells on the same data."""
    return str(importlib.import_module(f"parsenet_cli.data.{name}").identity(options))


def of_weights(value: str, trunk: str, body: str, cache: Path) -> tuple[str, str | None]:
    """The identity of the trunk's initial weights and, where they are the user's file, its absolute path.

    `value` is a name or a path. `imagenet` is known by the source it means for this trunk and body, a file by its content.
    Raises `UserError` where there is no such file, or where it is a run's model that was damaged since.
    """
    if value == "pretrained":
        from parsenet_cli.engine import pretrain

        return pretrain.identity(trunk), None
    names = sources.all_choices()
    if value in names:
        return sources.resolve(trunks.find(trunk), value, body), None
    file = Path(value).expanduser().resolve()
    if not file.is_file():
        raise UserError(f"weights={value}: expected {', '.join(names)} or a file; there is no file {file}")
    if file == (run := Run(file.parent)).model_file:
        check_model(run)
    return _of_file(content_hashes([file], cache, silent)[0]), str(file)


def check_weights(file: Path, identity: str) -> None:
    """Raises `UserError` where a file of weights is not, or is no longer, what a run was planned with."""
    if _of_file(sha256_of(file)) != identity:
        raise UserError(
            f"weights={file}: its content is not the one that the run was planned with ({identity}): it was changed or "
            "damaged since. Restore it; or, if the change is meant, issue the command again, which plans another run"
        )


def check_data(config: RunConfig, cache: Path, progress: Progress) -> None:
    """Raises `UserError` where the data is not, or is no longer, what a run was planned with."""
    options = data_options(config, cache)
    found = importlib.import_module(f"parsenet_cli.data.{config.science.data}").identity(options, progress)
    if found != config.science.data_id:
        raise UserError(
            f"data={config.science.data}{f' in {options.root}' if options.root else ''}: it is {found} and the run was planned "
            f"with {config.science.data_id}: files were changed, damaged or added since. Restore them; or, if the change is "
            "meant, issue the command again, which plans another run"
        )


def _of_file(sha256: str) -> str:
    return f"sha256:{sha256[:16]}"
