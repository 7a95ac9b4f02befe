"""The one configuration that the tests of gymnasium's interface play, so that its programs are compiled once."""

import sys
from types import ModuleType

import gymnasium
import numpy as np

from tetrax.adapters.registration import ENV_ID

OPTIONS = {
    "preset": "guideline",
    "actions": "drop",
    "reward": "survival",
    "width": 6,
    "height": 8,
    "buffer": 4,
    "preview": 2,
    "hold": False,
    "time_limit": 6,
}
NUM_ACTIONS = 4 * 6
NUM_BOARDS = 4


def make(**options):
    return gymnasium.make(ENV_ID, **{**OPTIONS, **options})


def make_vec(**options):
    return gymnasium.make_vec(ENV_ID, num_envs=NUM_BOARDS, **{**OPTIONS, **options})


def play(env, seed, *, legal=True):
    """Play a game of random placements; return everything that came back."""
    observation, info = env.reset(seed=seed)
    results = [(observation, 0.0, False, False, info)]
    env.action_space.seed(seed)
    while not (results[-1][2] or results[-1][3]):
        mask = results[-1][4]["action_mask"] if legal else None
        results.append(env.step(env.action_space.sample(mask)))
    return results


def stand_in_for_moviepy(monkeypatch):
    """Put a module in the place of moviepy, an encoder that we do not ask for; return the clips that it is given."""
    clips = []

    class ImageSequenceClip:
        def __init__(self, frames, fps):
            clips.append(np.stack(frames))
            assert fps > 0

        def write_videofile(self, path, logger=None):
            with open(path, "wb") as file:
                file.write(b"a video")

    for name in ("moviepy", "moviepy.video", "moviepy.video.io", "moviepy.video.io.ImageSequenceClip"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules["moviepy.video.io.ImageSequenceClip"].ImageSequenceClip = ImageSequenceClip
    return clips
