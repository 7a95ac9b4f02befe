"""Value learning: DQN and its parts as published, values of afterstates, memory, and every way to explore.

DQN (Mnih et al. 2015), double (van Hasselt et al. 2016, arXiv 1509.06461), dueling (Wang et al. 2016, arXiv
1511.06581), prioritised replay (Schaul et al. 2016, arXiv 1511.05952), n-step returns, C51 (Bellemare et al. 2017,
arXiv 1707.06887), quantiles (Dabney et al. 2018, arXiv 1710.10044), noisy layers (Fortunato et al. 2018, arXiv
1706.10295); all together Rainbow (Hessel et al. 2018, arXiv 1710.02298). With a recurrent network R2D2 (Kapturowski
et al. 2019). Without a replay lambda returns of whole rollouts, as in PQN (Gallici et al. 2024, arXiv 2407.04811);
with values of afterstates that is TD(lambda) as it has long been used in Tetris (Bertsekas and Ioffe 1996).
"""

from tetrax.agents.dqn.algorithm import make
from tetrax.agents.dqn.dqn_config import CHANGEABLE, TUNABLE_RANGES, DQNConfig

__all__ = ["CHANGEABLE", "TUNABLE_RANGES", "DQNConfig", "make"]
