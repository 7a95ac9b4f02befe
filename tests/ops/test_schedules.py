"""Schedules against numbers worked by hand."""

import jax.numpy as jnp
import pytest

from tetrax.ops import schedules


@pytest.mark.parametrize(("step", "expected"), [(0, 1.0), (25, 0.775), (50, 0.55), (100, 0.1), (300, 0.1)])
def test_linear(step, expected):
    assert float(schedules.linear(jnp.int32(step), 100, 1.0, 0.1)) == pytest.approx(expected)


@pytest.mark.parametrize(("step", "expected"), [(0, 1.0), (50, 0.1), (100, 0.01), (300, 0.01)])
def test_exponential(step, expected):
    """Halfway in steps is halfway in factors: the root of 1 x 0.01."""
    assert float(schedules.exponential(jnp.int32(step), 100.0, 1.0, 0.01)) == pytest.approx(expected)


@pytest.mark.parametrize("schedule", [schedules.linear, schedules.exponential])
def test_no_horizon_keeps_the_start(schedule):
    assert float(schedule(jnp.int32(7), jnp.float32(0.0), jnp.float32(0.5), jnp.float32(0.1))) == 0.5
