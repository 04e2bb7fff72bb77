"""`parsenet keep`: a run of the store once more, exactly as it was frozen, so that its model is there."""

from __future__ import annotations

from dataclasses import replace

from parsenet_cli.config import sweep
from parsenet_cli.runner.plan import Plan
from parsenet_cli.store import study
from parsenet_cli.store.run import Run, Store
from parsenet_cli.store.study import Study, StudyCell


def plan_retrain(store: Store, run: Run) -> Plan:
    """A study of this run alone, under the profile it was run with, and its frozen configuration with keep_model=true.

    Nothing is composed again: what was edited since does not change which run it is.
    """
    frozen = run.config()
    config = frozen.model_copy(update={"runtime": frozen.runtime.model_copy(update={"keep_model": True})})
    spec, _ = sweep.single([])
    (row,) = spec.rows
    spec = replace(spec, name=f"keep-{run.signature}", rows=(replace(row, labels=(run.signature,)),))
    studies = reversed(study.load_all(store))
    profile = next((one.profile for one in studies if run.signature in one.signatures), config.science.data)
    seed = config.science.seed
    cells = tuple(StudyCell(row.key, column.key, seed, run.signature) for column in spec.columns)
    only = Study(
        name=f"{spec.name}-{profile}",
        created="",
        profile=profile,
        overrides=(),
        seeds=(seed,),
        table=spec,
        cells=cells,
    )
    return Plan(only, {run.signature: config})
