"""Checks of an algorithm's settings, and their one wording: the setting, what was given, what is allowed."""

from tetrax.env.contract import Game, HostGame, check_game
from tetrax.env.game.vector import check_kind, describe
from tetrax.networks.network_config import NetworkConfig

LARGEST = 2**31 - 1  # what is counted or numbered on a device is int32
MAX_EPOCHS = 10_000  # passes over a rollout: each keeps its losses until the iteration ends


def check_kinds(
    config: object, kind: type, env: Game | HostGame, most_players: int = 1, together: bool = False
) -> None:
    """Raise a TypeError for settings of another algorithm or of none, and for what is no game.

    ValueError for a game of more players than the algorithm plays, or whose players act together where it does not
    play such (`together`).
    """
    check_kind("config", config, kind)
    check_game(env)
    if env.spec.acts_together and not together:
        raise ValueError(
            f"game: given {env.spec.title}, whose players act together; allowed: a game of one player, or algorithm "
            "mappo"
        )
    if env.spec.num_players > most_players:
        raise ValueError(
            f"game: given {env.spec.title}, a game of {env.spec.num_players} players; allowed: a game of one player, "
            "such as this one with --env.opponent random, or algorithm alphazero"
        )


def wrong(name: str, given: object, allowed: str) -> ValueError:
    """Build the error for a setting that cannot work."""
    return ValueError(f"agent.{name}: given {given}; allowed: {allowed}")


def check_network(config: NetworkConfig, env: Game | HostGame, has_own_network: bool) -> None:
    """Refuse settings of a network that cannot work; of those only the memory counts beside a network of one's own."""
    if not isinstance(config, NetworkConfig):
        raise wrong("network", describe(config), "a NetworkConfig")
    if not has_own_network:
        config.validate(env)
    elif config.recurrent != "none":
        raise wrong(
            "network.recurrent",
            repr(config.recurrent),
            "'none' with a network of one's own, which has no memory",
        )


def check_count(name: str, given: object, lowest: int = 1, highest: int = LARGEST) -> None:
    """Refuse what is no whole number from `lowest` to `highest`."""
    if isinstance(given, bool) or not isinstance(given, int) or not lowest <= given <= highest:
        raise wrong(name, given, f"{lowest} or more, up to {highest}")


def check_range(name: str, given: object, between: tuple[float, float]) -> None:
    """Refuse what lies outside of a range, and what is no number."""
    low, high = between
    if isinstance(given, bool) or not isinstance(given, int | float) or not low <= given <= high:
        raise wrong(name, given, f"from {low:g} to {high:g}")


def check_product(**counts: int) -> None:
    """Refuse counts whose product, the steps of an iteration, is more than can be numbered."""
    product = 1
    for count in counts.values():
        product *= count
    if product > LARGEST:
        name = max(counts, key=lambda each: counts[each])
        others = ", ".join(f"{each} {count}" for each, count in counts.items() if each != name)
        most = LARGEST // (product // counts[name])
        raise wrong(name, counts[name], f"up to {most} with {others} ({LARGEST} steps in all)")
