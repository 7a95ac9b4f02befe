import jax.numpy as jnp
import numpy as np

from tetrax.ops import return_range


def test_the_range_follows_the_percentiles():
    returns = jnp.arange(101.0).reshape(1, 101)  # the 5th percentile is 5, the 95th 95
    found = return_range.update(return_range.empty(), returns)
    np.testing.assert_allclose([found.low, found.high], [0.05, 0.95], rtol=1e-6)
    assert found.size == 1.0  # what is smaller counts as 1
    for _ in range(2_000):
        found = return_range.update(found, returns)
    np.testing.assert_allclose(found.size, 90.0, rtol=1e-4)
