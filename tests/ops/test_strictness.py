import jax.numpy as jnp
import pytest


def test_dtype_promotion_raises():
    with pytest.raises(ValueError, match="promotion"):
        jnp.ones((2,), jnp.int32) + jnp.ones((2,), jnp.float32)
