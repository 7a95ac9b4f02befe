"""AlphaZero: a policy and a value, improved by what search finds, for games of one player and of two.

Silver et al. 2018, "A general reinforcement learning algorithm that masters chess, shogi, and Go through self-play"; by
default with Gumbel's search and its targets (Danihelka et al. 2022, "Policy improvement by planning with Gumbel").
"""

from tetrax.agents.alphazero.alphazero import make
from tetrax.agents.alphazero.alphazero_config import ACTING, TUNABLE_RANGES, AlphaZeroConfig

__all__ = ["ACTING", "TUNABLE_RANGES", "AlphaZeroConfig", "make"]
