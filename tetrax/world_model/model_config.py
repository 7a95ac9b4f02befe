"""Settings of a world model: the published sizes, and every number of them by itself."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from tetrax.env.contract import Game, Shown
from tetrax.env.game.rules import check_choice, check_whole
from tetrax.networks.layers import ACTIVATIONS
from tetrax.networks.network_config import MAX_LAYERS, MAX_UNITS, Activation, ComputeDtype

Size = Literal["1m", "12m", "25m", "50m", "100m", "200m", "400m"]
MAX_CLASSES = 256  # a latent is kept as one byte
MAX_BINS = 4_095
MAX_EXPONENT = 80.0  # beyond it float32 cannot hold what a bin stands for
LAYERS = (
    "encoder_layers",
    "decoder_layers",
    "dynamics_layers",
    "prior_layers",
    "head_layers",
    "actor_layers",
)
COUNTS = {
    **dict.fromkeys(("latents", "column_latents", "blocks"), 1_024),
    **dict.fromkeys(("cell_deter", "cell_units", "row_units"), MAX_UNITS),
}
RANGES = {"largest_exponent": (0.01, MAX_EXPONENT), "mixture": (0.0, 0.5), "latent_mixture": (0.0, 0.5)}
VIEWS = ("planes", "bitboards", "flat")  # that can be read and told


class Widths(NamedTuple):
    """What a size stands for."""

    deter: int  # numbers of the deterministic state
    units: int  # of every hidden layer
    classes: int  # of each latent


SIZES: dict[str, Widths] = {
    "1m": Widths(512, 64, 4),
    "12m": Widths(2_048, 256, 16),
    "25m": Widths(3_072, 384, 24),
    "50m": Widths(4_096, 512, 32),
    "100m": Widths(6_144, 768, 48),
    "200m": Widths(8_192, 1_024, 64),
    "400m": Widths(12_288, 1_536, 96),
}


@dataclass(frozen=True)
class WorldModelConfig:
    """Settings of the world model, and of the actor and critic that read its states."""

    state: Literal["vector", "columns", "cells"] = "vector"
    """What a state is: one vector, as published; or one for each column of the board, or each cell, with weights shared
    along the board, and one for what concerns all of them. Cells need actions that are placements in a column."""
    size: Size = "1m"
    """The published size, by its millions of parameters (of one vector); the next three settings change what it stands
    for."""
    deter: int = 0
    """Numbers of the deterministic state: of one vector, a multiple of blocks; of each column, and of the common part;
    with cells of the common part alone; 0 = those of the size."""
    units: int = 0
    """Units of every hidden layer; 0 = those of the size."""
    classes: int = 0
    """Classes of each latent (up to 256); 0 = those of the size. With cells more than there are kinds of pieces."""
    latents: int = 32
    """Categorical latents of a state; with columns of the common part; with cells beside those of cells and pieces,
    which are what is seen."""
    column_latents: int = 8
    """Categorical latents of each column, with columns."""
    cell_deter: int = 4
    """Numbers of the deterministic state of each cell, with cells."""
    cell_units: int = 4
    """Units of the hidden layers of each cell, with cells; twice as many where it takes over from others."""
    row_units: int = 32
    """Units of the hidden layers of each row, with cells."""
    blocks: int = 8
    """Blocks of one vector's recurrent cell, which see only their own part of the deterministic state."""
    encoder_layers: int = 3
    """Hidden layers of the encoder; with cells, of that of pieces and numbers alone."""
    decoder_layers: int = 3
    """Hidden layers of the decoder."""
    dynamics_layers: int = 1
    """Hidden layers of the recurrent cell; with cells, those beside the first that say what a placement does."""
    prior_layers: int = 2
    """Hidden layers between the deterministic state and the latents that it foretells."""
    head_layers: int = 1
    """Hidden layers of the heads of reward, continuation and legal actions."""
    actor_layers: int = 3
    """Hidden layers of the actor and of the critic."""
    bins: int = 255
    """Bins of rewards and returns, odd."""
    largest_exponent: float = 20.0
    """The outermost bins stand for symexp of this."""
    mixture: float = 0.01
    """Share of the uniform distribution in the policy, over its legal actions."""
    latent_mixture: float = 0.01
    """Share of the uniform distribution in every latent. With hundreds of cells a hundredth of each is much noise."""
    activation: Activation = "silu"
    """Activation of hidden layers."""
    compute_dtype: ComputeDtype = "float32"
    """Numbers the hidden layers compute in; parameters, states, heads and losses are float32."""

    @property
    def widths(self) -> Widths:
        """Return the widths that are meant."""
        of_size = SIZES[self.size]
        return Widths(
            self.deter or of_size.deter, self.units or of_size.units, self.classes or of_size.classes
        )

    def validate(self, env: Game) -> None:
        """Raise ValueError naming the first setting that cannot work, alone or with what the environment shows."""
        check_choice("agent.model.state", self.state, ("vector", "columns", "cells"))
        check_choice("agent.model.size", self.size, get_args(Size))
        check_choice("agent.model.activation", self.activation, tuple(ACTIVATIONS))
        check_choice("agent.model.compute_dtype", self.compute_dtype, get_args(ComputeDtype))
        for name, highest in (("deter", MAX_UNITS), ("units", MAX_UNITS), ("classes", MAX_CLASSES)):
            check_whole(f"agent.model.{name}", getattr(self, name), 0, highest)
        for name, highest in COUNTS.items():
            check_whole(f"agent.model.{name}", getattr(self, name), 1, highest)
        for name in LAYERS:
            check_whole(f"agent.model.{name}", getattr(self, name), 1, MAX_LAYERS)
        check_whole("agent.model.bins", self.bins, 3, MAX_BINS)
        if self.bins % 2 == 0:
            raise _wrong("bins", self.bins, "an odd number, so that one bin is 0")
        self._check_state(env.spec.shows)
        if self.state == "vector" and self.widths.deter % self.blocks:
            raise _wrong("deter", self.widths.deter, f"a multiple of blocks ({self.blocks})")
        if self.widths.classes < 2:
            raise _wrong("classes", self.classes, f"0, or 2 to {MAX_CLASSES}")
        for name, (low, high) in RANGES.items():
            given = getattr(self, name)
            if isinstance(given, bool) or not isinstance(given, int | float) or not low <= given <= high:
                raise _wrong(name, given, f"from {low:g} to {high:g}")
        if env.spec.shows.view not in VIEWS:
            raise ValueError(
                f"env.observation: given {env.spec.shows.view!r} with dreamer, whose model foretells what is seen; "
                f"allowed: {', '.join(VIEWS)}"
            )

    def _check_state(self, shows: Shown) -> None:
        """Raise ValueError where states of columns or cells do not fit what is shown."""
        if self.state != "vector" and (not shows.width or shows.view == "flat"):
            given = f"{self.state!r} with observation {shows.view!r}"
            raise _wrong("state", given, "'vector', where no board is shown")
        if self.state == "cells" and not shows.acts_by_column:
            allowed = "'vector' or 'columns' with these actions; 'cells' with env.actions 'drop'"
            raise _wrong("state", repr(self.state), allowed)
        if self.state == "cells" and shows.view != "bitboards":
            given = f"{self.state!r} with observation {shows.view!r}"
            raise _wrong(
                "state", given, "with cells the observation 'bitboards', which shows no ghost of a piece"
            )
        if self.state == "cells" and self.widths.classes <= shows.num_kinds:
            allowed = (
                f"{shows.num_kinds + 1} to {MAX_CLASSES} with cells: a class for each kind and for no piece"
            )
            given = f"{self.classes or f'0, the {self.widths.classes} of size {self.size}'}"
            raise _wrong("classes", given, allowed)


def _wrong(name: str, given: object, allowed: str) -> ValueError:
    return ValueError(f"agent.model.{name}: given {given}; allowed: {allowed}")
