"""The settings of AlphaZero."""

from dataclasses import dataclass, field
from typing import Literal

from tetrax.agents import checks
from tetrax.env.contract import Game
from tetrax.env.game.rules import check_choice
from tetrax.networks.network_config import NetworkConfig
from tetrax.ops import replay
from tetrax.search.tree import MAX_SIMULATIONS, SearchConfig

# Setting -> its range; each is an array in the TrainState and may change when a run is resumed.
TUNABLE_RANGES: dict[str, tuple[float, float]] = {
    "learning_rate": (0.0, 1.0),
    "final_learning_rate_fraction": (0.0, 1.0),
    "discount": (0.0, 1.0),
    "trace_decay": (0.0, 1.0),
    "random_moves": (0.0, 1.0),
    "value_loss": (0.0, 1e6),
    "max_grad_norm": (1e-9, 1e9),
}
ACTING = ("acting_simulations",)  # settings that only decide how a policy acts


@dataclass(frozen=True)
class AlphaZeroConfig:
    """Settings of AlphaZero. Those marked (tunable) may change when a run is resumed."""

    form: Literal["auto", "actions", "afterstates"] = "auto"
    """What is learned: a policy and a value of positions, or values of the boards that placements leave, from which
    both follow; auto is afterstates where these are observed and rewards are known before the step."""
    temperature: float = 0.1
    """How much more a placement must be worth than another, in rewards, to be e times as probable before the search,
    where values of afterstates are learned."""
    num_envs: int = 64
    """Games played side by side; of two players both sides are played by the agent."""
    num_steps: int = 16
    """Moves of each game between updates."""
    num_groups: int = 1
    """Groups that the games are divided into; each batch takes as much of every group. Several devices need a multiple
    of their number."""
    num_simulations: int = 32
    """Positions that are looked at before each move while training."""
    acting_simulations: int = 0
    """Positions that the policy looks at before each move afterwards; 0 = none, the network alone decides."""
    search: SearchConfig = field(default_factory=SearchConfig)
    """How the tree is searched."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    """The network that judges positions."""
    normalise_values: bool = False
    """Learn values in units of their running mean and spread; not needed where a game is won or lost."""
    replay_capacity: int = 65_536
    """Positions that are kept to learn from, of all games together."""
    num_updates: int = 16
    """Updates of the network in each iteration."""
    batch_size: int = 256
    """Positions of an update."""
    learning_rate: float = 1e-3
    """Adam's step size at the start (tunable)."""
    final_learning_rate_fraction: float = 0.1
    """Fraction of the learning rate left at the end of its linear schedule (tunable)."""
    discount: float = 1.0
    """Discount per move (tunable)."""
    trace_decay: float = 0.9
    """How much values are learned from how games went on, instead of from the search: 1 = from their ends alone, or
    from the network where a game goes on after the iteration; 0 = from the search after the next move (tunable)."""
    random_moves: float = 0.0
    """Share of the moves that are random while training, so that bad positions are known too; what is learned of a
    position is never how such a move turned out (tunable)."""
    value_loss: float = 1.0
    """Weight of the value loss (tunable)."""
    max_grad_norm: float = 1.0
    """Global norm to which gradients are clipped (tunable)."""

    @property
    def num_looked_at(self) -> int:
        """Return how many actions the search looks at from the root, at most."""
        if self.search.kind == "gumbel":
            return min(self.search.considered, self.num_simulations)
        return self.num_simulations

    def validate(self, env: Game) -> None:
        """Raise ValueError naming the first setting that cannot work."""
        if env.spec.on_host:
            raise ValueError(
                f"game: given {env.spec.title}, which steps on the host; allowed: a compiled game"
            )
        self._check_form(env)
        checks.check_network(self.network, env, has_own_network=False)
        if self.network.recurrent != "none":
            raise checks.wrong("network.recurrent", repr(self.network.recurrent), "'none'")
        if not isinstance(self.search, SearchConfig):
            raise checks.wrong("search", repr(self.search), "a SearchConfig")
        self.search.validate(checks.wrong)
        for name in ("num_envs", "num_steps", "num_groups", "num_updates", "batch_size"):
            checks.check_count(name, getattr(self, name))
        checks.check_count("num_simulations", self.num_simulations, highest=MAX_SIMULATIONS)
        checks.check_count("acting_simulations", self.acting_simulations, 0, MAX_SIMULATIONS)
        checks.check_product(num_envs=self.num_envs, num_steps=self.num_steps)
        for name in ("num_envs", "batch_size"):
            if getattr(self, name) % self.num_groups:
                given = getattr(self, name)
                raise checks.wrong("num_groups", self.num_groups, f"a divisor of {name} ({given})")
        checks.check_count("replay_capacity", self.replay_capacity, highest=replay.MAX_CAPACITY)
        iteration = self.num_envs * self.num_steps
        if self.replay_capacity % iteration or self.replay_capacity < iteration:
            allowed = f"a multiple of num_envs times num_steps ({iteration})"
            raise checks.wrong("replay_capacity", self.replay_capacity, allowed)
        checks.check_range("temperature", self.temperature, (1e-6, 1e6))
        for name, between in TUNABLE_RANGES.items():
            checks.check_range(name, getattr(self, name), between)

    def learns_afterstates(self, env: Game) -> bool:
        """Return what `form` says for a game."""
        if self.form != "auto":
            return self.form == "afterstates"
        return env.spec.shows.by_action and env.spec.shows.foretells_reward

    def _check_form(self, env: Game) -> None:
        check_choice("agent.form", self.form, ("auto", "actions", "afterstates"))
        if self.form != "afterstates":
            return
        if not env.spec.shows.by_action:
            raise checks.wrong("form", repr(self.form), "auto, or actions, where no afterstates are observed")
        if not env.spec.shows.foretells_reward:
            allowed = "auto, or actions, where the reward cannot be known before the step"
            raise checks.wrong("form", repr(self.form), allowed)
