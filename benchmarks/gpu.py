"""How close each row runs to the limit of the device it is on, and what its arithmetic and its sharing are worth there.

    python -m benchmarks.gpu card steps --rows reduced,fcn
    python -m benchmarks.gpu steps --rows all          every kind of run of the paper's tables, and the hours of them all
    python -m benchmarks.gpu agree exact share
    python -m benchmarks.gpu steps --device cpu --small

card    rate of products of matrices in each arithmetic, rate of a copy
steps   time of a training step, as a share of flops / GEMM rate + bytes / copy rate, where the bytes are those that all
        operations but convolutions and products read and write
agree   gradients of each arithmetic against float64's on the CPU
exact   whether the same steps give the same bits twice, by default and with `deterministic`, and what that costs
share   steps a second of several processes on one device

Networks have the size of VGG-16, random weights and random images; `--small` takes the thin trunk and small images, to see that
all of this runs. All figures are of the device that the first line names.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from parsenet_cli.config import profile, table_file
from parsenet_cli.config.compose import Composer
from parsenet_cli.core.run_config import Precision, RunConfig, Science
from parsenet_cli.engine import arithmetic
from parsenet_cli.engine.environment import device_name
from parsenet_cli.engine.loss import softmax_loss
from parsenet_cli.engine.probe import Probe, shape_of, take_turns
from parsenet_cli.models.build import build_model

ROWS = {
    "reduced": ("body=reduced", "layers=[pool6,fc7]", "norm=l2"),
    "fcn": ("data=pascal_context", "body=fcn", "layers=[pool6,fc7]", "norm=l2"),
    "fcn_five": ("data=pascal_context", "body=fcn", "layers=[pool6,fc7,conv5,conv4,conv3]", "norm=l2"),
    "fcn_pad100": ("data=pascal_context", "body=fcn", "layers=[fc7]", "pad100=true"),
    "siftflow": ("data=siftflow", "body=fcn", "layers=[pool6,fc7]", "norm=l2"),
    "deeplab": ("body=deeplab", "layers=[fc7]"),
    "largefov": ("body=largefov", "layers=[fc7]", "recipe=deeplab_largefov"),
    "spp": ("body=reduced", "layers=[pool6,fc7]", "norm=l2", "context=spp"),
    "learned": ("body=reduced", "layers=[pool6,fc7]", "norm=l2", "upsample=learned"),
}
Rows = dict[str, tuple[str, ...]]
"""Names, and the overrides of a run each."""

SMALL = ("trunk=vgg_tiny", "recipe.batch=2")
SMALL_SHAPE = (5, 96, 96)
PRECISIONS: tuple[Precision, ...] = ("float32", "tf32", "bfloat16")
PROCESSES = (1, 2, 4, 8)
BY_FLOPS = {"convolution", "convolution_backward", "mm", "addmm", "bmm", "baddbmm"}


class Bench:
    """The device, and the runs that are measured on it."""

    def __init__(self, device: str, small: bool, rounds: int) -> None:
        self.device, self.small, self.rounds = torch.device(device), small, rounds
        self.composer = Composer(profile.load("paper"), ["weights=none", f"device={device}"], Path(tempfile.mkdtemp()))
        self.precisions = [p for p in PRECISIONS if arithmetic.lacking(p, self.device) is None]

    def config(self, row: tuple[str, ...], precision: Precision, *more: str) -> RunConfig:
        """The run of a row."""
        return self.composer.unidentified((*row, *(SMALL if self.small else ()), f"precision={precision}", *more))

    def probe(
        self,
        row: tuple[str, ...],
        precision: Precision,
        *more: str,
        rate: float | None = 1e-12,
        shape: tuple[int, int, int] | None = None,
    ) -> Probe:
        """Its network, at a rate at which it stays as it is or, if None, at its recipe's; on a usual image but for `shape`."""
        config = self.config(row, precision, *more, *([] if rate is None else [f"recipe.lr={rate}"]))
        return Probe(config, shape or (SMALL_SHAPE if self.small else None))

    def wait(self) -> None:
        """Until all is done that the device was given to do."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def fastest(self, work: Callable[[], object]) -> float:
        """Seconds of the fastest of some repetitions."""

        def once() -> None:
            work()
            self.wait()

        return min(take_turns([once], 3 * self.rounds)[0]) / 1e3

    def gemm(self, precision: Precision) -> float:
        """Flops a second of a product of two square matrices."""
        side = 512 if self.small else 8192 if self.device.type == "cuda" else 2048
        arithmetic.set_arithmetic(precision, self.device)
        if precision == "tf32":  # which networks have in convolutions alone
            matmul: Any = torch.backends.cuda.matmul
            if hasattr(torch.backends, "fp32_precision"):
                matmul.fp32_precision = "tf32"
            else:
                matmul.allow_tf32 = True
        dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        a, b = (torch.randn(side, side, device=self.device, dtype=dtype) for _ in range(2))
        seconds = self.fastest(lambda: a @ b)
        arithmetic.set_arithmetic(precision, self.device)
        return 2 * side**3 / seconds

    def copy(self) -> float:
        """Bytes a second that a copy reads and writes."""
        source = torch.ones((2**22 if self.small else 2**28), device=self.device)
        target = torch.empty_like(source)
        return 2 * 4 * source.numel() / self.fastest(lambda: target.copy_(source))


class Traffic(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Bytes that operations other than convolutions and products read and write, views apart; and how many operations."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = self.operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func.namespace == "aten" and not func.is_view and "empty" not in func._opname and func._opname != "detach":
            self.operations += 1
            if func._opname not in BY_FLOPS:
                named = {argument.name: argument.alias_info for argument in func._schema.arguments}
                given = {**dict(zip(named, args, strict=False)), **(kwargs or {})}
                changed = [value for name, value in given.items() if (alias := named.get(name)) and alias.is_write]
                made = () if changed else result
                self.bytes += sum(_bytes(tree) for tree in (given, changed, made))
        return result


def _bytes(tree: object) -> int:
    return sum(x.numel() * x.element_size() for x in tree_leaves(tree) if isinstance(x, Tensor))


def card(bench: Bench, _rows: Rows, _: Counter[str]) -> None:
    """Print the rates of the device."""
    for precision in bench.precisions:
        print(f"products of matrices, {precision:9} {bench.gemm(precision) / 1e12:8.2f} Tflop/s")
    print(f"copy {bench.copy() / 1e9:35.1f} GB/s")


def steps(bench: Bench, rows: Rows, hours: Counter[str]) -> None:
    """Print one line per row and arithmetic; and the hours of all runs, where `hours` says how many steps each row stands for."""
    rates, copying = {precision: bench.gemm(precision) for precision in bench.precisions}, bench.copy()
    heads = ("row", "arithmetic", "ms", "alone", "Gflop", "GB", "GEMM", "bound", "ops", "MB", "hours")
    print("{:12} {:10} {:>8} {:>8} {:>8} {:>7} {:>6} {:>6} {:>5} {:>7} {:>6}".format(*heads))
    total = Counter[Precision]()
    for name, row in rows.items():
        for precision in bench.precisions:
            if bench.device.type == "cuda":
                torch.cuda.reset_peak_memory_stats()
            probe = bench.probe(row, precision)
            probe.step()
            with FlopCounterMode(display=False) as counter, Traffic() as traffic:
                probe.step()

            def several(probe: Probe = probe) -> None:
                for _ in range(SEVERAL):
                    probe.trainer.step(0)
                probe.wait()

            alone, together = take_turns([probe.step, several], bench.rounds)
            one, each = median(alone), median(together) / SEVERAL
            flops, size = counter.get_total_flops(), traffic.bytes
            bound = 1e3 * (flops / rates[precision] + size / copying)
            science = probe.trainer.science
            count = hours.get(name, science.recipe.steps)
            total[precision] += round(count * each)
            memory = torch.cuda.max_memory_allocated() / 2**20 if bench.device.type == "cuda" else float("nan")
            print(
                f"{name:12} {precision:10} {each:8.2f} {one:8.2f} {flops / 1e9:8.1f} {size / 1e9:7.3f} "
                f"{1e5 * flops / rates[precision] / each:5.0f}% {100 * bound / each:5.0f}% {traffic.operations:5} "
                f"{memory:7.0f} {count * each / 3.6e6:6.2f}",
                flush=True,
            )
            if bench.device.type == "cuda":
                _launches(probe)
            del probe, several
    for precision, milliseconds in total.items():
        print(
            f"{precision}: {milliseconds / 3.6e6:.1f} hours of steps a seed, {3 * milliseconds / 3.6e6:.1f} with three"
        )


SEVERAL = 4
"""Steps between two waits: alone, a step is waited for."""


def _launches(probe: Probe) -> None:
    """Kernels of a step, how long the device was busy with them, what waited, and the longest."""
    with warnings.catch_warnings(record=True) as waits:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        probe.trainer.step(0)
        torch.cuda.set_sync_debug_mode("default")
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profiled:
        probe.step()
    kernels = [event for event in profiled.key_averages() if event.device_type.name == "CUDA"]
    count, busy = sum(event.count for event in kernels), sum(event.self_device_time_total for event in kernels) / 1e3
    print(f"    {count} kernels, busy {busy:.2f} ms, {len(waits)} waits")
    for event in sorted(kernels, key=lambda event: -event.self_device_time_total)[:12]:
        print(f"    {event.self_device_time_total / 1e3:8.3f} ms {event.count:5} x {event.key[:90]}")


def all_rows(bench: Bench) -> tuple[Rows, Counter[str]]:
    """A row for every kind of run of the paper's tables, and the steps that all runs of a kind take together, for one seed."""
    rows: Rows = {}
    hours: Counter[str] = Counter()
    runs: dict[str, tuple[tuple[str, ...], Science]] = {}
    for table in table_file.names("all"):
        for cell in table_file.load(table).cells():
            science = bench.composer.science(cell.overrides)
            runs.setdefault(science.model_dump_json(), (cell.overrides, science))
    kinds: dict[tuple[object, ...], str] = {}
    for overrides, science in runs.values():
        recipe = science.recipe
        size = (*shape_of(science), recipe.batch, recipe.iter_size)
        kind = (science.body, science.pad100, len(science.layers), science.context, science.mix, science.skips, *size)
        name = kinds.setdefault(kind, f"{science.body}-{len(kinds)}")
        rows.setdefault(name, overrides)
        hours[name] += recipe.steps
    print(f"{len(runs)} runs of {len(kinds)} kinds, a seed")
    return rows, hours


