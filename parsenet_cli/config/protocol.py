"""The protocol as data: every question the paper leaves open, our answer, and the overrides that answer it otherwise.

docs/protocol.md explains the answers; its last table has the same rows in the same order as `OPEN`. `STATED` is what the
paper or its sources do say and a user can change all the same. Which of it a run keeps is told by deviations.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from parsenet_cli.core.run_config import Science

Mark = Literal["stated", "source", "third-party copy", "inferred", "ours"]
"""Who says so: the paper; public code of the authors, of FCN or of DeepLab; third parties' copies of what the authors published,
where they agree; nobody, but all evidence fits; we."""

RECIPES = ("parsenet", "fcn", "fcn_2016", "deeplab", "deeplab_largefov", "parsenet_released")
"""The published recipes that the tables name (conf/recipe); every other one stands in for one of them."""

DATA = ("voc12", "pascal_context", "siftflow")
"""The paper's data sets; every other one stands in for one of them."""

CAFFE_WEIGHTS = frozenset({"imagenet", "caffe_reduced", "caffe_full"})
"""Names of the same training, Caffe's VGG-16: `imagenet` may stand in a configuration under the name of its source."""

STAND_INS = ("data", "trunk", "weights")
"""Axes by which a profile replaces the paper's data and network."""


@dataclass(frozen=True)
class Switch:
    """One question of the protocol and the axes that answer it.

    Attributes:
        mark: That of the default.
        default: Axis or recipe key -> its value in `cell`.
        others: Other answers, separated by `|`, each as overrides.
        cell: `table.row.column` that the question is about: the default is what it composes to under the paper's
            profile, whose own arithmetic apart.
        arises: Whether the question arises for a run at all: one without normalisation has no scale. `in_a_table` where only
            the cell of a table can raise it.
    """

    question: str
    mark: Mark
    default: Mapping[str, Any]
    others: str
    cell: str
    arises: Callable[[Science], bool] = lambda science: True


def in_a_table(science: Science) -> bool:
    """Never for a run by itself: another row of the paper answers the same question otherwise."""
    return False


def _combines(science: Science) -> bool:
    return len([layer for layer in science.layers if layer != "pool6"]) > 1


def _context(science: Science) -> bool:
    return "pool6" in science.layers


def _norm(science: Science) -> bool:
    return science.norm != "none"


def _siftflow(science: Science) -> bool:
    return science.data.endswith("siftflow") and science.skips == "none"


_VOC = "table6.pool6_fc7_y_e.mean_iu"

# A table: question, mark, default and other answers; the cell that it is about, and where it arises.
# fmt: off
OPEN = (
    Switch("body of DeepLab Baseline", "inferred", {"body": "deeplab", "deeplab_kernel": 4}, "deeplab_kernel=7 | body=fcn",
           "table2.deeplab_baseline.mean_iu", lambda s: s.body == "deeplab"),
    Switch("pools of the ParseNet Baseline", "third-party copy", {"body": "reduced"}, "body=largefov",
           "table2.largefov_baseline.mean_iu", lambda s: s.body in ("reduced", "largefov")),
    Switch("pad of fc6 without the big pad", "inferred", {"fc6_pad": "same"}, "fc6_pad=none",
           "table1.baseline_d.mean_iu", lambda s: not s.pad100),
    Switch("iterations", "inferred", {"recipe.iterations": 80_000, "recipe.length": 1}, "recipe.length=0.25", _VOC),
    Switch("classifier's start", "stated", {"init": "xavier"}, "init=zero | init=gaussian", _VOC),
    Switch("weight decay", "inferred", {"recipe.weight_decay": 5e-4}, "recipe.weight_decay=0", _VOC),
    Switch("decay of the scale", "ours", {"norm_decay": 0}, "norm_decay=1", _VOC, _norm),
    Switch("scale's start", "third-party copy", {"norm_scale": 10, "norm_learn": True},
           "norm_scale=20 | norm_scale=1 norm_learn=false", _VOC, _norm),
    Switch("which fc7 pool6 averages", "third-party copy", {"context_source": "after_dropout"}, "context_source=before_dropout",
           _VOC, _context),
    Switch("layers of different resolution", "ours", {"align": "native"}, "align=upsample_first",
           "table4.conv4.norm", _combines),
    Switch("width of the 1x1 layer", "ours", {"mix_width": 1024}, "mix_width=512",
           "table7.ten.mix1x1", lambda s: s.mix == "conv1x1"),
    Switch("normalisation of the SiftFlow rows", "inferred", {"norm": "l2"}, "norm=none",
           "table3.conv4.mean_iu", lambda s: _siftflow(s) and s.layers != ("fc7",)),
    Switch("classes of a mean", "source", {"class_mean": "present"}, "class_mean=all", "table3.conv4.mean_iu"),
    Switch("policy of Baselines A to C", "source", {"recipe.policy": "fixed"}, "recipe.policy=step recipe.step=20000",
           "table1.baseline_a.mean_iu", lambda s: s.body == "fcn" and s.recipe.policy != "poly"),
    Switch("training images of Table 8", "stated", {"train_split": "train_aug"}, "train_split=trainval_aug",
           "table8.parsenet.mean", lambda s: s.data.endswith("voc12") or s.train_split != "train_aug"),
    Switch("trunk weights", "source", {"weights": "imagenet"}, "weights=torchvision | weights=caffe_convolutions", _VOC),
    Switch("accumulated batches", "ours", {"recipe.iter_size": 1}, "recipe.iter_size=8 | recipe.iter_size=20", _VOC),
    Switch("classifier's rate", "inferred", {"recipe.head_lr": (1, 2)}, "recipe.head_lr=[10,20]", _VOC),
    Switch("upsampling", "inferred", {"upsample": "bilinear"}, "upsample=learned", _VOC),
    Switch("dropout on pool6 itself", "inferred", {"context_dropout": 0}, "context_dropout=0.3", _VOC, _context),
    Switch("gradient of the norm", "ours", {"norm_gradient": "exact"}, "norm_gradient=authors", _VOC, _norm),
    Switch("training of FCN-16s and 8s", "ours", {"skip_training": "at_once"}, "skip_training=staged",
           "table3.fcn16s.mean_iu", lambda s: s.skips != "none"),
    Switch("normalisation of Table 3's fc7", "inferred", {"norm": "l2"}, "norm=none",
           "table3.fc7.mean_iu", lambda s: _siftflow(s) and s.layers == ("fc7",)),
    Switch("Table 7's scale of 1", "inferred", {"norm_learn": False}, "norm_learn=true",
           "table7.unit.concat", lambda s: _norm(s) and s.norm_scale == 1),
    Switch("pyramid bins", "source", {"spp_geometry": "caffe"}, "spp_geometry=adaptive",
           "spp.pyramid.early", lambda s: _context(s) and s.context == "spp"),
    Switch("order of training images", "ours", {"recipe.sampling": "shuffle"}, "recipe.sampling=replacement", _VOC),
    Switch("fusion of Table 5", "inferred", {"fusion": "early"}, "fusion=late", "table5.pool6_fc7.norm", in_a_table),
    Switch("fusion of Table 8", "inferred", {"fusion": "late"}, "fusion=early", "table8.parsenet.mean", in_a_table),
    Switch("iterations of Baseline C and of Table 4", "inferred", {"recipe.length": 1}, "recipe.length=2",
           "table1.baseline_c.mean_iu", in_a_table),
    Switch("which of Table 1's baselines lose the pad", "inferred", {"pad100": True}, "pad100=false",
           "table1.baseline_c.mean_iu", in_a_table),
)
"""The numbered rows of docs/protocol.md, "Every open choice and its switch"."""

