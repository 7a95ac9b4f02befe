"""Which network an agent sees with: one record, the same for every agent."""

from dataclasses import dataclass
from typing import Literal, get_args

from tetrax.env.contract import Game, HostGame, Shown
from tetrax.env.game.pieces import as_tuple
from tetrax.env.game.rules import check_choice

Encoder = Literal["auto", "mlp", "cnn", "resnet", "attention"]
Activation = Literal["relu", "tanh", "silu"]
ComputeDtype = Literal["float32", "bfloat16"]
Recurrent = Literal["none", "lstm", "gru"]
Over = Literal["cells", "rows"]

MAX_UNITS = 65_536  # of one layer
MAX_LAYERS = 64  # of one kind: each is compiled by itself
MAX_SHOWN = 8  # sizes that an error's line lists

OF_BOARDS = ("cnn", "resnet", "mlp", "attention")
# Observation -> the encoders that can read it; the first is what "auto" stands for.
ENCODERS: dict[str, tuple[str, ...]] = {
    "planes": OF_BOARDS,
    "bitboards": OF_BOARDS,
    "compact": OF_BOARDS,
    "flat": ("mlp",),
    "afterstate_features": ("mlp",),
    "afterstate_classic": ("mlp",),
    "afterstate_extended": ("mlp",),
    "afterstate_boards": OF_BOARDS,
}


@dataclass(frozen=True)
class AttentionConfig:
    """Settings of the attention encoder."""

    over: Over = "rows"
    """What attends to what on a board: its rows, or its cells (ten times as many)."""
    layers: int = 2
    """Layers of self-attention over the board."""
    heads: int = 4
    """Heads of each attention; must divide size."""
    size: int = 32
    """Numbers of one token."""
    scales: tuple[int, ...] = (1,)
    """Sides of the squares of cells (or numbers of rows) that are averaged to a token, ascending. With several,
    the tokens of all scales attend to each other: 1 2 shows the board also at half its size."""
    queue: bool = True
    """Attend over the pieces too: the queue by self-attention, then from the active and the held piece to the
    board."""

    def validate(self, env: Game | HostGame) -> None:
        """Raise ValueError naming the first setting that cannot work."""
        check_choice("agent.network.attention.over", self.over, get_args(Over))
        for name, highest in (("layers", MAX_LAYERS), ("heads", MAX_UNITS), ("size", MAX_UNITS)):
            _check_size(f"attention.{name}", getattr(self, name), highest)
        if self.size % self.heads:
            raise _wrong("attention.heads", self.heads, f"a divisor of attention.size ({self.size})")
        largest = _board_side(env.spec.shows, self.over)
        is_ascending = list(self.scales) == sorted(set(self.scales))
        if not self.scales or not is_ascending or not 1 <= self.scales[0] <= self.scales[-1] <= largest:
            allowed = f"one or more different numbers from 1 to {largest}, ascending"
            raise _wrong("attention.scales", self.scales, allowed)


@dataclass(frozen=True)
class NetworkConfig:
    """Settings of the network that turns an observation into numbers, which an agent's heads read."""

    encoder: Encoder = "auto"
    """How a board is read; auto is a multilayer perceptron for vectors and features, and for boards a convolution
    along the columns."""
    hidden: tuple[int, ...] = (32, 32)
    """Sizes of the layers after the encoder; the first is also that of an encoded board."""
    channels: tuple[int, ...] = (32, 32)
    """Channels of the convolutions of cnn, or of the residual blocks of resnet."""
    activation: Activation = "relu"
    """Activation between layers."""
    compute_dtype: ComputeDtype = "float32"
    """Numbers the hidden layers compute in; parameters, logits, values, losses and returns are float32."""
    recurrent: Recurrent = "none"
    """Cell that remembers what came before, between encoder and heads."""
    memory: int = 64
    """Units of the recurrent cell."""
    attention: AttentionConfig = AttentionConfig()
    """Settings of encoder attention."""

    def __post_init__(self) -> None:
        for name in ("hidden", "channels"):
            object.__setattr__(self, name, as_tuple(getattr(self, name)))

    def validate(self, env: Game | HostGame) -> None:
        """Raise ValueError naming the first setting that cannot work, alone or with what the environment shows."""
        if not isinstance(self.attention, AttentionConfig):
            raise _wrong("attention", repr(self.attention), "an AttentionConfig")
        for name, choices in (
            ("activation", Activation),
            ("compute_dtype", ComputeDtype),
            ("recurrent", Recurrent),
        ):
            check_choice(f"agent.network.{name}", getattr(self, name), get_args(choices))
        for name in ("hidden", "channels"):
            sizes = getattr(self, name)
            if not isinstance(sizes, tuple):
                raise _wrong(name, repr(sizes), "a tuple or list of sizes")
            if not 1 <= len(sizes) <= MAX_LAYERS or not all(_is_size(size, MAX_UNITS) for size in sizes):
                given = sizes if len(sizes) <= MAX_SHOWN else f"{len(sizes)} sizes"
                allowed = f"one or more sizes (up to {MAX_LAYERS}) of 1 or more, up to {MAX_UNITS}"
                raise _wrong(name, given, allowed)
        _check_size("memory", self.memory, MAX_UNITS)
        if self.recurrent != "none" and env.spec.shows.by_action:
            allowed = "none (each action is judged by its own afterstate)"
            raise _wrong("recurrent", f"{self.recurrent!r} with observation {env.spec.shows.view}", allowed)
        if self.choose_encoder(env) == "attention":
            self.attention.validate(env)

    def choose_encoder(self, env: Game | HostGame) -> str:
        """Return the encoder, what "auto" stands for resolved; ValueError for one that cannot read the view."""
        check_choice("agent.network.encoder", self.encoder, get_args(Encoder))
        able = ENCODERS[env.spec.shows.view]
        if self.encoder == "auto":
            return able[0]
        if self.encoder not in able:
            given = f"{self.encoder!r} with observation {env.spec.shows.view}"
            raise _wrong("encoder", given, ", ".join(["auto", *able]))
        return self.encoder


def _board_side(shown: Shown, over: Over) -> int:
    return shown.height if over == "rows" else min(shown.height, shown.width)


def _is_size(given: object, highest: int) -> bool:
    return isinstance(given, int) and not isinstance(given, bool) and 1 <= given <= highest


def _check_size(name: str, given: object, highest: int) -> None:
    if not _is_size(given, highest):
        raise _wrong(name, given, f"1 or more, up to {highest}")


def _wrong(name: str, given: object, allowed: str) -> ValueError:
    return ValueError(f"agent.network.{name}: given {given}; allowed: {allowed}")
