"""Whole configurations of AlphaZero: see `tetrax.train.presets`."""

from __future__ import annotations

import dataclasses

from tetrax.agents.alphazero import AlphaZeroConfig
from tetrax.env.tetris import EnvConfig
from tetrax.games.in_a_row import ConnectFourConfig, TicTacToeConfig
from tetrax.networks.network_config import NetworkConfig
from tetrax.search.tree import SearchConfig
from tetrax.train.config import EvalConfig, TrainConfig
from tetrax.train.presets.preset_parts import DROP_BOARDS, TINY_EVALUATION

AGAINST_RANDOM = EvalConfig(every=100_000, episodes=64, max_pieces=0, final_episodes=256, final_max_pieces=0)

TINY = AlphaZeroConfig(
    num_envs=8,
    num_steps=8,
    num_simulations=4,
    network=NetworkConfig(hidden=(16,), channels=(8,)),
    replay_capacity=512,
    num_updates=2,
    batch_size=32,
)
# Nine moves are a game: values are known from ends, and every position is met often with a tenth of random moves.
TIC_TAC_TOE = AlphaZeroConfig(
    num_envs=128,
    num_steps=16,
    num_simulations=16,
    search=SearchConfig(considered=9),
    network=NetworkConfig(encoder="mlp", hidden=(128, 128)),
    replay_capacity=32_768,
    num_updates=32,
    batch_size=256,
    learning_rate=3e-3,
    trace_decay=0.5,
    random_moves=0.25,
)
CONNECT_FOUR = AlphaZeroConfig(
    num_envs=128,
    num_steps=16,
    num_simulations=32,
    search=SearchConfig(considered=7),
    network=NetworkConfig(encoder="resnet", hidden=(128,), channels=(32, 32)),
    replay_capacity=131_072,
    num_updates=32,
    batch_size=256,
    learning_rate=2e-3,
    trace_decay=0.8,
    random_moves=0.1,
)
DROP = AlphaZeroConfig(
    num_envs=64,
    num_steps=16,
    num_simulations=8,
    search=SearchConfig(considered=8),
    normalise_values=True,
    replay_capacity=32_768,
    num_updates=8,
    batch_size=128,
    discount=0.97,
    trace_decay=0.8,
)


def _config(preset: str, game: str, env: object, agent: AlphaZeroConfig, steps: int, **others: object) -> TrainConfig:
    return TrainConfig(
        algorithm="alphazero", preset=preset, game=game, env=env, agent=agent, total_steps=steps, **others
    )


ALPHAZERO: dict[str, dict[str, TrainConfig]] = {
    "tiny": {
        "drop": _config("tiny", "tetris", DROP_BOARDS, TINY, 512, evaluation=TINY_EVALUATION, chunk_iterations=2),
        "tictactoe": _config(
            "tiny", "tictactoe", TicTacToeConfig(), TINY, 512, evaluation=TINY_EVALUATION, chunk_iterations=2
        ),
        "connect4": _config(
            "tiny", "connect4", ConnectFourConfig(), TINY, 512, evaluation=TINY_EVALUATION, chunk_iterations=2
        ),
    },
    "small": {
        "drop": _config(
            "small",
            "tetris",
            DROP_BOARDS,
            DROP,
            524_288,
            evaluation=EvalConfig(every=65_536, episodes=32, max_pieces=500),
            chunk_iterations=4,
        ),
        "tictactoe": _config(
            "small", "tictactoe", TicTacToeConfig(), TIC_TAC_TOE, 204_800, evaluation=AGAINST_RANDOM, chunk_iterations=4
        ),
        "connect4": _config(
            "small", "connect4", ConnectFourConfig(), CONNECT_FOUR, 1_048_576, evaluation=AGAINST_RANDOM, chunk_iterations=4
        ),
    },
}
