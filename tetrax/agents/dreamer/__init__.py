"""Dreamer: a world model is learned from play, and the policy from what the model dreams.

DreamerV3 (Hafner et al. 2023, arXiv 2301.04104, and its newer published code): see `tetrax.world_model`.
"""

from tetrax.agents.dreamer.dreamer import make
from tetrax.agents.dreamer.dreamer_config import ACTING, CHANGEABLE, TUNABLE_RANGES, DreamerConfig

__all__ = ["ACTING", "CHANGEABLE", "TUNABLE_RANGES", "DreamerConfig", "make"]
