"""The strictness the other tests rely on is really switched on."""

import warnings

import jax.numpy as jnp
import pytest

from tests.conftest import LONGEST_FIRST, TESTS


def test_rank_promotion_raises():
    with pytest.raises(ValueError, match="rank_promotion"):
        jnp.ones((2, 3)) + jnp.ones(3)


def test_warnings_are_errors():
    with pytest.raises(UserWarning, match="planted"):
        warnings.warn("planted", stacklevel=1)


def test_the_files_that_are_begun_first_are_there():
    assert [name for name in LONGEST_FIRST if not (TESTS / name).is_file()] == []
