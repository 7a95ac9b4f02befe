"""What an agent is: a record of pure functions, and the records that go in and out of them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array

from tetrax.env import batch
from tetrax.env.contract import Observation
from tetrax.env.contract import Sight as Sight
from tetrax.networks.attention import AttentionWeights
from tetrax.world_model.dreams import Comparison, Dream, Plan

TrainState = Any  # a pytree with a dict of float32[] in `.tunables`
Policy = Any  # a pytree: parameters and frozen normalisers, all that acting needs
Memory = Any  # a pytree, [B, ...]; () for agents that remember nothing


Act = Callable[..., tuple[Array, Memory, dict[str, Array]]]
"""act(policy, sight: Sight of B games, memory, key, greedy: bool)
-> (action: int32[B], memory, diagnostics: float32[B] by name).

Those that weigh every action also tell, float32[B, A], PROBABILITIES or WORTHS of theirs; those that plan placements
`search.lines.LINES`."""
PROBABILITIES = (
    "probabilities"  # with which actions are drawn where the choice is not greedy, 0 where illegal
)
WORTHS = "worths"  # what each action is held to be worth, in the agent's own units; of illegal ones anything


def keep_memory(memory: Memory, action: Array) -> Memory:
    """Return what is remembered by agents that do not remember what they did."""
    del action
    return memory


def nothing_so_far(state: TrainState) -> dict[str, Array]:
    """Tell nothing of games that are not over."""
    del state
    return {}


class Metrics(struct.PyTreeNode):
    """What an iteration tells, float32[] by name."""

    totals: dict[str, Array]  # added up over iterations: "games" that ended, what they came to by measure
    means: dict[str, Array]  # averaged over iterations

    def reduce(self) -> "Metrics":
        """Add up the totals of several iterations [N], and average their means."""
        return Metrics(totals=jax.tree.map(jnp.sum, self.totals), means=jax.tree.map(jnp.mean, self.means))


class Rollout(struct.PyTreeNode):
    """What was played in T steps of B games, and what the policy made of it then: [T, B, ...]."""

    observation: Observation
    action: Array  # int32
    log_prob: Array  # float32, of the action
    value: Array  # float32, of what was seen
    next_value: (
        Array  # float32, of what was seen next; where a game was truncated, of its true last observation
    )
    reward: Array  # float32
    terminated: Array  # bool
    truncated: Array  # bool
    is_first: Array | None  # bool, whether a game began; None where nothing is remembered
    memory: Memory  # before the first step, [B, ...]


class Actor(NamedTuple):
    """A policy that only plays, such as a baseline."""

    policy: Policy
    initial_memory: Callable[[tuple[int, ...]], Memory]
    act: Act


class Agent(NamedTuple):
    """A learner; its functions are pure, can be compiled, and mapped over keys or states.

    `init(key, env_params=None, horizon=0)` makes a TrainState: `env_params` are the environment's numbers (default:
    its own), `horizon` the iterations of the whole run, over which schedules go (0 keeps them where they start).
    """

    name: str
    steps_per_iteration: int  # environment steps of one `train`, of all games together
    init: Callable[..., TrainState]
    train: Callable[[TrainState], tuple[TrainState, Metrics]]
    policy: Callable[[TrainState], Policy]
    initial_memory: Callable[[tuple[int, ...]], Memory]
    act: Act
    games: Callable[
        [TrainState], Any
    ]  # states of the games being played, on the last axis; None: there are none
    # What these have come to so far, by measure of the game: means over them, float32[].
    so_far: Callable[[TrainState], dict[str, Array]] = nothing_so_far
    num_groups: int = 1  # groups of games that minibatches are drawn within; devices may share the groups out
    replay_bytes: int = 0  # of one seed's replay, on all devices together
    partition: Callable[[TrainState], Any] = batch.everywhere  # (state or shapes) -> a PartitionSpec per leaf
    # Learns from games played elsewhere; None where playing and learning cannot be parted.
    learn: Callable[[TrainState, Rollout], tuple[TrainState, Metrics]] | None = None
    num_envs: int = 0  # games of a rollout that `learn` takes
    num_steps: int = 0  # steps of that rollout
    max_iterations: int = 2**31 - 1  # that the counters of its TrainState can count
    # Whether values are learned from the temporal-difference errors of steps: by the tunable "discount", and the
    # "value" or the WORTHS of the action that `act` tells of one decision and of the next.
    learns_by_td: bool = False
    why_only_plays: str = ""  # in one line, where its settings let it play and not learn
    # Finds the bytes that an iteration of one seed holds beside the TrainState, about; nothing is computed.
    find_working_bytes: Callable[[], int] = lambda: 0
    # Tells what of the boards seen, [B, ...], attends to what. None where there is no attention over one board.
    attend: Callable[[Policy, Observation], AttentionWeights] | None = None
    # What is remembered where somebody else chose the action after `act`, int32[B]: (memory, action) -> memory.
    acted: Callable[[Memory, Array], Memory] = keep_memory
    # Lets a state before training know what another policy does: (state, policy) -> state. None where it cannot.
    take_over: Callable[[TrainState, Policy], TrainState] | None = None
    # Plays games, foresees them and compares, compiled: what a world model knows. None where there is none.
    dream: Callable[[Policy, Array, Plan], tuple[Dream, Comparison]] | None = None


def no_memory(batch_shape: tuple[int, ...]) -> Memory:
    """Return the memory of an agent that remembers nothing."""
    del batch_shape
    return ()
