"""Rewards, worked by hand; by name, as records, as functions."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import pytest

import tetrax
from tetrax.env import reward
from tetrax.env.game.state import no_event
from tetrax.env.reward import REWARDS, RewardRule
from tetrax.env.tetris import EnvConfig
from tetrax.fields.as_json import from_json, to_json

# Every term at once; other rewards are read off its terms, so that few programs are compiled.
EVERYTHING = RewardRule(
    lines=1.0, piece=1.0, game_over=1.0, hold_refused=1.0, early_loss=1.0, score=1.0, attack=1.0,
    aggregate_height=1.0, holes=1.0, bumpiness=1.0, potential_aggregate_height=1.0, potential_holes=1.0,
    potential_bumpiness=1.0,
)  # fmt: skip

ALMOST = """
#########.
#########.
"""


@pytest.fixture(scope="module")
def drop():
    """Play one placement under a reward with every term; return the states, the event and its terms."""
    env = tetrax.make(actions="drop", reward=EVERYTHING, hold=False, preview=1, lives=2)
    step = jax.jit(env.transition)

    def play(drawing, piece, action, **fields):
        before = tetrax.state_from_ascii(env, drawing, piece=piece)
        before = before.replace(**{name: jnp.int32(value) for name, value in fields.items()})
        after, *_, event = step(before, env.action_names.index(action), env.default_params)
        return before, after, event

    return play


def worth(rule: RewardRule, before, after, event, **weights: float) -> float:
    """Return the reward of a step that is known, under another rule and other weights."""
    rules = tetrax.make().rules
    params = reward.default_params(rule).replace(**{name: jnp.float32(x) for name, x in weights.items()})
    return float(reward.total(reward.terms(rule, rules, params, before, after, event)))


@pytest.mark.parametrize(
    ("name", "lines_before", "expected"),
    [
        ("lines_only", 0, 3.0),  # two lines are 3, times 0 // 10 + 1
        ("lines_only", 9, 3.0),
        ("lines_only", 25, 9.0),  # 3 x (25 // 10 + 1)
        ("survival", 25, 2.0),  # a line is a line
        # standard: 5 x (0 + 1). Heights before: nine columns of 2, one of 0: sum 18, one step of 2.
        # After: one column of 2: sum 2, one step of 2. No holes. -0.5 x (2 - 18 + 0 + 2 - 2) = 8.
        ("standard", 0, 13.0),
        ("standard", 10, 18.0),  # 5 x 2 + 8
        ("stacking", 10, 16.0),  # 5, 3 for the piece, and the same 8
        # A double on level 1 is 300 points. The I lies in row 2 of its box and enters in row 20, from where it
        # falls one at once: its box is in row 17. It comes to rest in row 0: 17 cells of hard drop are 34.
        ("score", 0, 3.34),
        ("score", 10, 6.34),  # level 2
        ("attack", 0, 1.0),  # a double sends one row
        # Two lines; the potential was -0.02 x 18 - 0.02 x 2 = -0.4 and is -0.02 x 2 - 0.02 x 2 = -0.08:
        # 2 + 0.99 x -0.08 + 0.4.
        ("potential", 0, 2.3208),
        ("shaped_lines", 10, 3.46),  # 3, 0.3 for the piece, and -0.01 x (2 - 18 + 2 - 2) = 0.16
        ("penalties", 0, 2.0),
    ],
)
def test_two_lines(drop, name, lines_before, expected):
    before, after, event = drop(ALMOST, "I", "drop_R_9", lines=lines_before)
    assert event.lines == 2
    assert worth(REWARDS[name], before, after, event) == pytest.approx(expected, abs=1e-5)


def test_standard_counts_holes_and_steps(drop):
    # O on the columns 0 and 1: heights 3 and 3, over one hole at (1, 0). Sum 6 (was 1), holes 1,
    # one step of 3 (was 1).
    _, _, event = drop("#.........", "O", "drop_0_0")
    terms = event.reward_terms
    assert (float(terms.aggregate_height), float(terms.holes), float(terms.bumpiness)) == (5.0, 1.0, 2.0)
    # The potential, every weight one: 0.99 x (6 + 1 + 3) - (1 + 0 + 1).
    assert float(terms.shaping) == pytest.approx(7.9)


def test_stacking_pays_for_pieces(drop):
    # O on the floor at the left: sum of heights +4, one step of 2: 3 - 0.5 x (4 + 2) = 0.
    assert worth(REWARDS["stacking"], *drop("", "O", "drop_0_0")) == 0.0


def test_a_clear_in_a_row_after_a_tetris_is_scored_and_sent(drop):
    four = "\n".join(["#########."] * 4)
    before, after, event = drop(four, "I", "drop_R_9", combo=1, back_to_back=0)
    # 800 x 1.5 for back-to-back, the third clear in a row 50 x 2, the board empty 3200; 17 cells fallen are 34.
    assert worth(REWARDS["score"], before, after, event) == pytest.approx(0.01 * (1200 + 100 + 3200 + 34))
    # Rows: 4, 1 for back-to-back, 1 for the third clear in a row; 10 for the empty board.
    assert worth(REWARDS["attack"], before, after, event) == 16.0


TOWER = "\n".join(["....##...."] * 20)


def lost(drop, pieces: int):
    """Lock an O in rows 20 and 21, all above the visible rows."""
    before, after, event = drop(TOWER, "O", "drop_0_4", pieces=pieces, lives=1)
    assert event.life_lost
    assert after.game_over
    return before, after, event


@pytest.mark.parametrize(
    ("name", "pieces", "expected"),
    [
        ("lines_only", 0, 0.0),
        ("survival", 0, -10.0),
        # With the piece that loses, 25 are placed: -10 x (1 - 25 / 100); none is paid for once 100 are.
        ("penalties", 24, -7.5),
        ("penalties", 99, 0.0),
        ("penalties", 500, 0.0),
        # Twenty rows of two cells: sum 40, steps 20 + 20. -0.02 x (40 + 40) = -1.6 was the potential, and
        # there is none after the end: -10 - (-1.6).
        ("potential", 0, -8.4),
    ],
)
def test_losing(drop, name, pieces, expected):
    assert worth(REWARDS[name], *lost(drop, pieces)) == pytest.approx(expected, abs=1e-5)


def test_nothing_is_worth_anything_after_the_end(drop):
    _, after, _ = lost(drop, 3)
    assert worth(EVERYTHING, after, after, no_event(after)) == 0.0


def test_every_weight_is_a_number_that_may_change(drop):
    step = drop(ALMOST, "I", "drop_R_9")
    assert worth(REWARDS["survival"], *step, lines=7.0, piece=0.5) == 14.5
    assert worth(REWARDS["score"], *step, score=0.5) == 167.0
    loss = lost(drop, 24)
    assert worth(REWARDS["penalties"], *loss, early_loss=-1.0, early_loss_pieces=50.0) == -0.5
    assert worth(REWARDS["potential"], *step, discount=0.5) == pytest.approx(2 + 0.5 * -0.08 + 0.4)


def test_a_refused_hold_is_a_penalty(drop):
    before, _, _ = drop("", "O", "drop_0_0")
    nothing = no_event(before)
    assert worth(REWARDS["penalties"], before, before, nothing) == 0.0
    refused = nothing.replace(hold_refused=jnp.bool_(True))
    assert worth(REWARDS["penalties"], before, before, refused) == pytest.approx(-0.1)


def test_each_life_lost_counts_and_only_the_last_is_the_end(drop):
    before, after, event = drop(TOWER, "O", "drop_0_4", lives=2)
    assert not after.game_over
    assert worth(REWARDS["survival"], before, after, event) == -10.0
    # The potential is -1.6, and 0 on the empty board on which play goes on.
    assert worth(REWARDS["potential"], before, after, event) == pytest.approx(-10.0 + 1.6)
    assert after.rows.tolist() == [0] * 40


def three_for_a_lock(rules, params, before, after, event):
    """Pay three for a lock, and the width of the board for a line."""
    del params, before, after
    return jnp.where(event.locked, 3.0, 0.0) + rules.width * event.lines.astype(jnp.float32)


def test_a_function_may_be_a_reward():
    env = tetrax.make("mini", actions="drop", reward=three_for_a_lock, ghost_outcome=True)
    assert env == tetrax.make("mini", actions="drop", reward=three_for_a_lock, ghost_outcome=True)
    state = tetrax.state_from_ascii(env, "##..")
    step = jax.jit(env.transition)
    after, gained, *_, event = step(state, env.action_names.index("drop_0_2"), env.default_params)
    assert float(gained) == 3.0 + 4.0
    assert float(event.reward_terms.injected) == 7.0
    seen = jax.eval_shape(env.observe, state)
    assert seen.afterstates.reward is None  # what it would give is not known before the step
    assert seen.ghost.reward is None
    params = env.default_params
    half = params.replace(reward=params.reward.replace(injected=jnp.float32(0.5)))
    assert float(step(state, env.action_names.index("drop_0_2"), half)[1]) == 3.5
    over = after.replace(game_over=jnp.bool_(True))
    assert float(step(over, 0, params)[1]) == 0.0


def test_a_function_that_returns_no_single_number_is_refused():
    env = tetrax.make("mini", actions="drop", reward=lambda rules, params, before, after, event: after.queue)
    with pytest.raises(ValueError, match=r"env.reward: given a function that returns shape \(1,\); allowed"):
        jax.eval_shape(env.reset, jax.random.key(0))


def test_names_and_records_survive_a_file_and_functions_say_that_they_do_not():
    for chosen in ("attack", RewardRule(lines=2.0, score=0.5, potential_holes=-1.0)):
        config = EnvConfig(reward=chosen)
        back = from_json(EnvConfig, json.loads(json.dumps(to_json(config))), path="env")
        assert back == config
        assert hash(back) == hash(config)
    with pytest.raises(ValueError, match="reward: given the function three_for_a_lock, which a file cannot"):
        to_json(EnvConfig(reward=three_for_a_lock))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("standerd", "env.reward: given 'standerd'; allowed: .* did you mean 'standard'"),
        (3, "env.reward: given 3; allowed: 'lines_only', .* or an object"),
        ({"lines": "1"}, "env.reward.lines: given '1'; allowed: a number"),
        ({"lines": 1.0, "discount": 1.5}, "env.reward.discount: given 1.5; allowed: a number from 0 to 1"),
    ],
)
def test_a_wrong_reward_in_a_file_is_named(given, message):
    data = to_json(EnvConfig()) | {"reward": given}
    with pytest.raises(ValueError, match=message):
        from_json(EnvConfig, data, path="env", partial=True)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: tetrax.make(reward="standerd"), "env.reward: given 'standerd'; .* did you mean 'standard'"),
        (lambda: tetrax.make(reward=3), "env.reward: given 3; allowed: lines_only, standard"),
        (lambda: RewardRule(lines=float("nan")), "lines: given nan; allowed: a finite number"),
        (lambda: RewardRule(lines=None), "lines: given None; allowed: a finite number"),
        (lambda: RewardRule(score=True), "score: given True; allowed: a finite number"),
        (
            lambda: RewardRule(line_values=()),
            r"line_values: given \(\); allowed: a tuple of one number or more",
        ),
        (lambda: RewardRule(by_level=1), "by_level: given 1; allowed: True or False"),
        (lambda: RewardRule(discount=1.01), "discount: given 1.01; allowed: a number from 0 to 1"),
        (lambda: RewardRule(early_loss_pieces=0), "early_loss_pieces: given 0; allowed: more than 0 pieces"),
    ],
)
def test_a_wrong_reward_is_refused_by_name(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


def test_params_of_another_reward_are_refused():
    env, other = tetrax.make("mini", reward="score"), tetrax.make("mini", reward="survival")
    with pytest.raises(ValueError, match=r"params\.reward\.score: given None; allowed: a weight, as in"):
        jax.eval_shape(env.reset, jax.random.key(0), other.default_params)


def test_terms_left_out_have_no_weight():
    for name, rule in REWARDS.items():
        params = reward.default_params(name)
        given = {field: float(x) for field, x in vars(params).items() if x is not None}
        assert given == pytest.approx(rule.weights)
        assert ("discount" in given) == (name == "potential")
        assert ("early_loss_pieces" in given) == (name == "penalties")
        assert [field.name for field in dataclasses.fields(rule)][2:] == list(vars(params))[:-1]
