"""Settings of other people's games: which one, and how long an episode may be."""

from dataclasses import dataclass


@dataclass(frozen=True)
class GymnaxConfig:
    """A gymnax environment."""

    id: str = "CartPole-v1"
    """Its registered name."""
    max_steps: int = 0
    """Steps after which an episode is truncated (0 = the environment's own limit)."""

    def __post_init__(self) -> None:
        _check_steps(self.max_steps)


@dataclass(frozen=True)
class GymnasiumConfig:
    """A gymnasium environment, which steps on the host."""

    id: str = "CartPole-v1"
    """Its registered name."""
    max_steps: int = 0
    """Steps after which an episode is truncated (0 = the environment's own limit)."""

    def __post_init__(self) -> None:
        _check_steps(self.max_steps)


def _check_steps(max_steps: int) -> None:
    if isinstance(max_steps, bool) or not 0 <= max_steps < 2**31:
        raise ValueError(f"env.max_steps: given {max_steps}; allowed: 0 or more, below {2**31}")
