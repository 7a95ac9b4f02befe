"""The recurrent cells against flax's, and what forgetting at a reset means."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tetrax.networks.network_config import NetworkConfig
from tetrax.networks.recurrent import core, initial_memory

T, B, D, M = 6, 3, 4, 5
INPUTS = jax.random.normal(jax.random.key(0), (T, B, D))
NEVER = jnp.zeros((T, B), bool)


def made(kind, compute_dtype="float32"):
    config = NetworkConfig(recurrent=kind, memory=M, compute_dtype=compute_dtype)
    network, memory = core(config), initial_memory(config, (B,))
    params = jax.jit(network.init)(jax.random.key(1), INPUTS, memory, NEVER)
    params = jax.tree.map(lambda leaf: leaf + 0.1, params)  # biases too
    return jax.jit(network.apply), params, memory


def flax_step(kind, params):
    """Return flax's cell with our weights."""
    ours = params["params"]
    kernels, biases = ours["inputs"]["kernel"], ours["inputs"]["bias"]
    if kind == "lstm":
        # Ours has a forget gate that starts at 1; flax's keeps its biases with the recurrent part.
        biases = biases + jnp.repeat(jnp.array([0.0, 1.0, 0.0, 0.0]), M)
        names, cell = "ifgo", nn.OptimizedLSTMCell(M)
        of_memory = [{"bias": bias} for bias in jnp.split(biases, 4)]
        of_input = [{} for _ in names]
    else:
        names, cell = "rzn", nn.GRUCell(M)
        of_memory = [{}, {}, {"bias": ours["recurrent_bias"]}]
        of_input = [{"bias": bias} for bias in jnp.split(biases, 3)]
    kinds = len(names)
    filled = {
        **{
            f"i{name}": {"kernel": kernel, **rest}
            for name, kernel, rest in zip(names, jnp.split(kernels, kinds, axis=1), of_input, strict=True)
        },
        **{
            f"h{name}": {"kernel": kernel, **rest}
            for name, kernel, rest in zip(
                names, jnp.split(ours["recurrent_kernel"], kinds, axis=1), of_memory, strict=True
            )
        },
    }
    return jax.jit(lambda carry, inputs: cell.apply({"params": filled}, carry, inputs))


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_cells_are_flax_cells(kind):
    apply, params, memory = made(kind)
    outputs, after = apply(params, INPUTS, memory, NEVER)
    step = flax_step(kind, params)
    carry = (memory[1], memory[0]) if kind == "lstm" else memory  # flax has the cell first
    for t in range(T):
        carry, expected = step(carry, INPUTS[t])
        np.testing.assert_allclose(outputs[t], expected, rtol=1e-4, atol=1e-6)
    last = after[0] if kind == "lstm" else after
    np.testing.assert_array_equal(last, outputs[-1])


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_a_sequence_is_its_steps_and_a_new_game_remembers_nothing(kind):
    apply, params, memory = made(kind)
    memory = jax.tree.map(lambda leaf: leaf + 0.5, memory)  # of games that were going on
    is_first = NEVER.at[0, 0].set(True).at[3, 1].set(True)
    together, after = apply(params, INPUTS, memory, is_first)
    for t in range(T):
        one, memory = apply(params, INPUTS[t : t + 1], memory, is_first[t : t + 1])
        np.testing.assert_allclose(one[0], together[t], rtol=1e-5, atol=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), memory, after)
    # Board 1 from its reset on is a game from the start.
    _, _, nothing = made(kind)
    fresh, _ = apply(params, INPUTS[3:], nothing, NEVER[3:])
    np.testing.assert_allclose(together[3:, 1], fresh[:, 1], rtol=1e-5, atol=1e-6)
    # What board 2 carried over from before counts.
    carried, _ = apply(params, INPUTS, nothing, NEVER)
    assert np.abs(together[0, 2] - carried[0, 2]).max() > 1e-3


def test_no_cell_passes_on():
    apply, params, memory = made("none")
    outputs, after = apply(params, INPUTS, memory, NEVER)
    np.testing.assert_array_equal(outputs, INPUTS)
    assert memory == after == ()
    assert params == {}


def test_memory_is_float32_where_products_are_not():
    apply, params, memory = made("lstm", "bfloat16")
    outputs, after = apply(params, INPUTS, memory, NEVER)
    assert {leaf.dtype for leaf in jax.tree.leaves((params, outputs, after))} == {np.dtype(np.float32)}
    assert "bf16" in str(jax.make_jaxpr(apply)(params, INPUTS, memory, NEVER))
