"""The settings of PPO for several players, and what can work."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from tetrax.agents import checks
from tetrax.env.contract import WINS, Game, example_observation
from tetrax.env.game.rules import check_choice
from tetrax.networks.network_config import NetworkConfig

Parameters = Literal["shared", "separate"]
Value = Literal["own", "central"]

TUNABLE_RANGES: dict[str, tuple[float, float]] = {
    "learning_rate": (0.0, 1.0),
    "final_learning_rate_fraction": (0.0, 1.0),
    "discount": (0.0, 1.0),
    "gae_lambda": (0.0, 1.0),
    "clip": (0.0, 10.0),
    "entropy": (0.0, 10.0),
    "value_loss": (0.0, 100.0),
    "max_grad_norm": (1e-6, 1e6),
}


@dataclass(frozen=True)
class LeagueConfig:
    """Past selves that are played against."""

    size: int = 0
    """Snapshots of the learner that are kept, the one that it begins with among them; 0 = it plays itself alone."""
    share: float = 0.25
    """Share of the games in which snapshots have all seats but one."""
    every: int = 20
    """Iterations between snapshots; tables are set anew then, too."""
    tables: int = 4
    """Snapshots that are played against at a time."""

    def games_of(self, games: int) -> int:
        """Return how many of the games of a group are against snapshots: the last ones of it."""
        return round(self.share * games) if self.size else 0


@dataclass(frozen=True)
class MAPPOConfig:
    """Settings of PPO for several players. Those marked (tunable) may change when a run is resumed."""

    parameters: Parameters = "shared"
    """shared: one policy and value for all players; separate: one each, which learn from their own steps alone."""
    value: Value = "central"
    """What values are read from: own, what the player itself sees (IPPO); central, what all players see (MAPPO)."""
    num_envs: int = 256
    """Games played side by side."""
    num_steps: int = 32
    """Steps of each game between updates."""
    num_epochs: int = 2
    """Passes over each rollout."""
    num_minibatches: int = 4
    """Parts each pass is cut into, each with the steps of all players; must divide num_envs times num_steps (of one
    group)."""
    num_groups: int = 1
    """Groups that the games are divided into; each minibatch takes as much of every group. Several devices need a
    multiple of their number; results depend on the groups, not on the devices."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    """The network that judges what is seen."""
    league: LeagueConfig = field(default_factory=LeagueConfig)
    """Past selves to play against, in games that somebody wins."""
    normalise_values: bool = True
    """Learn values in units of their running mean and spread."""
    learning_rate: float = 1e-3
    """Adam's step size at the start (tunable)."""
    final_learning_rate_fraction: float = 0.1
    """Fraction of the learning rate left at the end of its linear schedule (tunable)."""
    discount: float = 0.99
    """Discount per step (tunable)."""
    gae_lambda: float = 0.95
    """Decay of the advantage estimate's trace (tunable)."""
    clip: float = 0.2
    """How far the probability ratio may leave 1 (tunable)."""
    entropy: float = 0.01
    """Weight of the entropy bonus, in nats (tunable)."""
    value_loss: float = 0.5
    """Weight of the value loss (tunable)."""
    max_grad_norm: float = 0.5
    """Global norm to which the gradient of each set of parameters is clipped (tunable)."""

    def validate(self, env: Game) -> None:
        """Raise ValueError naming the first setting that cannot work."""
        if not env.spec.acts_together:
            allowed = "a game whose players act together, such as gridworld; others are learned by ppo"
            raise ValueError(f"game: given {env.spec.title}; allowed: {allowed}")
        check_choice("agent.parameters", self.parameters, get_args(Parameters))
        check_choice("agent.value", self.value, get_args(Value))
        checks.check_network(self.network, env, has_own_network=False)
        if self.network.recurrent != "none":
            raise checks.wrong("network.recurrent", repr(self.network.recurrent), "'none'")
        if self.parameters == "separate" and example_observation(env).player is None:
            allowed = "shared in a game that does not tell players who they are"
            raise checks.wrong("parameters", "'separate'", allowed)
        for name in ("num_envs", "num_steps", "num_minibatches", "num_groups"):
            checks.check_count(name, getattr(self, name))
        checks.check_count("num_epochs", self.num_epochs, highest=checks.MAX_EPOCHS)
        checks.check_product(
            num_envs=self.num_envs, num_steps=self.num_steps, num_players=env.spec.num_players
        )
        if self.num_envs % self.num_groups:
            raise checks.wrong("num_groups", self.num_groups, f"a divisor of num_envs ({self.num_envs})")
        group = self.num_envs // self.num_groups
        if (group * self.num_steps) % self.num_minibatches:
            allowed = f"a divisor of num_envs / num_groups times num_steps ({group} x {self.num_steps})"
            raise checks.wrong("num_minibatches", self.num_minibatches, allowed)
        self._check_league(env)
        for name, between in TUNABLE_RANGES.items():
            checks.check_range(name, getattr(self, name), between)

    def _check_league(self, env: Game) -> None:
        """Refuse a league that cannot be."""
        league = self.league
        if not isinstance(league, LeagueConfig):
            raise checks.wrong("league", repr(league), "a LeagueConfig")
        checks.check_count("league.size", league.size, lowest=0)
        for name in ("every", "tables"):
            checks.check_count(f"league.{name}", getattr(league, name))
        checks.check_range("league.share", league.share, (0.0, 1.0))
        if not league.size:
            return
        if WINS not in env.spec.measures:
            raise checks.wrong("league.size", league.size, f"0 in {env.spec.title}, which nobody wins")
        if self.parameters != "shared":
            raise checks.wrong("league.size", league.size, "0 with separate parameters")
        against = self.num_groups * league.games_of(self.num_envs // self.num_groups)
        if not against:
            allowed = f"more, so that some of the {self.num_envs} games are against snapshots"
            raise checks.wrong("league.share", league.share, allowed)
        if against % league.tables:
            allowed = f"a divisor of the games against snapshots, of which there are {against} (league.share)"
            raise checks.wrong("league.tables", league.tables, allowed)
