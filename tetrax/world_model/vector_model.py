"""The published model, whose state is one vector: encoder, dynamics and heads."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float32, Int32

from tetrax.world_model import readings
from tetrax.world_model.latents import ModelState
from tetrax.world_model.model_config import WorldModelConfig
from tetrax.world_model.model_parts import Foretold, Sizes, StateSizes, Step
from tetrax.world_model.normed import head, hidden, scaled_dense
from tetrax.world_model.readings import Reading, Told
from tetrax.world_model.rssm import Rssm


class WorldModel(nn.Module):
    """The model of a game; every method takes any number of leading axes n."""

    config: WorldModelConfig
    sizes: Sizes

    def setup(self) -> None:
        """Name the parts."""
        config, sizes = self.config, self.sizes
        self.encoder = hidden(config, config.encoder_layers)
        self.dynamics = Rssm(config)
        self.decoder = hidden(config, config.decoder_layers)
        self.cells_told = scaled_dense(sizes.cells, 1.0) if sizes.cells else None
        kinds = sizes.shown.num_kinds + 1
        self.pieces_told = scaled_dense(sizes.pieces * kinds, 1.0) if sizes.pieces else None
        self.numbers_told = scaled_dense(sizes.numbers, 1.0) if sizes.numbers else None
        layers = config.head_layers
        self.reward_head = head(config, layers, config.bins, scale=0.0)
        self.goes_on_head = head(config, layers, 1, scale=1.0)
        always_legal = (
            sizes.shown.view == "flat" and not sizes.shown.width
        )  # no board: as `vector_observation` says
        self.legal_head = None if always_legal else head(config, layers, sizes.actions, scale=1.0)

    @property
    def state_sizes(self) -> StateSizes:
        """Return how large a state is."""
        deter, _, classes = self.config.widths
        return StateSizes(deter, self.config.latents, classes)

    def __call__(
        self,
        reading: Reading,
        state: ModelState,
        action: Int32[Array, "B"],
        uniform: Float32[Array, "B latents"],
    ) -> tuple[Step, Array, Told, Foretold]:
        """Touch every part once, so that all have parameters."""
        step = self.see(state, self.drive(action), self.hint(reading), uniform)
        features = step.state.features
        return step, self.prior(step.state.deter), self.tell(features), self.foretell(features)

    def hint(self, reading: Reading) -> Float32[Array, "*n U"]:
        """Encode what was seen."""
        return self.dynamics.hint(self.encoder(readings.as_vector(reading, self.sizes.shown.num_kinds)))

    def drive(self, action: Int32[Array, "*n"]) -> Float32[Array, "*n U"]:
        """Encode actions; -1 is none."""
        return self.dynamics.drive(jax.nn.one_hot(action, self.sizes.actions, dtype=jnp.float32))

    def see(self, state: ModelState, drive: Array, hint: Array, uniform: Array) -> Step:
        """Take a step and look: see `Rssm.see`."""
        return self.dynamics.see(state, drive, hint, uniform)

    def foresee(self, state: ModelState, drive: Array, uniform: Array) -> Step:
        """Take a step with closed eyes: see `Rssm.foresee`."""
        return self.dynamics.foresee(state, drive, uniform)

    def prior(self, deter: Float32[Array, "*n D"]) -> Float32[Array, "*n latents classes"]:
        """Return the log-probabilities of the latents before anything is seen."""
        return self.dynamics.prior(deter)

    def tell(self, features: Float32[Array, "*n F"]) -> Told:
        """Decode states."""
        sizes, leading = self.sizes, features.shape[:-1]
        decoded = self.decoder(features)

        def told(layer: nn.Dense | None) -> Array:
            return jnp.zeros((*leading, 0), jnp.float32) if layer is None else layer(decoded)

        kinds = sizes.shown.num_kinds + 1
        pieces = told(self.pieces_told)
        return Told(
            cells=told(self.cells_told),
            pieces=pieces.reshape(*leading, sizes.pieces, kinds),
            numbers=told(self.numbers_told),
        )

    def foretell(self, features: Float32[Array, "*n F"]) -> Foretold:
        """Return what the heads say of states."""
        return Foretold(
            reward=self.reward_head(features),
            goes_on=self.goes_on_head(features)[..., 0],
            legal=None if self.legal_head is None else self.legal_head(features),
        )
