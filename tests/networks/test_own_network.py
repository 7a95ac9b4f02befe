"""A network of one's own is refused in one line where it does not fit, and named so that a file can tell it."""

import functools

import flax.linen as nn
import jax.numpy as jnp
import pytest

from tests.agents.chain import Chain
from tests.agents.piles import Piles
from tetrax.networks import own_network
from tetrax.networks.actor_critic import check_own
from tetrax.networks.q_network import own_q_network


class Given(nn.Module):
    """Give arrays of fixed sizes after the games, as many as there are."""

    sizes: tuple = ((2,), ())
    dtype: object = jnp.float32
    activation: object = nn.relu

    @nn.compact
    def __call__(self, observation):
        games = observation.legal.shape[0]
        scale = self.param("scale", nn.initializers.ones, ())
        given = tuple((scale * jnp.zeros((games, *size))).astype(self.dtype) for size in self.sizes)
        return given if len(given) > 1 else given[0]


class ByAction(nn.Module):
    """Judge each action by what it leaves, or all that there are by all."""

    num_outputs: int = 1
    num_actions: int = 0

    @nn.compact
    def __call__(self, observation):
        if self.num_actions:
            return nn.Dense(self.num_actions)(observation.afterstates.features.sum(-1))
        judged = nn.Dense(self.num_outputs)(observation.afterstates.features)
        return judged[..., 0] if self.num_outputs == 1 else judged


class Counting(nn.Module):
    @nn.compact
    def __call__(self, observation):
        seen = self.variable("counts", "seen", lambda: jnp.int32(0))
        del seen
        return Given(name="given")(observation)


class Whole(nn.Module):
    @nn.compact
    def __call__(self, observation):
        self.param("size", lambda key: jnp.int32(3))
        return Given(name="given")(observation)


class Blind(nn.Module):
    @nn.compact
    def __call__(self, observation):
        return nn.Dense(2)(observation.planes.astype(jnp.float32)), observation.flat[:, 0]


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (Given, r"network: given the class Given; allowed: a flax.linen module: Given\(…\)"),
        (3, r"network: given 3 \(int\); allowed: a flax.linen module"),
        (lambda seen: seen, r"network: given <function .* \(function\); allowed: a flax.linen module"),
        (Given([2]), r"given Given\(sizes=\[2\], .*\), which has a field that cannot be hashed"),
        (
            Given(((3,), ())),
            r"Given\(sizes=\(\(3,\), \(\)\), .*\), which returns \(float32\[11, 3\], float32\[11\]\) for B = 11 "
            r"games of chain; allowed: \(float32\[11, 2\], float32\[11\]\): "
            r"logits \[B, 2\], one for each action, and values \[B\]",
        ),
        (Given(((2,), (1,))), r"returns \(float32\[11, 2\], float32\[11, 1\]\)"),
        (Given(((2,),)), r"returns float32\[11, 2\] for B = 11"),
        (Given(dtype=jnp.bfloat16), r"returns \(bfloat16\[11, 2\], bfloat16\[11\]\)"),
        (Counting(), r"Counting\(\), which keeps counts beside its parameters; allowed: parameters alone"),
        (Whole(), r"Whole\(\), which has params/size as int32; allowed: parameters that are float32"),
    ],
    ids=[
        "class",
        "number",
        "function",
        "unhashable",
        "actions",
        "value",
        "one",
        "bfloat16",
        "counts",
        "whole",
    ],
)
def test_what_does_not_fit_is_named(network, said):
    with pytest.raises(ValueError, match=said):
        check_own(network, Chain())


def test_a_fitting_network_is_given_back():
    network = Given()
    assert check_own(network, Chain()) is network


def test_what_the_network_raises_tells_what_it_saw():
    with pytest.raises(AttributeError) as error:
        check_own(Blind(), Chain())
    assert any(
        "Blind() was called with what 11 games of chain show" in note
        and "flat float32[11, 5]" in note
        and "planes" not in note
        for note in error.value.__notes__
    )


def test_judges_of_values_are_asked_for_every_action():
    own_q_network(Given(((2,),)), Chain(), num_outputs=1, by_afterstate=False)
    own_q_network(Given(((2, 7),)), Chain(), num_outputs=7, by_afterstate=False)
    for sizes, num_outputs in ((((3,),), 1), (((2, 1),), 1), (((2,),), 7), (((2, 6),), 7)):
        with pytest.raises(ValueError, match=r"of 2 actions each$"):
            own_q_network(Given(sizes), Chain(), num_outputs=num_outputs, by_afterstate=False)


def test_judges_of_afterstates_are_asked_for_one_alone_too():
    own_q_network(ByAction(), Piles(), num_outputs=1, by_afterstate=True)
    own_q_network(ByAction(7), Piles(), num_outputs=7, by_afterstate=True)
    wide = ByAction(num_actions=3)
    own_q_network(wide, Piles(), num_outputs=1, by_afterstate=False)
    with pytest.raises(ValueError, match=r"returns float32\[11, 3\] .*; allowed: float32\[11, 1\]"):
        own_q_network(wide, Piles(), num_outputs=1, by_afterstate=True)


class Parts(nn.Module):
    inner: nn.Module
    settings: object

    def __call__(self, observation):
        return self.inner(observation)


def test_a_network_is_described_as_the_call_that_makes_it():
    assert own_network.describe(Given()) == "Given(sizes=((2,), ()), dtype=float32, activation=relu)"
    inner = Given(activation=functools.partial(nn.leaky_relu, negative_slope=0.1))
    said = own_network.describe(Parts(inner, {"a": (1, "x")}))
    assert said == (
        "Parts(inner=Given(sizes=((2,), ()), dtype=float32, activation=leaky_relu(negative_slope=0.1)), "
        "settings={'a': (1, 'x')})"
    )


def test_descriptions_hold_no_addresses():
    one, other = (own_network.describe(Parts(Given(), object())) for _ in range(2))
    assert one == other and " at 0x" not in one
