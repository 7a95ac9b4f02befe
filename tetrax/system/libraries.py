"""Versions of libraries that are known to fail, for those who have one all the same.

Installing leaves them out (pyproject.toml); a checkout that is brought up to date keeps what was installed before.
"""

import importlib.metadata

FAULTS = {  # of jax, on CPUs
    "0.8.0": "reads tables in a program wrongly (jax issue 33479)",
    "0.8.1": "reads tables in a program wrongly (jax issue 33479)",
    "0.10.0": "may abort in gradients of attention (jax issue 39264)",
    "0.10.1": "may abort in gradients of attention (jax issue 39264)",
    "0.10.2": "computes wrong sums (jax issue 39103)",
    "0.11.0": "may crash in products of many axes (jax issue 39257)",
    "0.11.1": "is slow in loops that write to large arrays",
}


def faults() -> tuple[str, ...]:
    """Return a line for each installed library that is known to fail."""
    version = importlib.metadata.version("jax")
    if version not in FAULTS:
        return ()
    return (f"warning: jax {version} {FAULTS[version]} on CPUs; `pip install -e .` takes another",)
