"""RLlib's PPO learns the grid world through PettingZoo, with one policy for all players or one for each.

RLlib pins gymnasium and wants torch, so that it belongs into an environment of its own, beside a checkout of tetrax:

    python3 -m venv rllib && . rllib/bin/activate
    pip install -e '.[pettingzoo]' 'ray[rllib]==2.60.0' torch
    python examples/rllib_grid_world.py --rewards cooperative --policies shared
    python examples/rllib_grid_world.py --rewards competitive --policies separate

With one policy for both players in the cooperative game, 12 iterations (24,000 steps, less than a minute of one core)
bring the return of both together from 51 to 74 (80, less 0.2 a step, is all there is), and the length of a game from
34 to 16.
"""

import argparse
import sys
from collections.abc import Iterator
from typing import NamedTuple

import ray
import torch
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.rllib.core.rl_module.multi_rl_module import MultiRLModuleSpec
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv
from ray.tune.registry import register_env

from tetrax.adapters.pettingzoo import parallel_env

NAME = "tetrax/gridworld"
GRID = {"width": 5, "height": 5, "max_steps": 50}  # small, so that something is learned in minutes
SHARED = "everybody"


class Played(NamedTuple):
    """What an iteration came to."""

    num_steps: int  # of all games so far
    mean_return: float  # of all players together, per game
    mean_length: float  # steps per game


def configure(rewards: str, policies: str, *, seed: int, steps: int) -> PPOConfig:
    """Return RLlib's configuration: everything in this process, eight games side by side."""
    players = parallel_env("gridworld", rewards=rewards, **GRID).possible_agents
    names = players if policies == "separate" else [SHARED]
    return (
        PPOConfig()
        .environment(NAME, env_config={"rewards": rewards})
        .env_runners(num_env_runners=0, num_envs_per_env_runner=8)
        .learners(num_learners=0)
        .multi_agent(
            policies=set(names),
            policy_mapping_fn=lambda player, *_, **__: player if policies == "separate" else SHARED,
        )
        .rl_module(
            rl_module_spec=MultiRLModuleSpec(rl_module_specs={name: RLModuleSpec() for name in names}),
            model_config=DefaultModelConfig(fcnet_hiddens=[64, 64]),
        )
        .training(
            train_batch_size_per_learner=steps, minibatch_size=256, num_epochs=6, lr=1e-3, entropy_coeff=0.01
        )
        .debugging(seed=seed, log_level="ERROR")
    )


def train(config: PPOConfig, iterations: int) -> Iterator[Played]:
    """Train; yield what each iteration came to."""
    register_env(
        NAME, lambda options: ParallelPettingZooEnv(parallel_env("gridworld", **{**GRID, **options}))
    )
    algorithm: Algorithm = config.build_algo()
    for _ in range(iterations):
        played = algorithm.train()["env_runners"]
        yield Played(
            int(played["num_env_steps_sampled_lifetime"]),
            played["episode_return_mean"],
            played["episode_len_mean"],
        )
    algorithm.stop()


def main(argv: list[str]) -> int:
    """Read the words, train and tell; return the exit code."""
    parser = argparse.ArgumentParser(description="RLlib's PPO in the grid world")
    parser.add_argument("--rewards", choices=("cooperative", "competitive"), default="cooperative")
    parser.add_argument("--policies", choices=("shared", "separate"), default="shared")
    parser.add_argument("--iterations", type=int, default=15)
    parser.add_argument("--steps", type=int, default=2000, help="of games, in an iteration")
    parser.add_argument("--seed", type=int, default=0)
    words = parser.parse_args(argv)
    torch.set_num_threads(1)  # networks of this size gain nothing by more
    ray.init(num_cpus=1, include_dashboard=False, logging_level="ERROR")
    config = configure(words.rewards, words.policies, seed=words.seed, steps=words.steps)
    for iteration, played in enumerate(train(config, words.iterations), 1):
        print(
            f"iteration {iteration}: {played.num_steps} steps, "
            f"return {played.mean_return:.2f}, length {played.mean_length:.1f}",
            flush=True,
        )
    ray.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
