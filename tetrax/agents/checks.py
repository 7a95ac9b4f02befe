"""Checks of an algorithm's settings, and their one wording: the setting, what was given, what is allowed."""

from tetrax.env.contract import Game, HostGame
from tetrax.networks.network_config import NetworkConfig


def wrong(name: str, given: object, allowed: str) -> ValueError:
    """Build the error for a setting that cannot work."""
    return ValueError(f"agent.{name}: given {given}; allowed: {allowed}")


def check_network(config: NetworkConfig, env: Game | HostGame, has_own_network: bool) -> None:
    """Refuse settings of a network that cannot work; of those only the memory counts beside a network of one's own."""
    if not has_own_network:
        config.validate(env)
    elif config.recurrent != "none":
        raise wrong(
            "network.recurrent",
            repr(config.recurrent),
            "'none' with a network of one's own, which has no memory",
        )


def check_count(name: str, given: int) -> None:
    """Refuse a number of things below 1."""
    if given < 1:
        raise wrong(name, given, "1 or more")


def check_range(name: str, given: float, between: tuple[float, float]) -> None:
    """Refuse what lies outside of a range, and what is no number."""
    low, high = between
    if not low <= given <= high:
        raise wrong(name, given, f"from {low:g} to {high:g}")
