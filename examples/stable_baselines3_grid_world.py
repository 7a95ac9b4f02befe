"""Stable-Baselines3's PPO learns the grid world: one policy for all players, who are environments side by side.

SuperSuit makes them so. Both want torch, and belong into an environment of their own, beside a checkout of tetrax:

    python3 -m venv learners && . learners/bin/activate
    pip install -e '.[pettingzoo]' stable-baselines3==2.9.2 SuperSuit==3.11.0
    python examples/stable_baselines3_grid_world.py --rewards cooperative

What is cut off at the limit of steps is to this learner an end like any other, and the seed is the learner's alone:
SuperSuit neither tells the one apart nor hands on the other. After 60,000 steps of players (half a minute of one core)
the return of each was 33.5 (40, less 0.1 a step, is all there is), the length of a game 12.8.
"""

import argparse
import sys
from typing import NamedTuple

import numpy as np
import supersuit
from stable_baselines3 import PPO
from stable_baselines3.common.utils import set_random_seed
from stable_baselines3.common.vec_env import VecEnv, VecMonitor

from tetrax.adapters.pettingzoo import parallel_env

GRID = {"width": 5, "height": 5, "max_steps": 50}  # small, so that something is learned in minutes
NUM_GAMES = 8  # side by side


class Played(NamedTuple):
    """What games came to."""

    mean_return: float  # of one player
    mean_length: float  # steps


def make(rewards: str) -> VecEnv:
    """Return the players of NUM_GAMES games side by side."""
    players = supersuit.pettingzoo_env_to_vec_env_v1(parallel_env("gridworld", rewards=rewards, **GRID))
    games = supersuit.concat_vec_envs_v1(players, NUM_GAMES, num_cpus=0, base_class="stable_baselines3")
    return VecMonitor(games)


def train(rewards: str, *, steps: int, seed: int) -> tuple[PPO, VecEnv]:
    """Train for so many steps of players; the seed is the learner's, games differ from run to run."""
    players = make(rewards)
    set_random_seed(seed)
    learner = PPO(
        "MlpPolicy", players, n_steps=128, batch_size=256, n_epochs=6, learning_rate=1e-3, ent_coef=0.01
    )
    return learner.learn(steps), players


def play(learner: PPO, players: VecEnv, num_games: int) -> Played:
    """Play games by the policy, its likeliest actions."""
    seen, ended = players.reset(), []
    while len(ended) < num_games * players.num_envs // NUM_GAMES:
        actions, _ = learner.predict(seen, deterministic=True)
        seen, _, _, infos = players.step(actions)
        ended += [info["episode"] for info in infos if "episode" in info]
    return Played(*(float(np.mean([game[name] for game in ended])) for name in ("r", "l")))


def main(argv: list[str]) -> int:
    """Read the words, train and tell; return the exit code."""
    parser = argparse.ArgumentParser(description="Stable-Baselines3's PPO in the grid world")
    parser.add_argument("--rewards", choices=("cooperative", "competitive"), default="cooperative")
    parser.add_argument("--steps", type=int, default=60_000, help="of players")
    parser.add_argument("--seed", type=int, default=0)
    words = parser.parse_args(argv)
    for steps in (0, words.steps):
        played = play(*train(words.rewards, steps=steps, seed=words.seed), num_games=50)
        print(f"{steps} steps: return {played.mean_return:.2f}, length {played.mean_length:.1f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
