"""The picture of a dream: its panels, and that what is wrong is shown, and nothing else."""

from types import SimpleNamespace

import matplotlib.figure
import numpy as np
import pytest

from tests.world_model import dreamed
from tetrax.train.report.dream_plot import (
    INVENTED,
    MISSED,
    MOST_FORESEEN,
    _paint_errors,
    _rgb,
    choose_columns,
    choose_game,
    dream_picture,
)
from tetrax.world_model import dreams

SPEC = SimpleNamespace(shows=dreamed.SHOWN, headline="lines")
NO_BOARDS = SimpleNamespace(shows=dreamed.SHOWN, headline="return")


@pytest.fixture
def drawn(monkeypatch):
    """Keep the figures that are written."""
    figures = []
    save = matplotlib.figure.Figure.savefig
    monkeypatch.setattr(
        matplotlib.figure.Figure,
        "savefig",
        lambda figure, *args, **kwargs: (figures.append(figure), save(figure, *args, **kwargs)),
    )
    return figures


def draw(made, path, spec=SPEC):
    dream_picture(made, dreams.compare(made, dreamed.SHOWN), spec, "costs $5", path)


def test_boards_have_a_column_for_each_step_and_curves_below(tmp_path, drawn):
    path = tmp_path / "plots" / "dream.png"
    draw(dreamed.dream(gained=[(3, 0)], terminated=[(4, 0)]), path)
    assert path.read_bytes().startswith(b"\x89PNG")
    above, below = drawn[0].subfigs
    boards = np.reshape(above.axes, (3, dreamed.CONTEXT + dreamed.HORIZON))
    assert [axes.get_title() for axes in boards[0]] == ["seen", "seen", "1", "2", "3"]
    assert [axes.get_ylabel() for axes in boards[:, 0]] == ["truth", "model", "wrong"]
    assert [axes.get_xlabel() for axes in boards[0]] == ["", "", "", "+1", "over"]
    titles = [axes.get_title(loc="left") for axes in below.axes]
    assert titles == [
        "right of what is foreseen",
        "does the game go on?",
        "reward in these steps",
        "lines in these steps",
    ]
    cells, unmoved, whole = below.axes[0].get_lines()
    assert cells.get_ydata().tolist() == whole.get_ydata().tolist() == [100, 100, 100]
    assert min(unmoved.get_ydata()) < 100


def test_games_without_boards_are_lines(tmp_path, drawn):
    path = tmp_path / "dream.png"
    draw(dreamed.dream(cells=0, is_first=[(4, 0)], terminated=[(3, 0), (3, 1)]), path, NO_BOARDS)
    above, below = drawn[0].subfigs
    assert [axes.get_title(loc="left") for axes in above.axes] == ["number 1", "number 2"]
    assert len(below.axes) == 3
    # The other game lasts longer: it is shown, and all of it.
    truth = above.axes[0].get_lines()[0]
    assert np.isfinite(truth.get_ydata()).all() and truth.get_xdata().tolist() == [-1, 0, 1, 2, 3]


def test_what_is_wrong_has_colours():
    truth = np.zeros((2, 4, 4), bool)
    truth[0, 0] = True
    told = truth.copy()
    assert not any(
        (_paint_errors(truth, told) == _rgb(colour)).all(-1).any() for colour in (INVENTED, MISSED)
    )
    told[0, 0, 1], told[1, 3, 2] = False, True
    painted = _paint_errors(truth, told)
    assert np.argwhere((painted == _rgb(MISSED)).all(-1)).tolist() == [[0, 1]]
    assert np.argwhere((painted == _rgb(INVENTED)).all(-1)).tolist() == [[3, 2]]


def test_the_game_that_lasts_and_gains_most_is_shown():
    assert choose_game(dreamed.dream()) == 0
    assert choose_game(dreamed.dream(gained=[(2, 1)])) == 1
    assert choose_game(dreamed.dream(gained=[(1, 1)])) == 0  # before it closed its eyes
    assert choose_game(dreamed.dream(gained=[(2, 1), (3, 1)], is_first=[(4, 1)])) == 0


def test_of_many_steps_some_are_shown():
    far = SimpleNamespace(goes_on=np.zeros((5 + 100, 2)), context=5)
    columns = choose_columns(far)
    assert columns[:3] == [2, 3, 4] and columns[3] == 5 and columns[-1] == 104
    assert len(columns) == 3 + MOST_FORESEEN and columns == sorted(set(columns))
