"""gymnasium's own wrappers round our environments, one board and many, as its users put them."""

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")
from gymnasium import wrappers  # noqa: E402
from gymnasium.error import ResetNeeded  # noqa: E402
from gymnasium.vector import AutoresetMode  # noqa: E402
from gymnasium.wrappers import vector as vector_wrappers  # noqa: E402

from tests.adapters.boards import NUM_ACTIONS, NUM_BOARDS, make, make_vec, play, stand_in_for_moviepy  # noqa: E402
from tetrax.adapters.views import enlarge  # noqa: E402


def test_episode_statistics():
    env = wrappers.RecordEpisodeStatistics(make())
    results = play(env, 3)
    told, ours = results[-1][4]["episode"], play(make(episode_statistics=True), 3)[-1][4]["episode"]
    assert (told["r"], told["l"]) == (ours["r"], ours["l"])
    assert list(env.length_queue) == [len(results) - 1]


@pytest.mark.parametrize(
    "mode", [pytest.param(AutoresetMode.SAME_STEP, marks=pytest.mark.slow), AutoresetMode.NEXT_STEP]
)
@pytest.mark.slow
def test_episode_statistics_of_many_boards(mode):
    """With SAME_STEP gymnasium's wrapper leaves the first step of every later game out; ours do not."""
    theirs = vector_wrappers.RecordEpisodeStatistics(make_vec(autoreset_mode=mode))
    ours = make_vec(autoreset_mode=mode, episode_statistics=True)
    theirs.reset(seed=1)
    ours.reset(seed=1)
    num_games = np.zeros(NUM_BOARDS, int)
    for step in range(16):
        actions = np.arange(NUM_BOARDS) + step
        infos, expected = theirs.step(actions)[4], ours.step(actions)[4]
        assert ("episode" in infos) == ("episode" in expected)
        if "episode" in infos:
            np.testing.assert_array_equal(infos["_episode"], expected["_episode"])
            is_short = infos["_episode"] & (num_games > 0) & (mode is AutoresetMode.SAME_STEP)
            np.testing.assert_array_equal(infos["episode"]["l"] + is_short, expected["episode"]["l"])
            num_games += infos["_episode"]
    assert num_games.sum() == theirs.episode_count > NUM_BOARDS


@pytest.mark.parametrize("wrapped", ["make", "wrapper"])
def test_time_limit(wrapped):
    env = make(max_episode_steps=3) if wrapped == "make" else wrappers.TimeLimit(make(), 3)
    results = play(env, 0)
    assert [result[3] for result in results] == [False, False, False, True]
    assert not results[-1][2]


@pytest.mark.parametrize(
    "own_limit", [pytest.param(0, marks=pytest.mark.slow), 2, pytest.param(9, marks=pytest.mark.slow)]
)
@pytest.mark.slow
def test_a_limit_of_many_boards_is_the_shorter_one(own_limit):
    boards = make_vec(max_episode_steps=3, time_limit=own_limit)
    boards.reset(seed=0)
    truncated = [boards.step(np.zeros(NUM_BOARDS, int))[3].all() for _ in range(4)]
    assert truncated == [step % min(own_limit or 3, 3) == 0 for step in range(1, 5)]
    assert make_vec(max_episode_steps=-1).view.env.config.time_limit == 6
    for wrong in (0, 1.5, "3"):
        with pytest.raises(
            ValueError, match=r"max_episode_steps: given .*; allowed: a whole number from 1 to"
        ):
            make_vec(max_episode_steps=wrong)


def test_videos(tmp_path, monkeypatch):
    clips = stand_in_for_moviepy(monkeypatch)
    env = wrappers.RecordVideo(
        make(render_mode="rgb_array"), str(tmp_path / "videos"), episode_trigger=lambda game: True
    )
    num_steps = [len(play(env, seed)) for seed in (3, 4)]
    env.close()
    assert [len(clip) for clip in clips] == num_steps
    assert all(clip.dtype == np.uint8 and clip.shape[3] == 3 for clip in clips)
    assert (clips[0][0] != clips[0][-1]).any()
    assert len(list(tmp_path.glob("videos/*.mp4"))) == 2


@pytest.mark.skipif(
    not hasattr(vector_wrappers, "RecordVideo"), reason="this gymnasium films single boards alone"
)
def test_videos_of_many_boards(tmp_path, monkeypatch):
    clips = stand_in_for_moviepy(monkeypatch)
    boards = make_vec(render_mode="rgb_array", autoreset_mode="NextStep")
    env = vector_wrappers.RecordVideo(
        boards, str(tmp_path / "videos"), video_length=2, episode_trigger=lambda game: True
    )
    env.reset(seed=0)
    one = boards.render()[0].shape
    for _ in range(3):
        env.step(np.zeros(NUM_BOARDS, int))
    env.close()
    assert clips[0].dtype == np.uint8
    assert clips[0].shape[1] * clips[0].shape[2] >= NUM_BOARDS * one[0] * one[1]


@pytest.mark.parametrize("observation", ["flat", "image"])
def test_stacked_frames(observation):
    env = wrappers.FrameStackObservation(make(observation=observation), 3, padding_type="zero")
    seen = [result[0] for result in play(env, 3)]
    alone = [result[0] for result in play(make(observation=observation), 3)]
    assert seen[0] in env.observation_space
    assert env.observation_space.shape == (3, *alone[0].shape)
    np.testing.assert_array_equal(seen[2], np.stack(alone[:3]))
    np.testing.assert_array_equal(seen[0], np.stack([alone[0] * 0, alone[0] * 0, alone[0]]))


def test_normalisation():
    env = wrappers.NormalizeReward(wrappers.NormalizeObservation(make()))
    seen = [result[0] for seed in range(3) for result in play(env, seed)]
    assert all(each in env.observation_space and np.isfinite(each).all() for each in seen)
    boards = vector_wrappers.NormalizeReward(
        vector_wrappers.NormalizeObservation(make_vec(autoreset_mode="NextStep"))
    )
    boards.reset(seed=0)
    several = [boards.step(np.full(NUM_BOARDS, action)) for action in range(12)]
    assert np.abs(np.mean([each[0] for each in several[3:]])) < 1
    assert all(np.isfinite(each[1]).all() for each in several)


def test_masks_for_those_who_ask_by_that_name():
    env, boards = make(), make_vec()
    for each in (env.unwrapped, boards):
        with pytest.raises(ResetNeeded, match="action_masks"):
            each.action_masks()
    _, info = env.reset(seed=0)
    ask = wrappers.TimeLimit(env, 5).get_wrapper_attr("action_masks")
    masks = ask()
    assert (masks.dtype, masks.shape) == (np.bool_, (NUM_ACTIONS,))
    np.testing.assert_array_equal(masks, info["action_mask"])
    assert not masks.all() and masks.any()
    info = env.step(int(np.flatnonzero(masks)[-1]))[4]
    np.testing.assert_array_equal(ask(), info["action_mask"])
    boards.reset(seed=0)
    np.testing.assert_array_equal(boards.action_masks()[0], masks)


def test_an_image_is_large_and_the_right_way_up():
    planes = np.zeros((10, 6, 3), np.uint8)
    planes[0, 5, 0] = 1  # the lower right cell is locked
    planes[9, 0, 1] = 1  # the active piece is in the upper left one
    image = np.asarray(enlarge(planes))
    assert (image.shape, image.dtype) == ((90, 84, 3), np.uint8)  # cells of 9 by 14 pixels
    locked, active = np.zeros((2, 90, 84), np.uint8)
    locked[81:, 70:] = active[:9, :14] = 255
    np.testing.assert_array_equal(image[..., 0], locked)
    np.testing.assert_array_equal(image[..., 1], active)


def test_images_are_planes_enlarged():
    image, _ = make(observation="image").reset(seed=5)
    planes, _ = make(observation="planes").reset(seed=5)
    space = make(observation="image").observation_space
    assert image in space
    assert (space.shape, space.dtype, space.low.min(), space.high.max()) == ((90, 84, 3), np.uint8, 0, 255)
    np.testing.assert_array_equal(image[::9, ::14] // 255, planes[::-1])
    seen, _ = make_vec(observation="image").reset(seed=5)
    np.testing.assert_array_equal(seen[0], image)
