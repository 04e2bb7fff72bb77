"""`parsenet keep`: a run of the store once more, exactly as it was frozen, so that its model is there."""

from __future__ import annotations

from dataclasses import replace

from parsenet_cli.config import sweep
from parsenet_cli.core.run_config import RunConfig
from parsenet_cli.store import study
from parsenet_cli.store.run import Run, Store
from parsenet_cli.store.study import Study, StudyCell


def plan_retrain(store: Store, run: Run) -> tuple[Study, dict[str, RunConfig]]:
    """A study of this run alone, under the profile it was run with, and its frozen configuration with keep_model=true.

    Nothing is composed again: what was edited since does not change which run it is.
    """
    frozen = run.config()
    config = frozen.model_copy(update={"runtime": frozen.runtime.model_copy(update={"keep_model": True})})
    seed = config.science.seed
    spec, _ = sweep.single([])
    (row,) = spec.rows
    spec = replace(spec, name=f"keep-{run.signature}", rows=(replace(row, labels=(run.signature,)),))
    profile = next((one.profile for one in reversed(study.load_all(store)) if run.signature in one.signatures), "")
    cells = tuple(StudyCell(row.key, column.key, seed, run.signature) for column in spec.columns)
    only = Study(
        name=f"{spec.name}-{profile or config.science.data}",
        created="",
        profile=profile or config.science.data,
        overrides=(),
        seeds=(seed,),
        table=spec,
        cells=cells,
    )
    return only, {run.signature: config}
