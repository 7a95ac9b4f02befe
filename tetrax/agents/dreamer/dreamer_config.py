"""Settings of Dreamer, and what of them fits together."""

from dataclasses import dataclass, field

from tetrax.agents import checks
from tetrax.env.contract import Game
from tetrax.ops.replay import MAX_CAPACITY
from tetrax.search.tree import MAX_SIMULATIONS
from tetrax.world_model.model_config import WorldModelConfig

CONTEXT = 1  # steps before a sequence, whose kept state it begins from
MAX_IMAGINED = 1_024
MAX_UNROLL = 64  # compiling takes as many times as long
MAX_MEMBERS = 64
MAX_ROLLOUTS = 4_096
PLANNED_TEMPERATURE = (1e-3, 1e6)


@dataclass(frozen=True)
class DreamerConfig:
    """Settings of Dreamer. Those marked (tunable) may change when a run is resumed."""

    model: WorldModelConfig = field(default_factory=WorldModelConfig)
    """The world model, and the actor and critic that read its states."""
    num_envs: int = 16
    """Games played side by side."""
    num_steps: int = 8
    """Steps of each game between updates. The step that begins the next game counts, though nothing is played in it."""
    num_groups: int = 1
    """Groups of games; each batch takes as much of every group. Several devices need a multiple of their number."""
    num_updates: int = 2
    """Updates per iteration; the train ratio, steps learned from per step played, is num_updates * batch_size *
    batch_length / (num_envs * num_steps). May change when a run is resumed."""
    batch_size: int = 16
    """Sequences of an update."""
    batch_length: int = 64
    """Steps of a sequence, across the ends of games."""
    replay_capacity: int = 262_144
    """Steps kept to learn from, of all games together."""
    warmup_steps: int = 2_048
    """Steps of random legal actions, of all games together, that the replay begins with; not counted in total_steps."""
    mirrored: bool = False
    """Learn from about half of the sequences as a mirror shows them, in games that have a mirror image (Tetris by
    placements straight down). May change when a run is resumed."""
    imagined_steps: int = 15
    """Steps imagined from each start."""
    imagined_starts: int = 0
    """States of a batch that are imagined from, drawn at random; 0 = every one."""
    unroll: int = 1
    """Steps that the loops over sequences and over what is imagined take at once; changes nothing but speed."""
    ensemble: int = 0
    """Predictors whose disagreement is added to rewards, so that play goes where the model can still learn (2 or more);
    0 = none."""
    exploration: float = 0.1
    """Weight of that disagreement, which is from 0 to 1, in units of reward (tunable)."""
    real_play: bool = False
    """Let the actor learn from what was really played as well."""
    real_play_loss: float = 1.0
    """Weight of that loss (tunable)."""
    imagination_after: float = 0.0
    """With `real_play`: updates after which actor and critic learn from what is imagined, too (tunable)."""
    planned_rollouts: int = 0
    """Games imagined from each candidate before an action is chosen; actions that come to more become more probable.
    0 = act by the actor alone. All that is planned may change when a run is resumed or evaluated."""
    planned_simulations: int = 0
    """Positions that a tree search in the world model looks at before an action is chosen, `planned_rollouts` trees (at
    least one) side by side, each with other chances; it takes the place of games imagined one by one. 0 = no tree."""
    planned_steps: int = 3
    """Steps of a game that is imagined to plan; the critic says what its end is worth. Longer games differ more by
    chance, so that more of them are needed."""
    planned_candidates: int = 16
    """Legal actions that are tried, the most probable by the actor; 0 = every one."""
    planned_temperature: float = 0.5
    """How much better an action, in units of return, becomes e times as probable; where this is low the best on average
    is taken, whatever the actor thinks of it."""
    discount: float = 0.997
    """Discount per step, 1 - 1/333 as published (tunable)."""
    return_lambda: float = 0.95
    """Decay of the mixture of returns (tunable)."""
    entropy: float = 3e-4
    """Weight of the actor's entropy, in nats, against advantages in units of the returns' range (tunable)."""
    dynamics_loss: float = 1.0
    """Weight of what moves the foretold latents towards the seen ones (tunable)."""
    representation_loss: float = 0.1
    """Weight of what moves the seen latents towards the foretold ones (tunable)."""
    free_nats: float = 1.0
    """Nats below which these two count as equal (tunable)."""
    replay_value_loss: float = 0.3
    """Weight of the critic's loss on what was really gained (tunable)."""
    slow_rate: float = 0.02
    """Share of the critic that its slow copy takes at each update (tunable)."""
    learning_rate: float = 4e-5
    """Step size of the one optimiser of model, actor and critic (tunable)."""
    model_rate: float = 1.0
    """Step size of the model, in step sizes of actor and critic (tunable)."""
    learning_rate_warmup: float = 1_000.0
    """Updates over which the step size rises from 0 (tunable)."""
    clip: float = 0.3
    """Largest gradient of a tensor, in norms of its weights (tunable)."""

    def validate(self, env: Game) -> None:
        """Raise ValueError naming the first setting that cannot work."""
        if env.spec.on_host:
            raise ValueError(
                f"game: given {env.spec.title} with dreamer, which learns from compiled games; allowed: ppo"
            )
        if not isinstance(self.model, WorldModelConfig):
            raise checks.wrong("model", repr(self.model), "a WorldModelConfig")
        self.model.validate(env)
        for name, ends in COUNTS.items():
            checks.check_count(name, getattr(self, name), *ends)
        checks.check_product(num_envs=self.num_envs, num_steps=self.num_steps)
        checks.check_product(batch_size=self.batch_size, batch_length=self.batch_length)
        for name, between in TUNABLE_RANGES.items():
            checks.check_range(name, getattr(self, name), between)
        for name, whole in (("num_envs", self.num_envs), ("batch_size", self.batch_size)):
            if whole % self.num_groups:
                raise checks.wrong(name, whole, f"a multiple of num_groups ({self.num_groups})")
        checks.check_range("planned_temperature", self.planned_temperature, PLANNED_TEMPERATURE)
        if not isinstance(self.mirrored, bool):
            raise checks.wrong("mirrored", repr(self.mirrored), "True or False")
        if self.mirrored and env.spec.why_no_mirror:
            raise checks.wrong("mirrored", True, f"False in {env.spec.title}: {env.spec.why_no_mirror}")
        self._check_data()
        for name, part in self._off().items():
            default = type(self).__dataclass_fields__[name].default
            if getattr(self, name) != default:
                raise checks.wrong(
                    name, getattr(self, name), f"{default} without {part}, or with {part} other values"
                )
        if self.ensemble == 1:
            raise checks.wrong(
                "ensemble", 1, f"0, or 2 to {MAX_MEMBERS}: one alone has nothing to disagree with"
            )

    @property
    def tunables(self) -> tuple[str, ...]:
        """Return the tunables that mean something: those of parts that are off are not kept."""
        return tuple(name for name in TUNABLE_RANGES if name not in self._off())

    def _off(self) -> dict[str, str]:
        """Return the tunables of parts that are off, each with the setting that would turn it on."""
        off = {} if self.ensemble else {"exploration": "ensemble"}
        if not self.real_play:
            off |= dict.fromkeys(("real_play_loss", "imagination_after"), "real_play")
        return off

    @property
    def window(self) -> int:
        """Return the steps of one sample of the replay."""
        return CONTEXT + self.batch_length

    def _check_data(self) -> None:
        steps = self.batch_size * self.batch_length
        if self.imagined_starts > steps:
            raise checks.wrong("imagined_starts", self.imagined_starts, f"0 to the {steps} states of a batch")
        if self.imagined_starts % self.num_groups:
            raise checks.wrong(
                "imagined_starts", self.imagined_starts, f"a multiple of num_groups ({self.num_groups})"
            )
        rollout, smallest = self.num_envs * self.num_steps, self.num_envs * (self.window + self.num_steps)
        if self.replay_capacity % rollout or not smallest <= self.replay_capacity <= MAX_CAPACITY:
            allowed = f"a multiple of num_envs times num_steps ({rollout}) from {smallest} to {MAX_CAPACITY}"
            raise checks.wrong("replay_capacity", self.replay_capacity, allowed)
        least = self.num_envs * self.window
        if not least <= self.warmup_steps <= self.replay_capacity:
            allowed = f"from {least} (num_envs times the {self.window} steps of a sample) to replay_capacity"
            raise checks.wrong("warmup_steps", self.warmup_steps, allowed)


