"""A load of known shape for one NVIDIA GPU: PyTorch if it is there, else a small kernel.

    python benchmarks/gpu_load.py --bus 00000000:17:00.0 idle:2 steady:5 square:0.9:0.5:10 work:500

Phases run one after the other; each prints a JSON line with its span on CLOCK_BOOTTIME.
``steady:S`` and ``idle:S`` last S seconds, ``square:P:D:S`` is on for the part D of each period P,
``work:N`` launches N kernels of fixed size, so that its duration tells how fast the GPU was.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import json
import sys
import time
from typing import Any, Protocol

KERNEL_SECONDS = 0.002
"""What one launch should last: short enough for edges, long enough to hide the launch."""

PTX = b"""
.version 6.0
.target sm_50
.address_size 64
.visible .entry burn(.param .u64 out, .param .u32 rounds)
{
  .reg .pred %p<2>;
  .reg .f32 %f<8>;
  .reg .b32 %r<6>;
  .reg .b64 %rd<5>;
  ld.param.u64 %rd1, [out];
  ld.param.u32 %r1, [rounds];
  mov.u32 %r2, %tid.x;
  mov.u32 %r3, %ctaid.x;
  mov.u32 %r4, %ntid.x;
  mad.lo.u32 %r5, %r3, %r4, %r2;
  cvt.rn.f32.u32 %f1, %r2;
  mov.f32 %f2, %f1;
  mov.f32 %f3, %f1;
  mov.f32 %f4, %f1;
  mov.f32 %f5, 0f3F7FFFFE;
  mov.f32 %f6, 0f358637BD;
ROUND:
  fma.rn.f32 %f1, %f1, %f5, %f6;
  fma.rn.f32 %f2, %f2, %f5, %f6;
  fma.rn.f32 %f3, %f3, %f5, %f6;
  fma.rn.f32 %f4, %f4, %f5, %f6;
  fma.rn.f32 %f1, %f1, %f5, %f6;
  fma.rn.f32 %f2, %f2, %f5, %f6;
  fma.rn.f32 %f3, %f3, %f5, %f6;
  fma.rn.f32 %f4, %f4, %f5, %f6;
  add.u32 %r1, %r1, -1;
  setp.ne.u32 %p1, %r1, 0;
  @%p1 bra ROUND;
  add.f32 %f1, %f1, %f2;
  add.f32 %f3, %f3, %f4;
  add.f32 %f1, %f1, %f3;
  cvta.to.global.u64 %rd2, %rd1;
  mul.wide.u32 %rd3, %r5, 4;
  add.s64 %rd4, %rd2, %rd3;
  st.global.f32 [%rd4], %f1;
  ret;
}
"""
THREADS = 256
BLOCKS_PER_SM = 8
MULTIPROCESSOR_COUNT = 16  # CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT


class LoadError(Exception):
    """The load cannot be made here; the message says why."""


class Engine(Protocol):
    """Something that keeps the GPU busy."""

    name: str

    def launch(self, rounds: int) -> None:
        """Run one kernel of this size and wait for it."""


class Kernel:
    """The kernel above, through the CUDA driver alone."""

    name = "ptx"

    def __init__(self, bus: str) -> None:
        try:
            self._cuda = ctypes.CDLL("libcuda.so.1")
        except OSError as error:
            raise LoadError(f"no CUDA driver: {error}") from error
        self._call("cuInit", 0)
        device = ctypes.c_int()
        self._call("cuDeviceGetByPCIBusId", ctypes.byref(device), bus.encode())
        context = ctypes.c_void_p()
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self._call("cuCtxSetCurrent", context)
        count = ctypes.c_int()
        self._call("cuDeviceGetAttribute", ctypes.byref(count), MULTIPROCESSOR_COUNT, device)
        self._blocks = count.value * BLOCKS_PER_SM
        module = ctypes.c_void_p()
        self._call("cuModuleLoadData", ctypes.byref(module), PTX + b"\0")
        self._function = ctypes.c_void_p()
        self._call("cuModuleGetFunction", ctypes.byref(self._function), module, b"burn")
        self._out = ctypes.c_uint64()
        size = ctypes.c_size_t(4 * THREADS * self._blocks)
        self._call("cuMemAlloc_v2", ctypes.byref(self._out), size)

    def launch(self, rounds: int) -> None:
        """Run one kernel of this many rounds and wait for it."""
        number = ctypes.c_uint32(rounds)
        values = (ctypes.c_void_p * 2)(ctypes.addressof(self._out), ctypes.addressof(number))
        grid = (self._blocks, 1, 1, THREADS, 1, 1)
        self._call("cuLaunchKernel", self._function, *grid, 0, None, values, None)
        self._call("cuCtxSynchronize")

    def _call(self, name: str, *arguments: Any) -> None:
        code = getattr(self._cuda, name)(*arguments)
        if code != 0:
            text = ctypes.c_char_p()
            self._cuda.cuGetErrorName(code, ctypes.byref(text))
            raise LoadError(f"{name}: {(text.value or b'error').decode()} ({code})")


class Torch:
    """Matrix products in PyTorch: nearer to a training step, and more power."""

    name = "torch"

    def __init__(self, bus: str) -> None:
        torch: Any = importlib.import_module("torch")
        if not torch.cuda.is_available():
            raise LoadError("this PyTorch sees no CUDA device")
        index = next(
            (
                index
                for index in range(torch.cuda.device_count())
                if torch.cuda.get_device_properties(index).pci_bus_id == int(bus.split(":")[1], 16)
            ),
            None,
        )
        if index is None:
            raise LoadError(f"this PyTorch does not see the GPU at {bus}")
        self._torch = torch
        self._device = torch.device("cuda", index)
        shape = {"device": self._device, "dtype": torch.bfloat16}
        self._left = torch.randn(4096, 4096, **shape)
        self._right = torch.randn(4096, 4096, **shape)

    def launch(self, rounds: int) -> None:
        """Run this many products and wait for them."""
        for _ in range(rounds):
            self._torch.mm(self._left, self._right)
        self._torch.cuda.synchronize(self._device)


def engine_for(bus: str, wish: str) -> Engine:
    """The engine wished for; ``auto`` takes PyTorch where it works, else the kernel."""
    if wish == "torch" or (wish == "auto" and importlib.util.find_spec("torch") is not None):
        try:
            return Torch(bus)
        except LoadError:
            if wish == "torch":
                raise
    return Kernel(bus)


def rounds_for(engine: Engine, seconds: float) -> int:
    """How many rounds one launch needs to last this long; found by doubling, after a warm-up."""
    engine.launch(1)
    rounds = 1
    while True:
        began = time.perf_counter()
        engine.launch(rounds)
        took = time.perf_counter() - began
        if took >= seconds / 2:
            return max(1, round(rounds * seconds / took))
        rounds *= 2


def burn(engine: Engine, rounds: int, until: float) -> int:
    """Keep the GPU busy until this instant of the monotonic clock; the number of launches."""
    launches = 0
    while time.monotonic() < until:
        engine.launch(rounds)
        launches += 1
    return launches


def square(engine: Engine, rounds: int, period: float, duty: float, seconds: float) -> int:
    """On for a part of each period, then silent; the number of launches."""
    start, launches, cycle = time.monotonic(), 0, 0
    while cycle * period < seconds:
        launches += burn(engine, rounds, start + (cycle + duty) * period)
        cycle += 1
        time.sleep(max(0.0, start + cycle * period - time.monotonic()))
    return launches


def play(engine: Engine, rounds: int, phase: str) -> dict[str, Any]:
    """Run one phase; what it was, its span in ns of CLOCK_BOOTTIME and its launches."""
    kind, *values = phase.split(":")
    numbers = [float(value) for value in values]
    began = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    launches = 0
    if kind == "idle":
        time.sleep(numbers[0])
    elif kind == "steady":
        launches = burn(engine, rounds, time.monotonic() + numbers[0])
    elif kind == "square":
        launches = square(engine, rounds, *numbers)
    elif kind == "work":
        launches = int(numbers[0])
        for _ in range(launches):
            engine.launch(rounds)
    else:
        raise LoadError(f"unknown phase {phase!r}: use idle, steady, square or work")
    ended = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return {"phase": phase, "start_ns": began, "end_ns": ended, "launches": launches}


def main() -> int:
    """Run the phases named on the command line; 1 where no load can be made."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--bus", required=True, help="PCI bus id of the GPU, as NVML gives it")
    parser.add_argument("--engine", choices=("auto", "torch", "ptx"), default="auto")
    parser.add_argument("--rounds", type=int, help="size of a launch (default: about 2 ms)")
    parser.add_argument("phases", nargs="+")
    options = parser.parse_args()
    try:
        engine = engine_for(options.bus, options.engine)
        rounds = options.rounds or rounds_for(engine, KERNEL_SECONDS)
        print(json.dumps({"engine": engine.name, "rounds": rounds}), flush=True)
        for phase in options.phases:
            print(json.dumps(play(engine, rounds, phase)), flush=True)
    except LoadError as error:
        print(f"gpu_load: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
