"""The configuration: its JSON is strict and exact, and its checks name what is wrong."""

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tetrax import games
from tetrax.agents import AGENTS
from tetrax.agents.ppo import PPOConfig
from tetrax.env.game.pieces import DOMINOES, TETROMINOES, Piece
from tetrax.env.game.rules import Rules
from tetrax.env.tetris import EnvConfig
from tetrax.fields.errors import UserError, nearest, wrong, wrong_name
from tetrax.networks.network_config import AttentionConfig, NetworkConfig
from tetrax.train import presets
from tetrax.train.config import EvalConfig, TrainConfig, from_json, load_config, to_json, whole_chunks
from tetrax.train.watch_config import WatchConfig

TINY = presets.find("ppo", "tiny")
BAR = (Piece("bar", ("...", "###", "..."), spins=True),)

counts = st.integers(1, 2**31 - 1)
numbers = st.floats(allow_nan=False, allow_infinity=False)
sizes = st.lists(st.integers(1, 999), min_size=1, max_size=4).map(tuple)
rules = st.builds(
    Rules,
    width=st.integers(4, 22),
    height=st.integers(4, 28),
    pieces=st.sampled_from([TETROMINOES, DOMINOES, BAR]),
    randomizer=st.sampled_from(["bag", "uniform"]),
    hold=st.booleans(),
    preview=st.integers(0, 6),
)
environments = st.builds(
    EnvConfig,
    preset=st.text(max_size=8),
    rules=rules,
    actions=st.sampled_from(["drop", "direct"]),
    reward=st.sampled_from(["lines_only", "standard"]),
    time_limit=st.integers(0, 10**6),
)
networks = st.builds(
    NetworkConfig,
    hidden=sizes,
    recurrent=st.sampled_from(["none", "gru"]),
    attention=st.builds(AttentionConfig, scales=sizes, queue=st.booleans()),
)
agents = st.builds(
    PPOConfig,
    num_envs=counts,
    network=networks,
    learning_rate=numbers,
    clip=numbers,
    clip_value_loss=st.booleans(),
)
configurations = st.builds(
    TrainConfig,
    algorithm=st.just("ppo"),
    preset=st.text(max_size=8),
    env=environments,
    agent=agents,
    evaluation=st.builds(EvalConfig, every=st.integers(0, 10**12), episodes=counts),
    total_steps=st.integers(1, 10**15),
    seed=st.integers(0, 2**31 - 1),
    checkpoint_seconds=numbers,
    tensorboard=st.booleans(),
)


@given(configurations)
def test_json_gives_the_same_configuration_back(config: TrainConfig) -> None:
    read = from_json(json.loads(json.dumps(to_json(config))))
    assert read == config
    assert hash(read) == hash(config)
    assert [type(leaf) for leaf in dataclasses.astuple(read)] == [
        type(leaf) for leaf in dataclasses.astuple(config)
    ]


def changed(path: str, value: object) -> dict:
    """Return TINY's JSON with one value changed."""
    document = json.loads(json.dumps(to_json(TINY)))
    *owners, name = path.split(".")
    record = document
    for owner in owners:
        record = record[owner]
    record[name] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("agent.num_envz", 3, ["agent.num_envz", "num_envs"]),
        ("nonsense", 3, ["nonsense", "total_steps"]),
        ("agent.num_envs", 2.5, ["agent.num_envs", "2.5", "integer"]),
        ("agent.num_envs", True, ["agent.num_envs", "True"]),
        ("agent.network.hidden", "wide", ["agent.network.hidden", "wide", "list"]),
        ("agent.network.attention.over", "row", ["agent.network.attention.over", "row", "rows"]),
        ("env.actions", "dorp", ["env.actions", "dorp", "drop"]),
        ("env.rules.width", "10", ["env.rules.width", "'10'", "integer"]),
        ("env.rules.width", 3, ["rules.width", "3", "4 or more", "'I'"]),
        ("env.rules.pieces", [], ["rules.pieces", "1 to 16"]),
        ("evaluation", None, ["evaluation", "null"]),
        ("algorithm", "pp0", ["algorithm", "pp0", "did you mean 'ppo'"]),
        ("algorithm", None, ["algorithm", "None", "ppo"]),
        ("format", 99, ["format", "99", "1"]),
    ],
)
def test_what_does_not_fit_is_named(path: str, value: object, said: list[str]) -> None:
    with pytest.raises(UserError) as error:
        from_json(changed(path, value), "some.json")
    message = str(error.value)
    assert message.startswith("some.json: ")
    assert "\n" not in message
    for words in said:
        assert words in message


