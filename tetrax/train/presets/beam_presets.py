"""The beam search's presets: how its evaluation is tuned or a value is learned, and how the result plays."""

from __future__ import annotations

from tetrax.agents.beam_search import BeamConfig
from tetrax.agents.beam_value import BeamValueConfig
from tetrax.env.tetris import ENV_PRESETS
from tetrax.train.config import EvalConfig, TrainConfig

ENV = ENV_PRESETS["attack-50"]


def _preset(name: str, agent: BeamConfig, generations: int, final_episodes: int) -> TrainConfig:
    """Return a tuning of so many generations; games are as long in evaluations."""
    return TrainConfig(
        algorithm="beam",
        preset=name,
        env=ENV,
        agent=agent,
        evaluation=EvalConfig(
            every=0, final_episodes=final_episodes, final_max_pieces=agent.placements, record_every=0
        ),
        total_steps=generations * agent.num_candidates * agent.num_games * agent.placements,
        chunk_iterations=1,
    )


TINY = BeamConfig(width=2, clear_width=2, depth=2, placements=4, num_candidates=8, num_games=1)
SMALL = BeamConfig(width=8, clear_width=8)
LARGE = BeamConfig(width=64, clear_width=64, num_candidates=1024)

BEAM: dict[str, dict[str, TrainConfig]] = {
    "tiny": {"locked_position": _preset("tiny", TINY, generations=2, final_episodes=4)},
    "small": {"locked_position": _preset("small", SMALL, generations=40, final_episodes=64)},
    "large": {"locked_position": _preset("large", LARGE, generations=200, final_episodes=1_000)},
}


def _value_preset(
    name: str, agent: BeamValueConfig, iterations: int, chunk: int, final_episodes: int
) -> TrainConfig:
    """Return so many iterations of learning; games are as long in evaluations."""
    return TrainConfig(
        algorithm="beam-value",
        preset=name,
        env=ENV,
        agent=agent,
        evaluation=EvalConfig(
            every=0, final_episodes=final_episodes, final_max_pieces=agent.placements, record_every=0
        ),
        total_steps=iterations * agent.num_games * agent.depth,
        chunk_iterations=chunk,
    )


TINY_VALUE = BeamValueConfig(
    width=2,
    clear_width=2,
    candidates=2,
    candidate_boards=2,
    placements=14,
    layer_sizes=(8,),
    num_games=4,
    capacity=64,
    batch_size=8,
    num_updates=2,
)
SMALL_VALUE = BeamValueConfig(width=24, clear_width=24, layer_sizes=(256, 128), num_games=256)
LARGE_VALUE = BeamValueConfig(layer_sizes=(256, 128), num_games=512)

BEAM_VALUE: dict[str, dict[str, TrainConfig]] = {
    "tiny": {"locked_position": _value_preset("tiny", TINY_VALUE, 4, 2, final_episodes=4)},
    "small": {"locked_position": _value_preset("small", SMALL_VALUE, 2_000, 10, final_episodes=64)},
    "large": {"locked_position": _value_preset("large", LARGE_VALUE, 8_000, 5, final_episodes=1_000)},
}
