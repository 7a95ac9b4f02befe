"""The ablation: each variant lacks its part and nothing else, runs go on, the table says what the files say."""

import dataclasses
import json
import re

import pytest

from benchmarks import ablation, ablation_page, ablation_results, measure, tables
from tetrax.fields.errors import UserError
from tetrax.train.command import cli

STEPS = 1_000
EPSILON = {
    "epsilon_start": 1.0,
    "epsilon_final": 0.01,
    "epsilon_steps": 200.0,
}  # falls over a fifth of the steps
LACKING = {
    "all-parts": {},
    "without-double": {"double": False},
    "without-dueling": {"dueling": False},
    "without-prioritised-replay": {"prioritised": False},
    "without-n-step": {"n_step": 1},
    "without-distribution": {"distribution": "none"},
    "without-noise": {"noisy": False, **EPSILON},
    "no-parts": {
        "double": False, "dueling": False, "prioritised": False, "n_step": 1, "distribution": "none",
        "noisy": False, **EPSILON,
    },
}  # fmt: skip


def config_of(name, actions="drop"):
    """Return what the command of a variant trains; parsing it checks that it can be trained."""
    options = ablation.Options(actions=actions, steps=STEPS)
    return cli.parse(ablation.training_words(options, name)).config


@pytest.mark.parametrize(("actions", "names"), [("drop", list(LACKING)), ("direct", ["no-parts"])])
def test_each_variant_lacks_its_part_and_nothing_else(actions, names):
    assert list(ablation_results.variants(STEPS)) == list(LACKING)
    whole = config_of("all-parts", actions)
    agent = whole.agent
    assert (agent.double, agent.dueling, agent.prioritised, agent.noisy) == (True,) * 4
    assert (agent.n_step, agent.distribution, agent.epsilon_start) == (3, "categorical", 0.0)
    assert (whole.env.actions, whole.total_steps, whole.num_seeds) == (actions, STEPS, 3)
    for name in names:
        config = config_of(name, actions)
        changed = {
            field.name: getattr(config.agent, field.name)
            for field in dataclasses.fields(agent)
            if getattr(config.agent, field.name) != getattr(agent, field.name)
        }
        assert changed == LACKING[name], name
        assert config.agent.target_network == "periodic"
        assert dataclasses.replace(config, agent=agent) == whole


def evaluation(lines, games=256, max_pieces=500):
    return {"games": games, "max_pieces": max_pieces, "capped": 0, "lines": lines}


def kept(name="all-parts", **changed):
    """Return a result of two seeds: 1,000 steps after 100 random ones, in five parts."""
    # Seed 0: 25 games in 1,000 steps. The last tenth begins at 100 + 0.9 * 1000 = 1000: 5 in 100 steps, 50 in 1,000.
    first = [[300, 1.0, 5.0], [500, 2.0, 5.0], [700, 3.0, 5.0], [900, 4.0, 5.0], [1100, 10.0, 5.0]]
    # Seed 1: 2 + 1 + 3 games, and 1 + 3 in the last 100 steps: 6 and 40 in 1,000.
    second = [[300, 0.0, 2.0], [1050, 2.0, 1.0], [1100, 10.0, 3.0]]
    seeds = [
        {"seed": 0, "points": first, "evaluation": evaluation(110.0)},
        {"seed": 1, "points": second, "evaluation": evaluation(90.0)},
    ]
    result = ablation_results.Result(
        name=name, actions="drop", command=f"python -m {name}", machine="two cores", date="2000-01-02",
        commit="0123456789", steps=1_000, warmup_steps=100, seconds=61.4, seeds=seeds,
    )  # fmt: skip
    return dataclasses.replace(result, **changed)


def write(folder, *results):
    for one in results:
        (folder / one.file_name).write_text(ablation_results.to_text(one))


PAGE = """\
### Rainbow without each of its parts, `drop`

| variant | lines, greedy | games ended per 1,000 steps of training | the same, in the last tenth | training, s |
|---|---:|---:|---:|---:|
| `all-parts` | 100 ± 14.1 | 15.5 ± 13.4 | 45 ± 7.07 | 61 |
| `without-noise` | 5 ± 0 | 9 ± 0 | 0 ± 0 | 1,234 |

Mean ± standard deviation over seeds: 2 seeds, 1,000 steps after 100 random ones, then 256 greedy games of \
at most 500 pieces each.

![ablation, drop](charts/ablation-drop.svg)

- `python -m all-parts`: two cores; 2000-01-02, commit 0123456
- `python -m without-noise`: two cores; 2000-01-02, commit 0123456
"""