@pytest.mark.parametrize("path", ["seed", "agent.clip", "env.rules.pieces", "evaluation.every"])
def test_a_missing_field_is_named(path: str) -> None:
    document = changed(path, None)
    *owners, name = path.split(".")
    record = document
    for owner in owners:
        record = record[owner]
    del record[name]
    with pytest.raises(UserError, match=rf"{path}: missing"):
        from_json(document)


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_format_is_read_with_what_was_meant_then(version: int) -> None:
    document = to_json(TINY)
    document["format"] = version
    del document["start_from"], document["evaluation"]["enough"], document["env"]["params"]
    if version == 1:
        del document["game"]
    assert from_json(document) == TINY
    document |= {"format": 3, "game": "tetris"}
    with pytest.raises(UserError, match="missing"):
        from_json(document)


def test_an_older_format_of_another_game_is_read() -> None:
    config = presets.find("ppo", "tiny", game="gymnax")
    document = to_json(config)
    document["format"] = 2
    del document["start_from"], document["evaluation"]["enough"]
    assert from_json(document) == config


@pytest.mark.parametrize(
    ("algorithm", "version", "meant"),
    [
        ("dreamer", 3, {"planned_simulations": 0, "mirrored": False}),
        ("dreamer", 4, {"mirrored": False}),
        ("beam-value", 4, {"warmup_boards": 0, "candidates": 0, "candidate_boards": 12}),
        ("beam-value", 5, {"candidates": 0, "candidate_boards": 12}),
        ("alphazero", 4, {"form": "actions", "temperature": 0.1}),
    ],
)
def test_an_older_format_has_no_settings_that_its_algorithm_got_since(
    algorithm: str, version: int, meant: dict[str, Any]
) -> None:
    config = presets.find(algorithm, "tiny")
    document = to_json(config)
    for name in meant:
        del document["agent"][name]
    with pytest.raises(UserError, match=rf"agent\.({'|'.join(meant)}): missing"):
        from_json(document)
    document["format"] = version
    assert from_json(document) == dataclasses.replace(
        config, agent=dataclasses.replace(config.agent, **meant)
    )


def test_older_searches_weighed_what_they_found_as_mctx_does() -> None:
    config = presets.find("alphazero", "small")
    document = to_json(config)
    meant = {"value_scale": 0.1, "rescale_values": True}
    for name in meant:
        del document["agent"]["search"][name]
    with pytest.raises(UserError, match=r"agent\.search\.(value_scale|rescale_values): missing"):
        from_json(document)
    document["format"] = 4
    search = dataclasses.replace(config.agent.search, **meant)
    assert from_json(document) == dataclasses.replace(
        config, agent=dataclasses.replace(config.agent, search=search)
    )
    document["agent"]["search"] = 3
    with pytest.raises(UserError, match=r"agent\.search: given 3"):
        from_json(document)


