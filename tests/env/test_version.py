"""Games played by fixed actions, as digests: what they come to belongs to the environment's version.

What is shown of the boards that placements leave is in them, and what clears send.

When a digest changes because the game was meant to change, raise `ENV_VERSION` and keep the new digests under it.
"""

import hashlib
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tetrax.adapters.registration import ENV_ID
from tetrax.env.tetris import ENV_VERSION

KEPT = Path(__file__).parents[1] / "data" / "traces.json"
GAMES = {
    "guideline direct": {"preset": "guideline"},
    "guideline drop": {"preset": "guideline", "actions": "drop", "reward": "standard"},
    "tetrio direct": {"preset": "tetrio", "reward": "attack", "ticks_per_second": 20},
    "classic-10x10": {"preset": "classic-10x10"},
    "mini": {"preset": "mini"},
}
SLOW = ("classic-10x10", "guideline direct", "guideline drop", "tetrio direct")  # to compile
BOARDS, STEPS = 4, 256


def digest(env):
    """Play pseudo-random legal actions on a few boards; hash boards, events, rewards and observations."""

    def step(states, action_words):
        legal = jax.vmap(lambda state: env.observe(state).legal)(states)
        rank = action_words % jnp.maximum(jnp.sum(legal, axis=1, dtype=jnp.int32), 1)
        actions = jnp.argmax(jnp.cumsum(legal, axis=1, dtype=jnp.int32) > rank[:, None], axis=1)
        states, timesteps = jax.vmap(env.step)(states, actions.astype(jnp.int32))
        seen = timesteps.observation
        # Floats go in as tenths: their last bits differ between machines.
        tenths = [jnp.round(values * 10).astype(jnp.int32) for values in (timesteps.reward, seen.features)]
        event = timesteps.event
        sent = (event.lines, event.attack, event.sent)
        # The scales of afterstates divide 1000: whole numbers.
        ahead = () if seen.afterstates is None else jnp.round(seen.afterstates.features * 1000)
        ahead = jax.tree.map(lambda values: values.astype(jnp.int32), ahead)
        return states, (states.rows, states.score, states.queue, sent, tenths, seen.pieces, ahead)

    states, _ = jax.vmap(env.reset)(jax.random.split(jax.random.key(2026), BOARDS))
    words = jnp.asarray(np.random.default_rng(7).integers(0, 10_000, (STEPS, BOARDS)), jnp.int32)
    played = jax.jit(lambda states, words: jax.lax.scan(step, states, words)[1])(states, words)
    text = hashlib.sha256()
    for leaf in jax.tree.leaves(played):
        text.update(np.ascontiguousarray(leaf).astype("<i8").tobytes())
    return text.hexdigest()[:16]


def test_gymnasium_knows_the_version_by_name():
    assert f"tetrax/Tetris-v{ENV_VERSION}" == ENV_ID


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in GAMES]
)
def test_games_come_to_what_the_version_says(name):
    kept = json.loads(KEPT.read_text())
    assert kept["version"] == ENV_VERSION
    assert digest(tetrax.make(**GAMES[name])) == kept["digests"][name]