def without_noise():
    """Return a variant that is equal in both seeds and ends no game in the last tenth."""
    seed = {"points": [[300, 1.0, 9.0]], "evaluation": evaluation(5.0)}
    return kept("without-noise", seconds=1234.0, seeds=[{"seed": 0, **seed}, {"seed": 1, **seed}])


def test_the_table_says_what_the_files_say(tmp_path):
    write(tmp_path, without_noise(), kept())
    found = ablation_results.read(tmp_path)
    assert [one.name for one in found] == ["all-parts", "without-noise"]
    assert ablation_page.content(found) == PAGE


def test_a_curve_counts_the_games_that_ended_in_each_twentieth():
    # 50 steps each, the first up to 150. Seed 1 of `kept` ends 2 games up to 300, 1 up to 1050 and 3 up to 1100.
    one = kept()
    curve = ablation_page.count_ended_over_steps(one, one.seeds[1]["points"])
    assert [step for step, _ in curve] == [150 + 50 * number for number in range(20)]
    assert [rate for _, rate in curve] == pytest.approx([0, 0, 0, 40, *[0] * 14, 20, 60])


def test_each_action_set_is_drawn_and_the_same_each_time(tmp_path):
    found = [kept(), without_noise(), kept(actions="direct")]
    first, second = tmp_path / "first", tmp_path / "second"
    names = [path.name for path in ablation_page.draw(found, first)]
    assert names == ["ablation-drop.svg", "ablation-direct.svg"]
    ablation_page.draw(found, second)
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes()
        assert f"(charts/{name})" in ablation_page.content(found)


