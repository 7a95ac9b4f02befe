"""Settings of value learning, and what of them fits together."""

from dataclasses import dataclass, field, fields
from typing import Literal, get_args, get_origin

from tetrax.agents import checks
from tetrax.env.contract import Game
from tetrax.env.game.rules import check_choice
from tetrax.networks.network_config import NetworkConfig
from tetrax.ops.replay import MAX_CAPACITY


@dataclass(frozen=True)
class DQNConfig:
    """Settings of value learning. Those marked (tunable) may change when a run is resumed."""

    form: Literal["auto", "actions", "afterstates"] = "auto"
    """What values are learned of: actions, or the boards that placements leave, chosen by reward + discounted
    value; auto is afterstates where these are observed."""
    num_envs: int = 256
    """Games played side by side."""
    num_steps: int = 16
    """Steps of each game between updates."""
    num_groups: int = 1
    """Groups of games; each batch takes as much of every group. Several devices need a multiple of their number."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    """The network that judges."""
    replay_capacity: int = 0
    """Steps kept to learn from, of all games together; 0 keeps none: each rollout is learned from by lambda returns,
    then forgotten."""
    warmup_steps: int = 0
    """Steps of random legal actions, of all games together, that the replay begins with; not counted in total_steps."""
    num_updates: int = 16
    """Updates per iteration from the replay."""
    batch_size: int = 256
    """Steps (with a recurrent network: sequences) each update from the replay is made of."""
    num_epochs: int = 2
    """Passes over each rollout, without a replay."""
    num_minibatches: int = 4
    """Parts each pass is cut into, without a replay; must divide num_envs times num_steps (of one group)."""
    n_step: int = 1
    """Rewards summed before the value that a target from the replay ends with."""
    sequence_length: int = 20
    """Steps of a sequence that are learned from, with a recurrent network."""
    burn_in: int = 10
    """Steps of a sequence before these, which only bring the memory up to date."""
    target_network: Literal["none", "periodic", "soft"] = "none"
    """Where targets come from: the network itself, a copy renewed every target_period updates, or one that follows
    it by target_rate at each."""
    double: bool = False
    """Let the network choose the action whose value the target network gives."""
    dueling: bool = False
    """Give the value of the state and the advantages of actions a head each."""
    prioritised: bool = False
    """Draw steps from the replay in proportion to a power of their last error."""
    distribution: Literal["none", "categorical", "quantile"] = "none"
    """Learn the mean of the return, its distribution over fixed values (C51), or its quantiles."""
    atoms: int = 51
    """Values or quantiles of the distribution."""
    lowest_value: float = -10.0
    """Lowest value of a categorical distribution, in units of reward."""
    highest_value: float = 10.0
    """Highest value of a categorical distribution."""
    noisy: bool = False
    """Explore by noise in the weights of the last layers."""
    value_scale: Literal["none", "rescaled", "normalised"] = "none"
    """Learn values as they are, by the square root of their size, or in units of their running mean and spread."""
    loss: Literal["huber", "squared"] = "huber"
    """How an error of a value counts; quantiles have the Huber loss of their own."""
    epsilon_schedule: Literal["linear", "exponential"] = "linear"
    """How epsilon goes from its start to its end; may change when a run is resumed."""
    temperature_schedule: Literal["linear", "exponential"] = "exponential"
    """How the temperature goes from its start to its end; may change when a run is resumed."""
    avoid_losses: bool = True
    """Do not explore placements that are seen to lose at once, where there are others."""
    epsilon_start: float = 0.1
    """Probability of a random legal action at the start (tunable)."""
    epsilon_final: float = 0.01
    """The same at the end of its schedule (tunable)."""
    epsilon_steps: float = 100_000.0
    """Environment steps, of all games together, until that end; 0 = it stays at the start (tunable)."""
    boltzmann: float = 0.0
    """Share of the other decisions that are drawn from the softmax of values over temperature (tunable)."""
    temperature_start: float = 1.0
    """Temperature at the start, in units of value (tunable)."""
    temperature_final: float = 0.1
    """The same at the end of its schedule (tunable)."""
    temperature_steps: float = 100_000.0
    """Environment steps, of all games together, until that end; 0 = it stays at the start (tunable)."""
    truly_random: float = 0.001
    """Where losses are avoided, share of the exploring decisions (random, Boltzmann) that are random among all legal
    actions, losing ones too (tunable)."""
    learning_rate: float = 1e-3
    """Adam's step size at the start (tunable)."""
    final_learning_rate_fraction: float = 0.1
    """Fraction of the learning rate left at the end of its linear schedule (tunable)."""
    discount: float = 0.99
    """Discount per step (tunable)."""
    trace_decay: float = 0.8
    """Lambda of the returns that a rollout is learned from; a trace ends at an action that is not greedy (tunable)."""
    target_period: float = 1_000.0
    """Updates between copies to a periodic target network (tunable)."""
    target_rate: float = 0.005
    """Share of the network that a soft target network takes at each update (tunable)."""
    priority_exponent: float = 0.5
    """Power of an error that makes its priority (tunable)."""
    importance_start: float = 0.4
    """Exponent of the weights that correct for priorities at the start; 1 at the end of the run (tunable)."""
    max_grad_norm: float = 10.0
    """Global norm to which gradients are clipped (tunable)."""

    def validate(self, env: Game, *, has_own_network: bool = False) -> None:
        """Raise ValueError naming the first setting that cannot work; with an own network, `network` has no effect."""
        if env.spec.on_host:
            raise ValueError(
                f"game: given {env.spec.title} with dqn, which learns from compiled games; allowed: ppo"
            )
        checks.check_network(self.network, env, has_own_network)
        for name, choices in CHOICES.items():
            check_choice(f"agent.{name}", getattr(self, name), choices)
        for name, ends in COUNTS.items():
            checks.check_count(name, getattr(self, name), *ends)
        checks.check_product(num_envs=self.num_envs, num_steps=self.num_steps)
        for name, between in TUNABLE_RANGES.items():
            checks.check_range(name, getattr(self, name), between)
        if self.num_envs % self.num_groups:
            raise checks.wrong("num_groups", self.num_groups, f"a divisor of num_envs ({self.num_envs})")
        if has_own_network:
            for name in ("dueling", "noisy"):
                if getattr(self, name):
                    raise checks.wrong(
                        name, True, "False with a network of one's own, which has heads of its own"
                    )
        self._check_form(env)
        self._check_parts()
        self._check_data()

    def learns_afterstates(self, env: Game) -> bool:
        """Return what `form` says for an environment."""
        if self.form != "auto":
            return self.form == "afterstates"
        return env.spec.shows.by_action and env.spec.shows.foretells_reward

    @property
    def is_recurrent(self) -> bool:
        """Return whether the network remembers."""
        return self.network.recurrent != "none"

    @property
    def window(self) -> int:
        """Return the steps of one sample from the replay: from the first that is seen to the last target's value."""
        learned = self.burn_in + self.sequence_length if self.is_recurrent else 1
        return learned + self.n_step

    def _check_form(self, env: Game) -> None:
        if not self.learns_afterstates(env):
            return
        if not env.spec.shows.by_action:
            raise checks.wrong("form", self.form, "actions, where no afterstates are observed")
        if not env.spec.shows.foretells_reward:
            raise checks.wrong("form", self.form, "actions, where the reward cannot be known before the step")
        if self.dueling:
            raise checks.wrong("dueling", True, "False with afterstates, which have no advantages")

    def _check_parts(self) -> None:
        """Refuse parts without what they are parts of."""
        if self.epsilon_schedule == "exponential":
            for name in ("epsilon_start", "epsilon_final"):
                if not getattr(self, name) > 0:
                    raise checks.wrong(name, getattr(self, name), "more than 0 with an exponential schedule")
        if self.double and self.target_network == "none":
            raise checks.wrong("double", True, "False without a target network")
        for name in ("lowest_value", "highest_value"):
            checks.check_range(name, getattr(self, name), (-1e6, 1e6))
        if self.distribution == "categorical" and not self.lowest_value < self.highest_value:
            raise checks.wrong(
                "highest_value", self.highest_value, f"more than lowest_value ({self.lowest_value:g})"
            )
        if self.distribution != "none":
            checks.check_count("atoms", self.atoms, lowest=2, highest=MAX_ATOMS)
            if self.value_scale != "none":
                raise checks.wrong("value_scale", self.value_scale, "none with a distribution")

    def _check_data(self) -> None:
        """Refuse what does not fit where the steps to learn from come from."""
        if not self.replay_capacity:
            for name, none in (
                ("prioritised", False),
                ("target_network", "none"),
                ("warmup_steps", 0),
                ("n_step", 1),
            ):
                if getattr(self, name) != none:
                    raise checks.wrong(
                        name, getattr(self, name), f"{none} without a replay (replay_capacity 0)"
                    )
            if self.is_recurrent:
                allowed = "none without a replay (replay_capacity 0)"
                raise checks.wrong("network.recurrent", self.network.recurrent, allowed)
            samples = self.num_envs // self.num_groups * self.num_steps
            if samples % self.num_minibatches:
                raise checks.wrong("num_minibatches", self.num_minibatches, f"a divisor of {samples} samples")
            return
        if self.value_scale == "normalised":
            raise checks.wrong("value_scale", self.value_scale, "none, rescaled with a replay")
        rollout = self.num_envs * self.num_steps
        smallest = self.num_envs * (self.window + self.num_steps)
        if smallest > MAX_CAPACITY:
            lengths = ("num_steps", "n_step", *(("burn_in", "sequence_length") if self.is_recurrent else ()))
            name = max(lengths, key=lambda each: getattr(self, each))
            allowed = f"less, so that num_envs ({self.num_envs}) windows and rollouts are {MAX_CAPACITY} steps at most"
            raise checks.wrong(name, getattr(self, name), allowed)
        if self.replay_capacity % rollout or not smallest <= self.replay_capacity <= MAX_CAPACITY:
            allowed = f"a multiple of num_envs times num_steps ({rollout}) from {smallest} to {MAX_CAPACITY}"
            raise checks.wrong("replay_capacity", self.replay_capacity, allowed)
        if self.batch_size % self.num_groups:
            raise checks.wrong("batch_size", self.batch_size, f"a multiple of num_groups ({self.num_groups})")
        least = self.num_envs * self.window
        if not least <= self.warmup_steps <= self.replay_capacity:
            allowed = f"from {least} (num_envs times the {self.window} steps of a sample) to replay_capacity"
            raise checks.wrong("warmup_steps", self.warmup_steps, allowed)


