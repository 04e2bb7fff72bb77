"""What data and weights *are*, so that a signature changes with their content and not with where they lie."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.paths import absolute, prepared_root
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.core.text import silent
from parsenet_cli.data import sets
from parsenet_cli.data.dataset import DataOptions
from parsenet_cli.data.fingerprint import content_hashes
from parsenet_cli.models import trunks
from parsenet_cli.models.weights import sources


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
    """The identity of the run's data.

    Raises:
        UserError: a data set on disk is missing or incomplete.
    """
    return _of_data(config.science.data, data_options(config, cache))


@lru_cache
def _of_data(name: str, options: DataOptions) -> str:
    """Looked up once per command: a table has many cells on the same data."""
    return sets.find(name).identity(options)


def of_weights(value: str, trunk: str, body: str, cache: Path) -> tuple[str, str | None]:
    """The identity of the trunk's initial weights and, where they are the user's file, its absolute path.

    `value` is a name or a path. `imagenet` is known by the source it means for this trunk and body, a file by its content.

    Raises:
        UserError: there is no such file.
    """
    if value == "pretrained":
        return sources.pretrained_identity(trunk), None
    names = sources.all_choices()
    if value in names:
        return sources.resolve(trunks.find(trunk), value, body), None
    file = absolute(value)
    if not file.is_file():
        raise UserError(f"weights={value}: expected {', '.join(names)} or a file; there is no file {file}")
    return of_file(content_hashes([file], cache, silent)[0]), str(file)


def of_file(sha256: str) -> str:
    """The identity of a file of weights with this content."""
    return f"sha256:{sha256[:16]}"
