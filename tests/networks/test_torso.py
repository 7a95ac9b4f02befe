"""Every encoder reads every observation that it is allowed to, with any leading axes; what does not fit is named."""

import dataclasses

import jax
import numpy as np
import pytest

import tetrax
from tests.networks.seen import batch, made_up
from tetrax.networks.network_config import ENCODERS, AttentionConfig, NetworkConfig
from tetrax.networks.torso import torso

CONFIG = NetworkConfig(
    hidden=(12, 10), channels=(4, 4), attention=AttentionConfig(layers=1, heads=2, size=8, scales=(1, 2))
)
PAIRS = [
    *((view, encoder) for view in ("planes", "afterstate_boards") for encoder in ENCODERS[view]),
    *((view, "mlp") for view in ("flat", "afterstate_features", "afterstate_classic", "afterstate_extended")),
]
# What takes long to compile; attention has tests of its own.
PAIRS = [pytest.param(*pair, marks=[pytest.mark.slow] * (pair[1] == "attention")) for pair in PAIRS]


def environment(view):
    return tetrax.make("mini", actions="drop" if view.startswith("after") else "direct", observation=view)


@pytest.mark.parametrize(("view", "encoder"), PAIRS)
def test_every_encoder_reads_what_it_is_allowed_to(view, encoder):
    env = environment(view)
    seen = made_up(env, (3, 2))
    network = torso(env, dataclasses.replace(CONFIG, encoder=encoder))

    @jax.jit
    def encode(seen):
        params = network.init(jax.random.key(0), seen)
        return params, network.apply(params, seen), network.apply(params, jax.tree.map(lambda x: x[2], seen))

    params, encoded, part = encode(seen)
    by_action = (env.num_actions,) if view.startswith("after") else ()
    assert encoded.shape == (3, 2, *by_action, 10)
    assert encoded.dtype == np.float32
    np.testing.assert_allclose(part, encoded[2], atol=1e-5)
    assert np.abs(np.asarray(encoded[0]) - np.asarray(encoded[1])).max() > 1e-4  # other boards, other codes
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {np.dtype(np.float32)}


@pytest.mark.parametrize("view", ENCODERS)
def test_auto_is_the_first_that_fits(view):
    env = environment(view)
    assert NetworkConfig().choose_encoder(env) == ENCODERS[view][0]
    assert torso(env, CONFIG).encoder == (
        "mlp" if view == "flat" or (view.startswith("afterstate") and "boards" not in view) else "cnn"
    )


def test_cells_and_planes_are_one_board():
    """A network sees the same cells, whichever way they were stored.

    The compact view hides the ghost behind the piece; words have no ghost.
    """

    @jax.jit
    def shown():
        seen = {view: batch(environment(view), 3) for view in ("planes", "compact", "bitboards")}
        return {view: torso(environment(view), CONFIG)._planes(seen[view]) for view in seen}

    planes = {view: np.array(each) for view, each in shown().items()}
    expected = planes["planes"]
    assert (expected.reshape(3, -1, 3).sum(axis=1)[:, 1:] == 2).all()  # dominoes: piece and ghost
    np.testing.assert_array_equal(planes["bitboards"], expected[..., :2])
    expected[..., 2] *= expected[..., 1] == 0
    np.testing.assert_array_equal(planes["compact"], expected)


@pytest.mark.parametrize("encoder", ["resnet", "attention"])
def test_bfloat16_is_inside_alone(encoder):
    env = environment("bitboards")
    network = torso(env, dataclasses.replace(CONFIG, encoder=encoder, compute_dtype="bfloat16"))
    shapes = jax.eval_shape(network.init, jax.random.key(0), made_up(env))
    program, encoded = jax.make_jaxpr(network.apply, return_shape=True)(shapes, made_up(env))
    assert "bf16" in str(program)
    assert {leaf.dtype for leaf in (*jax.tree.leaves(shapes), encoded)} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("view", "change", "message"),
    [
        ("flat", {"encoder": "cnn"}, "encoder: given 'cnn' with observation flat; allowed: auto, mlp"),
        ("afterstate_features", {"encoder": "resnet"}, "encoder: given 'resnet' with observation after"),
        ("planes", {"encoder": "cn"}, "encoder: given 'cn'; allowed: auto, mlp, .*; did you mean 'cnn'"),
        ("afterstate_boards", {"recurrent": "gru"}, "recurrent: given 'gru' with observation after.*none"),
        ("planes", {"recurrent": "lstn"}, "recurrent: given 'lstn'; allowed: none, lstm, gru; did you mean"),
        ("planes", {"memory": 0}, "memory: given 0; allowed: 1 or more"),
        ("planes", {"hidden": (4, 0)}, r"hidden: given \(4, 0\); allowed: one or more sizes"),
        ("planes", {"channels": ()}, r"channels: given \(\); allowed: one or more sizes"),
        ("planes", {"activation": "gelu"}, "activation: given 'gelu'; allowed: relu, tanh, silu"),
        ("planes", {"heads": 3}, r"attention.heads: given 3; allowed: a divisor of attention.size \(32\)"),
        ("planes", {"layers": 0}, "attention.layers: given 0; allowed: 1 or more"),
        ("planes", {"over": "columns"}, "attention.over: given 'columns'; allowed: cells, rows"),
        ("planes", {"scales": (2, 1)}, r"attention.scales: given \(2, 1\); allowed: .* ascending"),
        ("planes", {"scales": ()}, r"attention.scales: given \(\); allowed"),
        ("planes", {"scales": (1, 99)}, r"attention.scales: given \(1, 99\); allowed: .* from 1 to"),
    ],
)
def test_what_does_not_fit_is_named(view, change, message):
    known = NetworkConfig.__dataclass_fields__
    if set(change) <= set(known):
        config = NetworkConfig(**change)
    else:
        config = NetworkConfig(encoder="attention", attention=AttentionConfig(**change))
    with pytest.raises(ValueError, match=f"^agent.network.{message}"):
        torso(environment(view), config)
