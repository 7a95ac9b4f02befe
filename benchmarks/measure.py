"""What the benchmark programs share: clocks, what ran where, the command line, the JSON line, saved results."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from benchmarks import records
from tetrax.fields.errors import exit_code, wrong
from tetrax.train.command import flags

ROOT = Path(__file__).parent.parent
Options = TypeVar("Options")


def run(program: Callable[[list[str]], None], argv: Sequence[str] | None) -> int:
    """Run a program's body; return the exit code. A wrong word or number is one line and code 2."""

    def body(words: list[str]) -> int:
        program(words)
        return 0

    return exit_code(body, argv, when_stopped="stopped")


def options(default: Options, argv: list[str], module: str, description: str) -> Options | None:
    """Read the flags of a program from the fields of its options; return None after printing help."""
    types = flags.field_types(default)
    words = flags.read_words(argv, types)
    if words.wants_help:
        program = f"python -m benchmarks.{module}"
        flags.print_help(type(default), default, prog=program, description=description)
        return None
    for word in words.positionals:
        raise wrong("unexpected word", word, "flags", types)
    return flags.put(default, words.values)


def check_positive(flag: str, given: float | None) -> None:
    """Raise UserError unless a number is above zero (or not given)."""
    if given is not None and not given > 0:
        kind = "a whole number, 1 or more" if isinstance(given, int) else "a number above 0"
        raise wrong(flag, given, kind)


def check_vector_width(bits: int | None) -> None:
    """Raise UserError unless XLA knows vectors of so many bits (or none are asked for)."""
    if bits not in (None, 128, 256, 512):
        raise wrong("--vector-width", bits, "128, 256 or 512")


def use_vector_width(bits: int | None) -> None:
    """Let XLA use vectors this wide on CPUs, here and in every process started from here.

    This is read when JAX first looks for devices: call it before. XLA's own choice is 256.
    """
    check_vector_width(bits)
    if bits is None:
        return
    flag = f"--xla_cpu_prefer_vector_width={bits}"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flag}".strip()


def versions() -> dict[str, str]:
    """Return the versions of what was measured."""
    import jax
    import jaxlib

    import tetrax

    return {
        "python": platform.python_version(),
        "jax": jax.__version__,
        "jaxlib": jaxlib.__version__,
        "tetrax": tetrax.__version__,
    }


def device() -> dict[str, Any]:
    """Return what computed: platform, kind and number of JAX's devices, and the CPU's cores for this process."""
    import jax

    devices = jax.devices()
    return {
        "platform": devices[0].platform,
        "kind": devices[0].device_kind,
        "count": len(devices),
        "cpu_cores": available_cores(),
        "cpu": cpu_name(),
    }


def available_cores() -> int:
    """Return the CPU cores that this process may run on."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def cpu_name() -> str:
    """Return the processor's name, or its architecture where the system does not tell."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def machine() -> str:
    """Describe this machine in one line: what a reader needs to judge a number."""
    found, of = device(), versions()
    where = f"{found['cpu_cores']} CPU cores ({found['cpu']})"
    if found["platform"] != "cpu":
        where = f"{found['count']} x {found['kind']}, {where}"
    xla_flags = os.environ.get("XLA_FLAGS")
    ending = f", XLA_FLAGS={xla_flags}" if xla_flags else ""
    return f"{where}, Python {of['python']}, jax {of['jax']}{ending}"


def commit() -> str:
    """Return the checked-out commit, with "+changes" where files differ from it; "" outside a checkout."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    dirty = git("status", "--porcelain", "--untracked-files=no", "--", "tetrax", "benchmarks/*.py")
    head = git("rev-parse", "HEAD")
    return f"{head}+changes" if head and dirty else head


def context() -> dict[str, Any]:
    """Return what every program's JSON object says about where it ran."""
    xla_flags = os.environ.get("XLA_FLAGS", "")
    return {"device": device(), "versions": versions(), "xla_flags": xla_flags, "commit": commit()}


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON object as one line: the last of a program's output."""
    print(json.dumps(document, allow_nan=False), flush=True)


def save(
    name: str, *, what: str, value: float, unit: str, module: str, argv: Sequence[str], data: dict[str, Any]
) -> Path:
    """Keep a result under benchmarks/results/performance; one of the same name and platform is replaced."""
    words = [word for word in argv if word not in ("--save", "--json")]
    measurement = records.Measurement(
        what=what,
        value=value,
        unit=unit,
        interval=None,
        machine=machine(),
        command=" ".join(["python -m", f"benchmarks.{module}", *words]),
        commit=commit(),
        date=datetime.date.today().isoformat(),
    )
    platform_name = device()["platform"]
    return records.write(records.PERFORMANCE / f"{platform_name}-{name}.json", measurement, data)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out rows under a head as text, numbers to the right."""
    widths = [max(len(line[column]) for line in (head, *rows)) for column in range(len(head))]
    lines = []
    for line in (head, *rows):
        first, *others = line
        cells = [word.rjust(width) for word, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return "\n".join(lines)


def thousands(number: float) -> str:
    """Write a number for people: without decimals where it is large."""
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"
