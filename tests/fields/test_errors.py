"""A command ends with one line and a code, whatever happened to it."""

import pytest

from tetrax.fields.errors import UserError, exit_code, nearest_path


def wrong_word(words):
    raise UserError(f"--seed: given {words[0]!r};\nallowed: a number")


def interrupted(words):
    raise KeyboardInterrupt


def without_device(words):
    raise RuntimeError("Unable to initialize backend 'gpu':\nno such device")


@pytest.mark.parametrize(
    ("run", "code", "said"),
    [
        (len, 1, ""),
        (wrong_word, 2, "error: --seed: given 'x'; allowed: a number\n"),
        (interrupted, 130, "stopped\n"),
        (without_device, 2, "error: device: Unable to initialize backend 'gpu': no such device\n"),
    ],
)
def test_the_end_of_a_command(run, code, said, capsys, monkeypatch):
    monkeypatch.delenv("JAX_PLATFORMS")
    assert exit_code(run, ["x"], when_stopped="stopped") == code
    assert capsys.readouterr().err == said


def test_the_words_are_those_of_the_process_unless_given(monkeypatch):
    monkeypatch.setattr("sys.argv", ["program", "--one", "--two"])
    assert exit_code(lambda words: words == ["--one", "--two"], None, when_stopped="") == 1


SETTINGS = (
    "agent.learning_rate agent.num_envs agent.num_steps agent.num_epochs agent.num_minibatches agent.clip "
    "agent.clip_value_loss agent.discount agent.gae_lambda agent.entropy agent.value_loss agent.max_grad_norm "
    "agent.network.hidden env.rules.hold env.rules.no_hold env.rules.garbage env.rules.preview total_steps "
    "evaluation.max_pieces run_dir seed num_seeds"
).split()


@pytest.mark.parametrize(
    ("given", "near"),
    [
        ("agent.lr", "agent.learning_rate"),  # initials; spelt more like agent.clip
        ("lr", "agent.learning_rate"),
        ("bs", "agent.num_minibatches"),  # there is no batch_size
        ("agent.gamma", "agent.discount"),
        ("ent_coef", "agent.entropy"),
        ("vf_coef", "agent.value_loss"),
        ("clip_range", "agent.clip"),
        ("lambda", "agent.gae_lambda"),
        ("agent.n_envs", "agent.num_envs"),  # beginnings of words
        ("n_steps", "agent.num_steps"),
        ("n_seeds", "num_seeds"),
        ("grad_norm", "agent.max_grad_norm"),
        ("envs", "agent.num_envs"),
        ("timesteps", "total_steps"),
        ("epochs", "agent.num_epochs"),
        ("logdir", "run_dir"),
        ("env.no_hold", "env.rules.no_hold"),  # the same end
        ("agent.learnin_rate", "agent.learning_rate"),  # a slip
        ("env.rules.garbadge", "env.rules.garbage"),
        ("agent.target", None),  # like env.rules.garbage, but not enough
        ("device", None),
        ("agent.x", None),
    ],
)
def test_the_setting_that_is_meant(given, near):
    assert nearest_path(given, SETTINGS) == near
    assert nearest_path(given.replace("_", "-"), [path.replace("_", "-") for path in SETTINGS]) == (
        near and near.replace("_", "-")
    )


def test_a_learning_rate_counts_before_other_names_of_its_initials() -> None:
    assert (
        nearest_path("agent.lr", ["env_params.game.lock_resets", "agent.learning_rate"])
        == "agent.learning_rate"
    )
