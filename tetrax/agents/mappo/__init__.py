"""PPO for several players who act together: one set of parameters for all or one each, values from one view or all.

With values from the player's own view these are independent learners, IPPO (de Witt et al. 2020, arXiv 2011.09533);
with values from the views of all it is MAPPO (Yu et al. 2022, arXiv 2103.01955). Policies see their own view in both.
"""

from tetrax.agents.mappo.mappo import make
from tetrax.agents.mappo.mappo_config import TUNABLE_RANGES, LeagueConfig, MAPPOConfig

__all__ = ["TUNABLE_RANGES", "LeagueConfig", "MAPPOConfig", "make"]
