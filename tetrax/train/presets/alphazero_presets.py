"""Whole configurations of AlphaZero: see `tetrax.train.presets`."""

from __future__ import annotations

import dataclasses

from tetrax.agents.alphazero import AlphaZeroConfig
from tetrax.games.in_a_row import ConnectFourConfig, TicTacToeConfig
from tetrax.networks.network_config import NetworkConfig
from tetrax.search.tree import SearchConfig
from tetrax.train.config import EvalConfig, TrainConfig
from tetrax.train.presets.preset_parts import DROP_BOARDS, TINY_EVALUATION

AGAINST_RANDOM = EvalConfig(every=100_000, episodes=64, max_pieces=0, final_episodes=256, final_max_pieces=0)
DROP_EVALUATION = EvalConfig(
    every=262_144, episodes=16, max_pieces=500, final_episodes=64, final_max_pieces=2_000
)

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
    network=NetworkConfig(encoder="cnn", hidden=(128, 128), channels=(128, 128)),
    replay_capacity=131_072,
    num_updates=32,
    batch_size=256,
    learning_rate=2e-3,
    trace_decay=0.8,
    random_moves=0.1,
)
# Whoever sees what each placement leaves needs few simulations: two compare the two best by what could follow them.
DROP = AlphaZeroConfig(
    temperature=0.08,
    num_envs=128,
    num_steps=64,
    num_simulations=2,
    acting_simulations=4,
    search=SearchConfig(considered=8, value_scale=1.0, rescale_values=False),  # what is found decides
    normalise_values=True,
    replay_capacity=8_192,  # one iteration: values get old as the policy gets better
    num_updates=192,
    batch_size=256,
    final_learning_rate_fraction=0.05,
    discount=0.95,  # as value learning from boards has it
    trace_decay=0.8,
)

# For one data-centre GPU, where many positions cost as little as few.
CONNECT_FOUR_LARGE = dataclasses.replace(
    CONNECT_FOUR,
    num_envs=1024,
    num_groups=8,  # for up to 8 devices
    num_simulations=64,
    network=NetworkConfig(encoder="resnet", hidden=(256,), channels=(64,) * 5),
    replay_capacity=1_048_576,
    num_updates=64,
    batch_size=2048,
)
DROP_LARGE = dataclasses.replace(
    DROP,
    num_envs=1024,
    num_groups=8,
    num_simulations=8,
    network=NetworkConfig(hidden=(128, 128), channels=(64, 64)),
    replay_capacity=65_536,
    batch_size=2048,
)


def _config(
    preset: str, game: str, env: object, agent: AlphaZeroConfig, steps: int, evaluation: EvalConfig
) -> TrainConfig:
    return TrainConfig(
        algorithm="alphazero",
        preset=preset,
        game=game,
        env=env,
        agent=agent,
        evaluation=evaluation,
        total_steps=steps,
        chunk_iterations=4,
    )


def _tiny(game: str, env: object) -> TrainConfig:
    return TrainConfig(
        algorithm="alphazero",
        preset="tiny",
        game=game,
        env=env,
        agent=TINY,
        evaluation=TINY_EVALUATION,
        total_steps=512,
        chunk_iterations=2,
    )


ALPHAZERO: dict[str, dict[str, TrainConfig]] = {
    "tiny": {
        "drop": _tiny("tetris", DROP_BOARDS),
        "tictactoe": _tiny("tictactoe", TicTacToeConfig()),
        "connect4": _tiny("connect4", ConnectFourConfig()),
    },
    "small": {
        "drop": _config("small", "tetris", DROP_BOARDS, DROP, 1_600_000, DROP_EVALUATION),
        "tictactoe": _config("small", "tictactoe", TicTacToeConfig(), TIC_TAC_TOE, 409_600, AGAINST_RANDOM),
        "connect4": _config("small", "connect4", ConnectFourConfig(), CONNECT_FOUR, 700_000, AGAINST_RANDOM),
    },
    "large": {
        "drop": _config("large", "tetris", DROP_BOARDS, DROP_LARGE, 50_000_000, DROP_EVALUATION),
        "tictactoe": _config("large", "tictactoe", TicTacToeConfig(), TIC_TAC_TOE, 409_600, AGAINST_RANDOM),
        "connect4": _config(
            "large", "connect4", ConnectFourConfig(), CONNECT_FOUR_LARGE, 50_000_000, AGAINST_RANDOM
        ),
    },
}
