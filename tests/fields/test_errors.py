"""A command ends with one line and a code, whatever happened to it."""

import pytest

from tetrax.fields.errors import UserError, exit_code


def wrong_word(words):
    raise UserError(f"--seed: given {words[0]!r};\nallowed: a number")


def interrupted(words):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("run", "code", "said"),
    [
        (len, 1, ""),
        (wrong_word, 2, "error: --seed: given 'x'; allowed: a number\n"),
        (interrupted, 130, "stopped\n"),
    ],
)
def test_the_end_of_a_command(run, code, said, capsys):
    assert exit_code(run, ["x"], when_stopped="stopped") == code
    assert capsys.readouterr().err == said


def test_the_words_are_those_of_the_process_unless_given(monkeypatch):
    monkeypatch.setattr("sys.argv", ["program", "--one", "--two"])
    assert exit_code(lambda words: words == ["--one", "--two"], None, when_stopped="") == 1