def agree(bench: Bench, rows: Rows, _: Counter[str]) -> None:
    """Print how far logits and gradients are from those of float64 on the CPU, relative to their lengths."""
    for name, row in rows.items():
        science = bench.config((*row, "recipe.dropout=0"), "float32").science
        classes, height, width = SMALL_SHAPE if bench.small else (shape_of(science)[0], 129, 129)
        draw = torch.Generator().manual_seed(0)
        images = torch.randint(0, 256, (1, 3, height, width), dtype=torch.uint8, generator=draw)
        labels = torch.randint(0, classes, (1, height, width), dtype=torch.uint8, generator=draw)
        exact = _gradients(build_model(science, classes, None).double(), images, labels, "float32")
        shown = ["logits", *(part for part in exact if part.endswith("weight") and part != "logits")]
        for precision in bench.precisions:
            arithmetic.set_arithmetic(precision, bench.device)
            model = build_model(science, classes, None).to(bench.device)
            found = _gradients(model, images.to(bench.device), labels.to(bench.device), precision)
            apart = {part: float((found[part] - exact[part]).norm() / exact[part].norm()) for part in shown}
            other = float((found["logits"].argmax(1) != exact["logits"].argmax(1)).double().mean())
            ends = " ".join(f"{part.removesuffix('.weight')} {apart[part]:.1e}" for part in (*shown[:2], *shown[-3:]))
            worst = max(shown, key=apart.__getitem__)
            print(f"{name:12} {precision:10} {ends}  worst {worst} {apart[worst]:.1e}  argmax differs {other:.2%}")