STATED = (
    Switch("data", "stated", {"data": "voc12"}, "data=synthetic_voc", _VOC, lambda s: s.data not in DATA),
    Switch("trunk", "stated", {"trunk": "vgg16"}, "trunk=squeezenet", _VOC),
    Switch("images per step", "source", {"recipe.batch": 1, "recipe.crop": None, "recipe.mirror": False},
           "recipe.batch=10 recipe.crop=321 | recipe.mirror=true", _VOC),
    Switch("rate and policy", "stated",
           {"recipe.policy": "poly", "recipe.lr": 1e-9, "recipe.power": 0.9, "recipe.step": None, "recipe.step_factor": 0.1,
            "recipe.momentum": 0.9},
           "recipe.lr=1e-10 recipe.momentum=0.99", _VOC),
    Switch("trunk's rate", "source", {"recipe.trunk_lr": (1, 2)}, "recipe.trunk_lr=[1,1]", _VOC),
    Switch("loss over pixels", "stated", {"recipe.loss": "sum"}, "recipe.loss=mean", _VOC),
    Switch("dropout after fc6 and fc7", "source", {"recipe.dropout": 0.5}, "recipe.dropout=0", _VOC),
    Switch("the 100-pixel pad", "stated", {"pad100": False}, "pad100=true", "table1.baseline_d.mean_iu"),
    Switch("what shares a norm and a scale", "stated", {"norm_shared": False, "norm_across_space": False},
           "norm_shared=true | norm_across_space=true", _VOC, _norm),
    Switch("levels of the pyramid", "stated", {"context_bins": (1, 2, 4)}, "context_bins=[1,2,3,6]",
           "spp.pyramid.early", lambda s: _context(s) and s.context == "spp"),
    Switch("mean that is subtracted", "source", {"input_mean": "weights"}, "input_mean=data",
           "table3.conv4.mean_iu", _siftflow),
    Switch("gradient clipping", "ours", {"recipe.clip_gradients": None}, "recipe.clip_gradients=10", _VOC),
    Switch("stages that are not trained", "ours", {"recipe.frozen": ()}, "recipe.frozen=[conv1,conv2]", _VOC),
    Switch("rows and columns of the loss", "ours", {"recipe.loss_stride": 1}, "recipe.loss_stride=2", _VOC),
    Switch("arithmetic", "source", {"precision": "float32"}, "precision=tf32 | precision=bfloat16", _VOC),
    Switch("what the tables compare", "stated",
           {"body": "reduced", "layers": ("pool6", "fc7"), "skips": "none", "context": "global", "norm": "l2",
            "fusion": "early", "mix": "concat", "gate": "none", "gate_layers": ("fc7",), "blocks": {},
            "context_layers": ("fc7",), "norm_p": 2, "norm_layers": None, "feature_scale": {}},
           # No value of these is a deviation by itself, only against a table's cell.
           "fusion=late | mix=conv1x1 | context=spp | layers=[fc7] | gate=se", _VOC, in_a_table),
)
# fmt: on
"""What is not open, and can be changed."""

REASONS: Mapping[tuple[str, str, str], str] = {
    ("precision", "tf32", "float32"): "IEEE's would take four to five times as long on a GPU",
    ("precision", "bfloat16", "float32"): "IEEE's would take about six times as long on a GPU",
}
"""Why a value that deviates is chosen all the same, by key, value and what is expected: said with the deviation."""

COMPARED = frozenset(STATED[-1].default)
"""The axes that make the paper's systems: a cell that sets one of them not at all means its default."""
