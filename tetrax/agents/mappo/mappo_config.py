"""The settings of PPO for several players, and what can work."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from tetrax.agents import checks
from tetrax.env.contract import Game, example_observation
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
        for name, between in TUNABLE_RANGES.items():
            checks.check_range(name, getattr(self, name), between)
