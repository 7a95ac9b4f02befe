"""A third-party learner that knows gymnasium only, skrl's PPO in JAX, trains on many boards."""

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")
pytest.importorskip("skrl")

from tetrax.adapters.registration import ENV_ID  # noqa: E402

NUM_BOARDS = 16
OPTIONS = {"preset": "mini", "actions": "drop", "reward": "survival"}


def train(timesteps, log_dir):
    """Train; return the mean return of the games that ended in each quarter."""
    import flax.linen as nn
    import jax
    from skrl.agents.jax.ppo import PPO, PPO_CFG
    from skrl.envs.wrappers.jax import wrap_env
    from skrl.memories.jax import RandomMemory
    from skrl.models.jax import CategoricalMixin, DeterministicMixin, Model
    from skrl.trainers.jax import SequentialTrainer
    from skrl.utils import set_seed

    class Policy(CategoricalMixin, Model):
        def __init__(self, **spaces):
            Model.__init__(self, **spaces)
            CategoricalMixin.__init__(self, role="policy")

        @nn.compact
        def __call__(self, inputs, role):
            hidden = nn.tanh(nn.Dense(32)(inputs["observations"]))
            return nn.Dense(self.num_actions)(hidden), {}

    class Value(DeterministicMixin, Model):
        def __init__(self, **spaces):
            Model.__init__(self, **spaces)
            DeterministicMixin.__init__(self, role="value")

        @nn.compact
        def __call__(self, inputs, role):
            return nn.Dense(1)(nn.tanh(nn.Dense(32)(inputs["observations"]))), {}

    set_seed(0)
    boards = gymnasium.make_vec(ENV_ID, num_envs=NUM_BOARDS, episode_statistics=True, **OPTIONS)
    games, real_step = [], boards.step

    def step(actions):
        results = real_step(actions)
        if "episode" in results[4]:
            games.append(results[4]["episode"]["r"][results[4]["_episode"]])
        return results

    boards.step = step
    env = wrap_env(boards)
    spaces = {"observation_space": env.observation_space, "action_space": env.action_space}
    models = {"policy": Policy(**spaces), "value": Value(**spaces)}
    for role, model in models.items():
        model.init_state_dict(role=role)
    settings = PPO_CFG(rollouts=16, learning_epochs=4, mini_batches=4, learning_rate=3e-3)
    settings.experiment.directory = str(log_dir)
    settings.experiment.write_interval = settings.experiment.checkpoint_interval = 0
    agent = PPO(
        models=models, memory=RandomMemory(memory_size=16, num_envs=NUM_BOARDS), cfg=settings, **spaces
    )
    start = jax.tree.map(np.array, models["policy"].state_dict.params)
    trainer_settings = {
        "timesteps": timesteps,
        "headless": True,
        "disable_progressbar": True,
        "close_environment_at_exit": False,
    }
    SequentialTrainer(cfg=trainer_settings, env=env, agents=agent).train()
    changed = jax.tree.map(lambda a, b: (a != np.array(b)).any(), start, models["policy"].state_dict.params)
    assert all(jax.tree.leaves(changed))
    quarters = np.array_split(np.arange(len(games)), 4)
    return [float(np.concatenate([games[i] for i in quarter]).mean()) for quarter in quarters]


@pytest.mark.slow
def test_skrl_learns_it(lenient, tmp_path):
    means = train(600, tmp_path)
    assert means[-1] > means[0] + 1, means
