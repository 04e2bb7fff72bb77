"""The configuration of one run: validated at one boundary, identified by its signature.

`science` is everything that can change a number and is what the signature is made of; `runtime` is how and where the run
is carried out. `parsenet_cli.config.compose` makes these from override strings.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from parsenet_cli.core.blocks import NAME, Group
from parsenet_cli.core.bounds import (
    MOST_STEPS,
    Bins,
    Channels,
    Images,
    LearningRate,
    Length,
    Multiplier,
    NormPower,
    Pixels,
    Scale,
    Seconds,
    Seed,
    Share,
    Steps,
)

SCIENCE_VERSION = 1
"""Raised by hand when code changes what a configuration means: every signature changes with it."""

ADDED_LATER: dict[str, Any] = {
    "recipe.clip_gradients": None,
    "input_mean": "weights",
    "gate": "none",
    "gate_layers": ["fc7"],
    "blocks": {},
    "context_layers": ["fc7"],
    "norm_p": 2.0,
    "norm_layers": None,
    "feature_scale": {},
    "recipe.frozen": [],
    "recipe.loss_stride": 1,
}
"""Axes added after signatures were published, each with the value in JSON that means "as before"; left out while they have it.

Keys of a recipe are dotted. Such a key has that value as its default, so that frozen configurations from before load.
"""

OLDER_OPTIONS: dict[str, dict[str, str]] = {"global": {}, "spp": {"bins": "context_bins", "geometry": "spp_geometry"}}
"""Contexts from before there were blocks: their options -> the axes by which the science knows them, as it always did."""

Layer = Literal["pool6", "fc7", "conv5", "conv4", "conv3"]
LAYERS: tuple[str, ...] = get_args(Layer)
Precision = Literal["float32", "tf32", "bfloat16"]
Tap = Literal["fc7", "conv5", "conv4", "conv3"]
"""A layer that the trunk gives."""

BlockName = Annotated[str, Field(pattern=rf"^{NAME}\z")]
_Word = Annotated[str, Field(max_length=200)]
_Plain = bool | int | float | _Word

Stage = Literal["conv1", "conv2", "conv3"]
"""Stages of a trunk that can be left as they are: no head reads a feature below the last of them."""

STAGES: tuple[str, ...] = get_args(Stage)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Recipe(_Frozen):
    """How a network is trained: conf/recipe/*.yaml says where each number comes from."""

    policy: Literal["fixed", "step", "poly"]
    lr: LearningRate
    power: Multiplier
    step: Steps | None
    step_factor: Multiplier
    momentum: Share
    weight_decay: Multiplier
    iterations: Steps
    length: Length
    batch: Images
    iter_size: Images
    loss: Literal["sum", "mean"]
    crop: Pixels | None
    mirror: bool
    sampling: Literal["shuffle", "replacement"]
    head_lr: tuple[Multiplier, Multiplier]
    trunk_lr: tuple[Multiplier, Multiplier]
    dropout: Share
    clip_gradients: Annotated[float, Field(gt=0)] | None = None
    frozen: tuple[Stage, ...] = ()
    loss_stride: Pixels = 1

    @property
    def steps(self) -> int:
        """Optimisation steps: `iterations` times `length`."""
        return max(1, round(self.iterations * self.length))

    @property
    def images(self) -> int:
        """Images that one step sees."""
        return self.batch * self.iter_size

    @field_validator("frozen")
    @classmethod
    def _stages_in_order(cls, frozen: tuple[Stage, ...]) -> tuple[Stage, ...]:
        if len(set(frozen)) != len(frozen):
            raise ValueError("expected no stage twice")
        return tuple(sorted(frozen, key=STAGES.index))

    @model_validator(mode="after")
    def _numbers_make_sense(self) -> Recipe:
        if self.iterations * self.length > MOST_STEPS:
            raise ValueError(
                f"iterations={self.iterations} and length={self.length}: expected at most {MOST_STEPS} steps"
            )
        if self.policy == "step" and not self.step:
            raise ValueError("policy=step: needs step, the iterations between two drops")
        return self


class Block(_Frozen):
    """What a run knows of a block that a name chooses, besides the name.

    Attributes:
        options: All of them.
        code: The hash of its Python file, where that is no part of this package; empty where it is.
    """

    options: Annotated[dict[BlockName, _Plain | tuple[_Plain, ...]], Field(max_length=64)] = {}
    code: Annotated[str, Field(pattern=r"^([0-9a-f]{16})?\z")] = ""


class Science(_Frozen):
    """Everything that can change a number of the result. The axes are explained in conf/config.yaml.

    Attributes:
        data_id: Content hash of a user's files; generator version, configuration and seed of generated data.
        weights: `none`, `imagenet`, the identity of a trunk pretrained here, or the hash of a file.
        blocks: Of the groups whose block has options or comes from outside; not of `OLDER_OPTIONS`.
    """

    data: str
    data_id: str
    classes: tuple[str, ...] | None
    train_split: Literal["train_aug", "trainval_aug"]
    class_mean: Literal["present", "all"]
    trunk: str
    body: Literal["fcn", "reduced", "deeplab", "largefov"]
    deeplab_kernel: Literal[4, 7]
    pad100: bool
    fc6_pad: Literal["same", "none"]
    layers: tuple[Layer, ...]
    skips: Literal["none", "16s", "8s"]
    skip_training: Literal["at_once", "staged"]
    context: str
    context_bins: Annotated[tuple[Bins, ...], Field(max_length=16)]
    spp_geometry: Literal["caffe", "adaptive"]
    context_source: Literal["after_dropout", "before_dropout"]
    context_dropout: Share
    context_layers: tuple[Tap, ...] = ("fc7",)
    gate: BlockName = "none"
    gate_layers: tuple[Tap, ...] = ("fc7",)
    blocks: dict[Group, Block] = {}
    norm: Literal["none", "l2", "lp"]
    norm_p: NormPower | None = 2.0
    norm_layers: tuple[Layer, ...] | None = None
    norm_scale: Scale
    norm_learn: bool
    norm_decay: Multiplier
    norm_gradient: Literal["exact", "authors"]
    norm_shared: bool
    norm_across_space: bool
    feature_scale: dict[Layer, Scale] = {}
    fusion: Literal["early", "late"]
    mix: Literal["concat", "conv1x1"]
    mix_width: Channels
    align: Literal["native", "upsample_first"]
    upsample: Literal["bilinear", "learned"]
    init: Literal["xavier", "zero", "gaussian"]
    weights: str
    input_mean: Literal["weights", "data"] = "weights"
    seed: Seed
    precision: Precision
    recipe: Recipe

    def block(self, group: Group) -> Block:
        """Options and code of the block of a group."""
        if group == "context" and self.context in OLDER_OPTIONS:
            return Block(options={option: getattr(self, axis) for option, axis in OLDER_OPTIONS[self.context].items()})
        return self.blocks.get(group, Block())

    @property
    def batch_norm(self) -> bool:
        """Whether a block's option of this name makes what is computed of an image depend on the others of its batch."""
        return any(block.options.get("batch_norm") is True for block in self.blocks.values())

    @property
    def context_taps(self) -> tuple[str, ...]:
        """The taps that are pooled."""
        return self.context_layers if "pool6" in self.layers else ()

    @field_validator("layers", "gate_layers", "context_layers", "norm_layers")
    @classmethod
    def _layers_in_order(cls, layers: tuple[Layer, ...] | None) -> tuple[Layer, ...] | None:
        if layers is None:
            return None
        if not layers or len(set(layers)) != len(layers):
            raise ValueError("expected at least one layer and none twice")
        return tuple(sorted(layers, key=LAYERS.index))

    @field_validator("context_bins")
    @classmethod
    def _bins_differ(cls, bins: tuple[int, ...]) -> tuple[int, ...]:
        if not bins or len(set(bins)) != len(bins):
            raise ValueError("expected different whole numbers from 1, for example [1,2,4]")
        return bins


class Runtime(_Frozen):
    """How and where a run is carried out; never part of the signature.

    Attributes:
        deterministic: Whether equal runs on one kind of GPU are promised equal bits (engine/arithmetic.py).
        code: By which code the result has to be made (core/code.py); empty: by any.
    """

    data_root: str | None
    weights_file: str | None
    device: Literal["auto", "cpu", "cuda"]
    micro_batch: Images | None
    checkpoint_seconds: Seconds
    keep_model: bool
    deterministic: bool = False
    code: str = ""


class RunConfig(_Frozen):
    """One run: what it is (`science`) and how it is carried out (`runtime`)."""

    science: Science
    runtime: Runtime

    @property
    def signature(self) -> str:
        """Twelve hexadecimal digits of the sha256 of the canonical JSON of the science part."""
        content: dict[str, Any] = {"science_version": SCIENCE_VERSION, **self.science.model_dump(mode="json")}
        for key, neutral in ADDED_LATER.items():
            *groups, last = key.split(".")
            holder = content
            for group in groups:
                holder = holder[group]
            if holder[last] == neutral:
                del holder[last]
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def to_yaml(config: RunConfig) -> str:
    """The text that `from_yaml` reads."""
    from parsenet_cli.core import yaml_text

    return yaml_text.dump(config.model_dump(mode="json"))


def from_yaml(text: str) -> Any:
    """Plain YAML: ten times as fast as OmegaConf, whose interpolations a frozen configuration does not have.

    Raises `yaml.YAMLError` where it is none, or is nested too deeply.
    """
    from parsenet_cli.core import yaml_text

    return yaml_text.load(text)