def test_files_that_are_no_configuration(tmp_path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(to_json(TINY)))
    assert load_config(tmp_path / "config.json") == TINY
    (tmp_path / "broken.json").write_text('{"format": 1,')
    (tmp_path / "list.json").write_text("[1, 2]")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    for name, said in {
        "broken.json": "not JSON",
        "list.json": "no configuration",
        "binary.json": "not JSON",
        "absent.json": "does not exist",
        ".": "folder",
    }.items():
        with pytest.raises(UserError, match=said) as error:
            load_config(tmp_path / name)
        assert str(tmp_path) in str(error.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"total_steps": 0}, "--total-steps: given 0; allowed: 1 or more"),
        ({"total_steps": 10**400}, "--total-steps: given 1"),
        (
            {"watch": WatchConfig(alert_command="a\0b")},
            "--watch.alert-command: given 'a\\x00b'; allowed: a comm",
        ),
        (
            {"watch": WatchConfig(alert_command="\ud800")},
            "--watch.alert-command: given '\\ud800'; allowed: a",
        ),
        (
            {"watch": WatchConfig(alert_command=" ")},
            "--watch.alert-command: given ' '; allowed: a command line",
        ),
        ({"seed": -1}, "--seed: given -1; allowed: 0 or more"),
        ({"seed": 2**31 - 1, "num_seeds": 2}, "--seed: given 2147483647; allowed: seeds below"),
        ({"num_seeds": 0}, "--num-seeds: given 0; allowed: 1 or more"),
        ({"chunk_iterations": -2}, "--chunk-iterations: given -2; allowed: 1 or more"),
        ({"keep_checkpoints": 1}, "--keep-checkpoints: given 1; allowed: 2 or more"),
        ({"checkpoint_seconds": float("nan")}, "--checkpoint-seconds: given nan"),
        ({"checkpoint_seconds": float("inf")}, "--checkpoint-seconds: given inf"),
        ({"evaluation": EvalConfig(episodes=0)}, "--evaluation.episodes: given 0; allowed: 1 or more"),
        ({"evaluation": EvalConfig(every=-1)}, "--evaluation.every: given -1; allowed: 0 or more"),
        (
            {"evaluation": EvalConfig(enough=float("inf"))},
            "--evaluation.enough: given inf; allowed: a finite",
        ),
        ({"evaluation": EvalConfig(enough=True)}, "--evaluation.enough: given True; allowed: a finite"),
        (
            {"evaluation": EvalConfig(every=0, enough=2.0)},
            "--evaluation.enough: given 2.0; allowed: None, or",
        ),
        ({"agent": PPOConfig(num_minibatches=7)}, "agent.num_minibatches: given 7; allowed: a divisor"),
    ],
)
def test_validate_names_what_cannot_work(change: dict, said: str) -> None:
    with pytest.raises(UserError) as error:
        dataclasses.replace(TINY, **change).validate()
    assert str(error.value).startswith(said)


def test_every_preset_can_work_and_every_algorithm_has_three_sizes() -> None:
    assert set(presets.PRESETS) == set(AGENTS) - {"toy"}  # the tests' own
    for algorithm, by_name in presets.PRESETS.items():
        assert {"tiny", "small", "large"} <= set(by_name)
        for name, variants in by_name.items():
            for variant, config in variants.items():
                config.validate()
                assert (config.algorithm, config.preset) == (algorithm, name)
                if config.game != "tetris":
                    assert variant in (config.game, games.word_for(config.game, config.env))
                    continue
                actions, _, observation = variant.partition("/")
                assert config.env.actions == actions
                assert observation in ("", config.env.observation)


def test_whole_chunks_rounds_up() -> None:
    assert [whole_chunks(steps, 10) for steps in (1, 9, 10, 11, 20)] == [1, 1, 1, 2, 2]


def test_steps_per_chunk_counts_the_boards_of_one_seed() -> None:
    agent = PPOConfig(num_envs=6, num_steps=4, num_minibatches=2)
    config = dataclasses.replace(TINY, agent=agent, chunk_iterations=5, num_seeds=3)
    assert config.steps_per_chunk() == 6 * 4 * 5


def test_errors_are_one_line_with_the_nearest_name() -> None:
    assert str(UserError("two\n  lines")) == "two lines"
    assert str(wrong("--x", 3, "4 or more")) == "--x: given 3; allowed: 4 or more"
    assert (
        str(wrong_name("--y", "Tniy", ["tiny", "large"]))
        == "--y: given 'Tniy'; allowed: large, tiny; did you mean 'tiny'?"
    )
    assert nearest("zzz", ["tiny", "large"]) is None
