"""Running moments of a stream of batches, and the normalisation of one batch."""

import jax.numpy as jnp
from flax import struct
from jax import Array
from jaxtyping import Bool, Float


class RunningMoments(struct.PyTreeNode, kw_only=True):
    """Count, mean and spread of everything seen so far, element by element of one shape."""

    count: Array  # float32[], samples seen
    mean: Array  # float32[*shape]
    squares: Array  # float32[*shape], sum of squared distances from the mean

    @classmethod
    def empty(cls, shape: tuple[int, ...] = ()) -> "RunningMoments":
        """Moments of nothing."""
        zeros = jnp.zeros(shape, jnp.float32)
        return cls(count=jnp.zeros((), jnp.float32), mean=zeros, squares=zeros)

    @property
    def variance(self) -> Float[Array, "*shape"]:
        """Population variance; 1 before the first sample, so that normalising then changes nothing."""
        return jnp.where(self.count > 0, self.squares / jnp.maximum(self.count, 1.0), 1.0)


def merge(one: RunningMoments, other: RunningMoments) -> RunningMoments:
    """Combine the moments of two sets of samples (Chan, Golub & LeVeque 1979, equations 2.1)."""
    count = one.count + other.count
    share = other.count / jnp.maximum(count, 1.0)
    distance = other.mean - one.mean
    return RunningMoments(
        count=count,
        mean=one.mean + distance * share,
        squares=one.squares + other.squares + distance**2 * (one.count * share),
    )


def update(
    moments: RunningMoments, batch: Float[Array, "*B_and_shape"], mask: Bool[Array, "*B"] | None = None
) -> RunningMoments:
    """Add a batch [B..., *shape]; `mask` [B...] is True for the rows that count."""
    num_axes = batch.ndim - moments.mean.ndim
    batch_shape = batch.shape[:num_axes]
    valid = jnp.ones(batch_shape, bool) if mask is None else mask  # [B...]
    valid = valid.reshape(batch_shape + (1,) * moments.mean.ndim)  # [B..., 1...]
    axes = tuple(range(num_axes))
    count = jnp.sum(valid, dtype=jnp.float32)
    mean = jnp.sum(jnp.where(valid, batch, 0.0), axis=axes) / jnp.maximum(count, 1.0)
    distances = jnp.where(valid, batch - mean.reshape((1,) * num_axes + mean.shape), 0.0)
    squares = jnp.sum(distances**2, axis=axes)
    return merge(moments, RunningMoments(count=count, mean=mean, squares=squares))


def normalise(
    moments: RunningMoments, values: Float[Array, "*B_and_shape"], epsilon: float = 1e-8
) -> Float[Array, "*B_and_shape"]:
    """Shift and scale values [B..., *shape] to mean 0 and variance 1 under the moments."""
    leading = (1,) * (values.ndim - moments.mean.ndim)
    mean = moments.mean.reshape(leading + moments.mean.shape)
    scale = jnp.sqrt(moments.variance + epsilon).reshape(leading + moments.mean.shape)
    return (values - mean) / scale


def denormalise(
    moments: RunningMoments, values: Float[Array, "*B"], epsilon: float = 1e-8
) -> Float[Array, "*B"]:
    """Undo `normalise` for scalars."""
    return values * jnp.sqrt(moments.variance + epsilon) + moments.mean


def normalise_batch(
    values: Float[Array, "*B"], mask: Bool[Array, "*B"] | None = None, epsilon: float = 1e-8
) -> Float[Array, "*B"]:
    """Shift and scale the values where `mask` is True to mean 0 and variance 1, and give 0 elsewhere.

    For the advantages of a minibatch; values that are all alike become 0.
    """
    valid = jnp.ones(values.shape, bool) if mask is None else mask
    count = jnp.maximum(jnp.sum(valid, dtype=jnp.float32), 1.0)
    mean = jnp.sum(jnp.where(valid, values, 0.0)) / count
    centred = jnp.where(valid, values - mean, 0.0)
    return centred / (jnp.sqrt(jnp.sum(centred**2) / count) + epsilon)


def update_decayed(
    moments: RunningMoments,
    batch: Float[Array, "*B"],
    decay: float = 0.9,
    mask: Bool[Array, "*B"] | None = None,
) -> RunningMoments:
    """Forget a part of the past, then add a batch of scalars, where `mask` is True: moments of a stream that drifts.

    The weight of a batch seen n updates ago is decay**n.
    """
    faded = moments.replace(count=moments.count * decay, squares=moments.squares * decay)
    return update(faded, batch, mask)