def _gradients(model: Any, images: Tensor, labels: Tensor, precision: Precision) -> dict[str, Tensor]:
    with arithmetic.autocast(precision, images.device):
        logits = model(images)
    softmax_loss(logits, labels, 255, 1).backward()  # type: ignore[no-untyped-call]
    found = {"logits": logits, **{name: weight.grad for name, weight in model.named_parameters()}}
    return {name: tensor.detach().double().cpu() for name, tensor in found.items()}


def exact(bench: Bench, rows: Rows, _: Counter[str]) -> None:
    """Print whether twenty steps twice end in equal bits, and the time of a step with `deterministic` over that without."""
    for name, row in rows.items():
        for precision in bench.precisions:
            times = []
            for deterministic in ("false", "true"):
                ends = []
                for _again in range(2):
                    probe = bench.probe(row, precision, f"deterministic={deterministic}", rate=None)
                    started = time.perf_counter()
                    for iteration in range(2 if bench.small else 20):
                        probe.trainer.step(iteration)
                    probe.wait()
                    times.append(time.perf_counter() - started)
                    ends.append({n: weight.detach().clone() for n, weight in probe.model.named_parameters()})
                differ = sum(not torch.equal(value, ends[1][n]) for n, value in ends[0].items())
                print(
                    f"{name:12} {precision:10} deterministic={deterministic}: {differ} of {len(ends[0])} tensors differ"
                )
            print(f"{name:12} {precision:10} deterministic takes {min(times[2:]) / min(times[:2]):.2f} of the time")