def test_without_results_the_section_is_empty_and_nothing_is_drawn(tmp_path):
    assert ablation_page.content(ablation_results.read(tmp_path / "none")) == ""
    assert ablation_page.draw([], tmp_path / "charts") == []
    assert not (tmp_path / "charts").exists()
    assert tables.AGENTS in tables.make_texts()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("drop-all-parts.json", "{", "given no result"),
        ("drop-all-parts.json", json.dumps({"name": "all-parts"}), "given no result"),
        (
            "drop-all-parts.json",
            ablation_results.to_text(kept(seeds=[{"seed": 0}])),
            "given no result ('points')",
        ),
        ("drop-all-parts.json", ablation_results.to_text(kept(seeds=[])), "with 0 seeds"),
        ("drop-no-parts.json", ablation_results.to_text(kept()), "allowed: ACTIONS-NAME.json"),
        ("drop-nothing.json", ablation_results.to_text(kept("nothing")), "given 'nothing' of 'drop'"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(name, text, said, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=re.escape(said)) as raised:
        ablation_results.read(tmp_path)
    assert str(raised.value).startswith(str(tmp_path / name))


def test_variants_that_cannot_be_compared_are_refused():
    with pytest.raises(
        UserError, match=r"drop-no-parts\.json: given 2 seeds, 900 steps .* as in drop-all-parts"
    ):
        ablation_page.content([kept(), kept("no-parts", steps=900)])


def finished_run(root, words):
    """Write what a run of two seeds leaves: 2 chunks of 512 steps, in 2 and 4 seconds, after 300 random steps."""
    agent = {"num_envs": 16, "num_steps": 16, "replay_capacity": 4096, "warmup_steps": 300}
    root.mkdir(parents=True)
    (root / "config.json").write_text(json.dumps({"seed": 7, "num_seeds": 2, "agent": agent}))
    (root / "config_history.jsonl").write_text(
        json.dumps({"command": ["…", *words, "--run-dir", str(root)]}) + "\n"
    )
    chunks = [
        (512, 512.0, {"lines": [1.0, None], "games": [2.0, 0.0]}),
        (1024, 256.0, {"lines": [3.0, 5.0], "games": [4.0, 1.0]}),
    ]
    rows = [
        {"step": step, "wall_time": 60.0, "steps_per_second": speed, "per_seed": per_seed}
        for step, speed, per_seed in chunks
    ]
    (root / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    played = [
        {"episodes": 8, "max_pieces": 50, "capped": 1, "lines": {"mean": mean}} for mean in (20.0, 30.0)
    ]
    (root / "eval.json").write_text(json.dumps({"step": 1024, "per_seed": played}))


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Let `run` keep its results here, and train by writing files; return the commands that it trained."""
    began = []

    def train(words, folder):
        began.append(ablation.command(words))
        finished_run(folder.root, words)

    monkeypatch.setattr(ablation, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(ablation, "train", train)
    monkeypatch.setattr(ablation, "_machine", lambda: "two cores")
    monkeypatch.setattr(measure, "commit", lambda: "0123456789")
    return began


def test_a_finished_run_is_kept_as_it_was(trained, tmp_path):
    words = [
        "run",
        "--only",
        "without-double",
        "--seeds",
        "2",
        "--folder",
        str(tmp_path / "runs"),
        "--",
        "--seed",
        "7",
    ]
    assert ablation.main(words) == 0
    (one,) = ablation_results.read(tmp_path / "results")
    assert (one.name, one.actions, one.machine) == ("without-double", "drop", "two cores")
    assert one.command == (
        "python -m tetrax.train dqn --preset rainbow --env.actions drop --num-seeds 2 "
        f"--total-steps {ablation_results.STEPS} --agent.no-double --seed 7"
    )
    assert str(tmp_path) not in one.command
    # 300 random steps are two rollouts of 16 boards times 16 steps: 512. They count in the points alone.
    assert (one.steps, one.warmup_steps) == (1024, 512)
    assert one.seconds == 512 * 2 / 512 + 512 * 2 / 256
    assert [seed["seed"] for seed in one.seeds] == [7, 8]
    assert one.seeds[0]["points"] == [[1024, 1.0, 2.0], [1536, 3.0, 4.0]]
    assert one.seeds[1]["points"] == [[1536, 5.0, 1.0]]  # no game ended before
    assert [seed["evaluation"] for seed in one.seeds] == [
        {"games": 8, "max_pieces": 50, "capped": 1, "lines": lines} for lines in (20.0, 30.0)
    ]


def test_what_is_kept_is_not_trained_again(trained, tmp_path, capsys):
    words = ["run", "--steps", "1024", "--folder"]
    assert ablation.main([*words, str(tmp_path / "one"), "--only", "no-parts"]) == 0
    assert ablation.main([*words, str(tmp_path / "one")]) == 0
    assert len(trained) == len(LACKING)  # no-parts once
    assert "no-parts: kept already, in drop-no-parts.json" in capsys.readouterr().out
    other = ["run", "--steps", "2048", "--folder", str(tmp_path / "two"), "--only", "no-parts"]
    assert ablation.main(other) == 0
    assert len(trained) == len(LACKING) + 1  # other steps are another command
    assert ablation_results.read_one(tmp_path / "results" / "drop-no-parts.json").command == trained[-1]


def test_a_run_that_was_stopped_goes_on_and_another_is_refused(tmp_path, monkeypatch):
    began = []

    class Process:
        def __init__(self, words, cwd):
            began.append(words[3:])

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def wait(self):
            return 0

    monkeypatch.setattr(ablation.subprocess, "Popen", Process)
    folder = ablation.RunFolder(tmp_path / "run")
    ablation.train(["dqn"], folder)
    finished_run(folder.root, ["dqn"])
    ablation.train(["dqn"], folder)
    assert began == [["dqn", "--run-dir", str(folder.root)], ["--resume", str(folder.root)]]
    with pytest.raises(UserError, match="a run of other settings; allowed: a new folder"):
        ablation.train(["dqn", "--agent.no-double"], folder)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--only", "without-doubl"], "did you mean 'without-double'?"),
        (["run", "--actions", "chords"], "--env.actions with preset rainbow: given 'chords'; allowed: direct, drop"),
        (["run", "--steps", "0"], "--steps: given 0; allowed: a whole number, 1 or more"),
        (["walk"], "command: given 'walk'; allowed: draw, run"),
        (["draw", "all"], "unexpected word: given 'all'"),
    ],
)  # fmt: skip
def test_a_wrong_word_is_one_line(words, said, capsys):
    assert ablation.main(words) == 2
    errors = capsys.readouterr().err
    assert said in errors
    assert errors.count("\n") == 1


@pytest.mark.slow
def test_a_variant_is_trained_and_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(ablation, "RESULTS", tmp_path / "results")
    small = (
        "--agent.num-envs 8 --agent.network.hidden 8 --agent.replay-capacity 1024 --agent.warmup-steps 256 "
        "--agent.num-updates 1 --agent.batch-size 8 --chunk-iterations 2 --evaluation.every 0 "
        "--evaluation.final-episodes 4 --evaluation.final-max-pieces 20"
    )
    words = [*"run --only no-parts --steps 512 --seeds 2 --folder".split(), str(tmp_path / "runs")]
    assert ablation.main([*words, "--", *small.split()]) == 0
    (one,) = ablation_results.read(tmp_path / "results")
    assert (one.steps, one.warmup_steps, len(one.seeds)) == (512, 256, 2)
    assert [seed["evaluation"]["games"] for seed in one.seeds] == [4, 4]
    chunk = 2 * 8 * 4  # iterations, boards, steps: after the 256 random ones every chunk is a point
    assert all(point[0] in range(256 + chunk, 769, chunk) for seed in one.seeds for point in seed["points"])
    assert one.seconds > 0