COUNTS: dict[str, tuple[int, int]] = {
    **dict.fromkeys(("num_envs", "num_steps", "num_groups", "batch_size"), (1, checks.LARGEST)),
    "num_updates": (1, checks.MAX_EPOCHS),
    "batch_length": (2, checks.LARGEST),
    **dict.fromkeys(("replay_capacity", "warmup_steps"), (1, checks.LARGEST)),
    "imagined_steps": (1, MAX_IMAGINED),
    "imagined_starts": (0, checks.LARGEST),
    "unroll": (1, MAX_UNROLL),
    "ensemble": (0, MAX_MEMBERS),
    "planned_rollouts": (0, MAX_ROLLOUTS),
    "planned_simulations": (0, MAX_SIMULATIONS),
    "planned_steps": (1, MAX_IMAGINED),
    "planned_candidates": (0, checks.LARGEST),
}

TUNABLE_RANGES: dict[str, tuple[float, float]] = {
    "exploration": (0.0, 1e6),
    "real_play_loss": (0.0, 100.0),
    "imagination_after": (0.0, 1e9),
    "discount": (0.0, 1.0),
    "return_lambda": (0.0, 1.0),
    "entropy": (0.0, 10.0),
    "dynamics_loss": (0.0, 100.0),
    "representation_loss": (0.0, 100.0),
    "free_nats": (0.0, 100.0),
    "replay_value_loss": (0.0, 100.0),
    "slow_rate": (0.0, 1.0),
    "learning_rate": (0.0, 1.0),
    "model_rate": (0.0, 1e3),
    "learning_rate_warmup": (0.0, 1e9),
    "clip": (1e-6, 1e6),
}

# They decide no shape of a TrainState, so a stopped run may change them.
# Those that decide how a policy acts may be given with one that is evaluated, too.
ACTING = (
    "planned_rollouts",
    "planned_simulations",
    "planned_steps",
    "planned_candidates",
    "planned_temperature",
)
CHANGEABLE = ("num_updates", "mirrored", "imagined_steps", "imagined_starts", "unroll", *ACTING)