def share(bench: Bench, rows: Rows, _: Counter[str]) -> None:
    """Print steps a second of 1, 2, 4 and 8 processes at once, by time slices or through MPS where that runs."""
    pipes = Path(os.environ.get("CUDA_MPS_PIPE_DIRECTORY", "/tmp/nvidia-mps"))
    print("CUDA's MPS runs" if pipes.exists() else "without CUDA's MPS (nvidia-cuda-mps-control -d starts it)")
    for name in rows:
        for precision in bench.precisions:
            for number in PROCESSES[: 2 if bench.small else None]:
                command = [
                    sys.executable,
                    "-m",
                    "benchmarks.gpu",
                    "worker",
                    "--rows",
                    name,
                    "--device",
                    bench.device.type,
                ]
                command += ["--precision", precision, *(["--small"] if bench.small else [])]
                workers = [
                    subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(number)
                ]
                for worker in workers:
                    _line(worker)
                for worker in workers:
                    assert worker.stdin
                    worker.stdin.write(b"go\n")
                    worker.stdin.flush()
                rate = sum(float(_line(worker)) for worker in workers)
                for worker in workers:
                    worker.communicate()
                print(f"{name:12} {precision:10} {number} at once: {rate:8.2f} steps/s", flush=True)


def _line(worker: subprocess.Popen[bytes]) -> bytes:
    assert worker.stdout
    return worker.stdout.readline()


def worker(bench: Bench, rows: Rows, _: Counter[str]) -> None:
    """Of `share`: say when it is ready, wait for a line, and say how many steps a second there were."""
    (row,) = rows.values()
    probe = bench.probe(row, bench.precisions[0])
    for _warm in range(3):
        probe.step()
    print("ready", flush=True)
    sys.stdin.readline()
    started, done, seconds = time.perf_counter(), 0, 1 if bench.small else 10
    while time.perf_counter() - started < seconds:
        for _some in range(SEVERAL):
            probe.trainer.step(0)
        probe.wait()
        done += SEVERAL
    print(done / (time.perf_counter() - started), flush=True)


MEASUREMENTS = {"card": card, "steps": steps, "agree": agree, "exact": exact, "share": share, "worker": worker}


def main() -> None:
    """Measure what is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="+", choices=MEASUREMENTS)
    parser.add_argument("--rows", default="reduced", help=f"all, or of {', '.join(ROWS)}")
    parser.add_argument("--precision", help="this one alone")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", choices=("cpu", "cuda"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--small", action="store_true")
    chosen = parser.parse_args()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read once, when cuBLAS starts: `exact` asks for it
    bench = Bench(chosen.device, chosen.small, chosen.rounds)
    if chosen.precision:
        bench.precisions = [chosen.precision]
    rows, hours = {name: ROWS[name] for name in chosen.rows.split(",") if name != "all"}, Counter[str]()
    if chosen.rows == "all":
        rows, hours = all_rows(bench)
    if "worker" not in chosen.what:
        print(f"{device_name(bench.device)}, {torch.get_num_threads()} threads, PyTorch {torch.__version__}")
    for what in chosen.what:
        MEASUREMENTS[what](bench, rows, hours)


if __name__ == "__main__":
    main()
