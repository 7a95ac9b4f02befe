"""The strictness the other tests rely on is really switched on."""

import warnings

import jax.numpy as jnp
import pytest


def test_rank_promotion_raises():
    with pytest.raises(ValueError, match="rank_promotion"):
        jnp.ones((2, 3)) + jnp.ones(3)


def test_warnings_are_errors():
    with pytest.raises(UserWarning, match="planted"):
        warnings.warn("planted", stacklevel=1)
