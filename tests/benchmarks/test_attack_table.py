"""The table of who sends how much."""

import json

import numpy as np
import pytest

from benchmarks import attack_games, attack_page, attack_table
from benchmarks.attack_page import Result


def test_people_stand_among_the_policies():
    low = Result("a", "any place", "drop", 1000, 1.5, 0.25, 0.0123, 3)
    high = Result("b", "a planner", "locked_position", 64, 45.0, 1.0, 7.04, 0)
    lines = attack_page.content([low, high]).splitlines()
    assert (
        lines[2] == "| any place (3 lost before) | straight drops | 1,000 | 0.030 | 1.50 ± 0.25 | 0.012 ms |"
    )
    assert [line.split(" | ")[0] for line in lines[3:5]] == [
        "| people in recorded games",
        "| best people, as published",
    ]
    assert lines[4].startswith("| best people, as published | any place |  | 0.878 | 43.92 |")
    assert lines[5] == "| a planner | any place | 64 | 0.900 | 45.00 ± 1.00 | 7.0 ms |"


def test_who_is_measured_is_kept():
    """Each file in benchmarks/results/attack is of somebody whom the program still knows."""
    known = attack_table.find_players()
    for result in attack_page.read():
        assert known[result.name][0] == result.title
        assert 0 <= result.mean <= 10 * attack_page.PLACEMENTS and result.games > 0


def test_a_policy_that_is_not_there_is_one_line(capsys):
    assert attack_table.main(["--policies", "beam-7"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: --policies: given 'beam-7'; allowed: attack-50, attack-50-alone, bcts, ")
    assert error.count("\n") == 1


@pytest.mark.slow
def test_a_value_alone_makes_the_placement_after_which_it_is_highest():
    """What it sends and what the value says of the board after it come to the most of all placements."""
    import jax
    import jax.numpy as jnp

    from tetrax.env.contract import Sight
    from tetrax.search import board_value, playing, stacks
    from tetrax.search.attack_weights import unflatten

    env, actor = attack_table.find_players()["attack-50-alone"][1]()
    params, key = env.default_params, jax.random.key(3, impl="threefry2x32")
    state = jax.jit(env.init)(key, params)
    sight = Sight(observation=None, is_first=None, state=jax.tree.map(lambda leaf: leaf[None], state))
    action, _, told = jax.jit(actor.act, static_argnums=4)(actor.policy, sight, (), key, True)
    ((action,), (best,)) = action.tolist(), told["value"].tolist()
    legal = np.flatnonzero(np.asarray(jax.jit(env.observe)(state, params).legal))
    weights = jax.tree.map(lambda leaf: leaf[None], unflatten(actor.policy.weights))

    @jax.jit
    def judge(action):
        after, _, _, _, event = env.transition(state, action, params)
        position = board_value.Position(
            stack=jnp.stack(stacks.from_rows(env.rules, after.rows))[:, None],
            hold=after.hold[None],
            chain=jnp.minimum(after.back_to_back, 0)[None],
            combo=(after.combo + 1)[None],
            bag=state.bag[None],  # after all that is seen
            left=jnp.int32([attack_page.PLACEMENTS - 1]),
        )
        total = board_value.total(env.rules, weights, actor.policy.value, position)
        return jnp.sum(event.attack) + total[0]

    worth = {number: float(judge(jnp.int32(number))) for number in legal.tolist()}
    assert best == pytest.approx(max(worth.values()), abs=1e-4)
    assert worth[action] == pytest.approx(best, abs=1e-4)
    assert len(legal) < playing.MOST_BOARDS


@pytest.mark.slow
def test_games_are_played_some_side_by_side():
    import tetrax
    from tetrax.agents import baselines

    env = tetrax.make("mini", actions="drop")
    rows, seconds, lost = attack_table.play(
        env, baselines.random(env), attack_table.Options(games=5, together=2)
    )
    assert len(rows) == 5 and min(rows) >= 0 and seconds > 0
    assert 0 <= lost <= 5


def test_games_to_look_at_are_chosen_by_the_rows_that_they_sent():
    """Of five games that sent 40, 60, 40, 51 and 60 the third best is the median; equals: who played first."""
    assert attack_games.choose(np.array([40, 60, 40, 51, 60])) == {"best": 1, "median": 3, "worst": 0}
    assert attack_games.choose(np.array([7])) == {"best": 0, "median": 0, "worst": 0}


@pytest.mark.slow
def test_the_games_that_are_kept_are_those_that_were_played(tmp_path, monkeypatch, capsys):
    from tetrax.env import record

    monkeypatch.setattr(attack_games, "RECORDINGS", tmp_path / "recordings")
    monkeypatch.setattr(attack_games, "PICTURES", tmp_path / "pictures")
    assert attack_games.main(["--policy", "pretrained/guideline", "--games", "3", "--save"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["games"] == 3 and found["worst game"]["rows"] <= found["best game"]["rows"]
    for name in ("best", "median", "worst"):
        recording = record.load(tmp_path / "recordings" / f"attack-{name}.json")
        replayed = record.replay(recording)
        assert len(recording.actions) == attack_page.PLACEMENTS
        assert int(np.sum(replayed.events.attack)) == found[f"{name} game"]["rows"]
        assert (tmp_path / "pictures" / f"attack-{name}.gif").read_bytes().startswith(b"GIF8")