MAX_ATOMS = 65_536
COUNTS: dict[str, tuple[int, int]] = {
    **dict.fromkeys(("num_envs", "num_steps", "num_groups", "num_minibatches"), (1, checks.LARGEST)),
    **dict.fromkeys(("num_updates", "batch_size", "n_step", "sequence_length"), (1, checks.LARGEST)),
    **dict.fromkeys(("replay_capacity", "warmup_steps", "burn_in"), (0, checks.LARGEST)),
    "num_epochs": (1, checks.MAX_EPOCHS),
    "atoms": (1, MAX_ATOMS),
}

TUNABLE_RANGES: dict[str, tuple[float, float]] = {
    "epsilon_start": (0.0, 1.0),
    "epsilon_final": (0.0, 1.0),
    "epsilon_steps": (0.0, 1e12),
    "boltzmann": (0.0, 1.0),
    "temperature_start": (1e-6, 1e6),
    "temperature_final": (1e-6, 1e6),
    "temperature_steps": (0.0, 1e12),
    "truly_random": (0.0, 1.0),
    "learning_rate": (0.0, 1.0),
    "final_learning_rate_fraction": (0.0, 1.0),
    "discount": (0.0, 1.0),
    "trace_decay": (0.0, 1.0),
    "target_period": (1.0, 1e9),
    "target_rate": (0.0, 1.0),
    "priority_exponent": (0.0, 1.0),
    "importance_start": (0.0, 1.0),
    "max_grad_norm": (1e-6, 1e6),
}

CHOICES: dict[str, tuple[str, ...]] = {
    each.name: get_args(each.type) for each in fields(DQNConfig) if get_origin(each.type) is Literal
}

# They decide no shape, so a stopped run may change them.
CHANGEABLE = ("epsilon_schedule", "temperature_schedule", "avoid_losses")
