"""Actions of the keyboard: which keys an index presses, what may be declared, and what is legal."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tetrax
from tetrax.env import actions
from tetrax.env.actions import Chords, Direct
from tetrax.env.game import engine
from tetrax.env.game.rules import Rules, default_params

KEYS = ("left", "right", "rotate_cw", "rotate_ccw", "soft_drop", "hard_drop", "hold")


def pressed(action_set, monkeypatch) -> list[set[str]]:
    """Return the keys that reach the engine, for every action."""
    monkeypatch.setattr(engine, "tick", lambda rules, params, state, inputs: (state, inputs))
    every = jnp.arange(len(action_set.names), dtype=jnp.int32)
    _, inputs = jax.vmap(action_set.apply, in_axes=(None, None, 0))(None, jnp.int32(0), every)
    held = {name: np.broadcast_to(getattr(inputs, name), every.shape) for name in inputs.__dataclass_fields__}
    return [{name for name, down in held.items() if down[index]} for index in range(len(every))]


@pytest.mark.parametrize("kicks", ["srs", "srs180"])
def test_direct_presses_the_key_of_its_name(kicks, monkeypatch):
    play = Direct(Rules(kicks=kicks))
    assert play.names == ("noop", *KEYS, *(("rotate_180",) if kicks == "srs180" else ()))
    assert pressed(play, monkeypatch) == [{name} - {"noop"} for name in play.names]


@pytest.mark.parametrize(("kicks", "num_keys"), [("srs", 7), ("srs180", 8)])
def test_chords_are_all_subsets_of_the_keys_unless_declared(kicks, num_keys, monkeypatch):
    play = Chords(Rules(kicks=kicks))
    keys = (*KEYS, "rotate_180")[:num_keys]
    assert len(play.names) == 2**num_keys
    expected = [{key for bit, key in enumerate(keys) if index >> bit & 1} for index in range(2**num_keys)]
    assert pressed(play, monkeypatch) == expected
    assert play.names[:6] == ("noop", "left", "right", "left+right", "rotate_cw", "left+rotate_cw")


def test_declared_chords_are_the_actions_in_their_order(monkeypatch):
    chords = (("rotate_cw", "left"), ("noop",), ("soft_drop", "right", "rotate_180"), ("hard_drop",))
    env = tetrax.make(actions="chords", chords=chords, kicks="srs+")
    assert env.action_names == ("rotate_cw+left", "noop", "soft_drop+right+rotate_180", "hard_drop")
    assert pressed(env.action_set, monkeypatch) == [set(chord) - {"noop"} for chord in chords]


def test_a_chord_is_played_in_one_tick():
    rules = Rules(kicks="srs180", width=6, height=6, buffer=6)
    chords = (("left", "rotate_cw"), ("left", "right"), ("right", "rotate_180", "hard_drop"))
    play = Chords(rules, chords)
    tick = jax.jit(play.apply, compiler_options={"xla_backend_optimization_level": 0})
    start, params = tetrax.state_from_ascii(rules, "......", piece="T"), default_params(rules)
    turned, _ = tick(params, start, jnp.int32(0))
    assert (int(turned.orientation), int(turned.x)) == (1, int(start.x) - 1)
    still, _ = tick(params, start, jnp.int32(1))
    assert (int(still.orientation), int(still.x)) == (0, int(start.x))
    dropped, event = tick(params, start, jnp.int32(2))
    assert bool(event.locked)
    assert [int(row) for row in dropped.rows[:2]] == [0b001000, 0b011100]  # pointing down, one to the right


@pytest.mark.parametrize(
    "action_set", [Direct(Rules()), Chords(Rules()), Chords(Rules(), (("left",), ("hold",)))]
)
def test_every_key_is_legal_while_the_game_runs(action_set):
    state = tetrax.state_from_ascii(Rules(), "..........")
    for over in (False, True):
        legal = action_set.legal(state.replace(game_over=jnp.bool_(over)), None)
        assert legal.shape == (len(action_set.names),)
        assert (np.asarray(legal) == (not over)).all()


@pytest.mark.parametrize(
    ("chords", "message"),
    [
        ("left", r"env.chords: given 'left'; allowed: a tuple or list of chords"),
        ({"left"}, r"env.chords: given \{'left'\}; allowed: a tuple"),
        (("left",), r"env.chords\[0\]: given 'left'; allowed: a tuple or list of key names"),
        ((("left",), ()), r"env.chords\[1\]: given \(\); allowed: .*\('noop',\) for no key"),
        ((("lefft",),), r"env.chords\[0\]: given 'lefft'; .* did you mean 'left'"),
        ((("rotate_180",),), r"env.chords\[0\]: given 'rotate_180'; allowed: noop, .*hold"),
        ((("left", "left"),), r"env.chords\[0\]: given \('left', 'left'\); allowed: each key once"),
        ((("noop", "left"),), r"env.chords\[0\]: .*; allowed: 'noop' by itself"),
        (
            (("left", "hold"), ("noop",), ("hold", "left")),
            r"env.chords\[2\]: .*, the same keys as env.chords\[0\]; allowed: each chord once",
        ),
    ],
)
def test_chords_that_cannot_be_are_refused_by_name(chords, message):
    with pytest.raises(ValueError, match=message):
        tetrax.make(actions="chords", chords=chords)


def test_fields_of_another_action_set_are_refused():
    with pytest.raises(ValueError, match=r"env.chords: given 1 chords with actions 'drop'; allowed: none"):
        tetrax.make(actions="drop", chords=(("left",),))
    with pytest.raises(
        ValueError, match=r"env.orientation: given 'first' with actions 'direct'; allowed: chosen"
    ):
        tetrax.make(orientation="first")
    with pytest.raises(ValueError, match=r"env.orientation: given 'last'; allowed: chosen, first"):
        tetrax.make(actions="locked_position", orientation="last")


def test_a_configuration_with_chords_is_hashable_and_survives_json():
    from tetrax.fields.as_json import from_json, to_json

    config = tetrax.make(actions="chords", chords=(("left", "rotate_cw"), ("noop",))).config
    assert from_json(type(config), to_json(config)) == config
    assert hash(config) == hash(dataclasses.replace(config))
    assert config.actions in actions.KEY_ACTIONS
