"""What the presets of all algorithms are made of: environments, and how they are evaluated."""

from __future__ import annotations

from tetrax.env.tetris import EnvConfig
from tetrax.games.configs import GymnasiumConfig, GymnaxConfig
from tetrax.train.config import EvalConfig

DROP = EnvConfig(actions="drop", observation="afterstate_features", reward="survival")
DROP_BOARDS = EnvConfig(actions="drop", observation="afterstate_boards", reward="survival")
# Twenty times as many placements as DROP has, most of them out of reach on any one board.
PLACES = EnvConfig(actions="locked_position", observation="afterstate_features", reward="survival")
DIRECT = EnvConfig(actions="direct", observation="planes", reward="stacking")
CHORDS = EnvConfig(actions="chords", observation="planes", reward="stacking")

TINY_EVALUATION = EvalConfig(
    every=512, episodes=4, max_pieces=20, final_episodes=8, final_max_pieces=50, record_every=0
)

# Looking at all places takes its time: few games, cut off early.
PLACES_EVALUATION = EvalConfig(
    every=100_000, episodes=32, max_pieces=200, final_episodes=64, final_max_pieces=500
)

CARTPOLE = GymnaxConfig("CartPole-v1")
CARTPOLE_ON_HOST = GymnasiumConfig("CartPole-v1")
LUNAR_LANDER = GymnasiumConfig("LunarLander-v3")

# Episodes end by themselves, so that none is capped; 100 at the end, as the environments' own bars have it.
OTHER_EVALUATION = EvalConfig(
    every=100_000, episodes=32, max_pieces=0, final_episodes=100, final_max_pieces=0
)
