"""Other people's code is not held to our strictness, and may warn of its own affairs."""

from collections.abc import Iterator

import jax
import pytest


@pytest.fixture
def lenient() -> Iterator[None]:
    """Let a test's code promote types and ranks as jax does by itself."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield
