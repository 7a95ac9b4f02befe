"""What several files of the tests of training look at: a run that never stopped, trained once."""

from pathlib import Path

import pytest

from tests.train.toy import toy_config, use_quick_games
from tetrax.train.loop import train


@pytest.fixture(scope="session")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of ten chunks that never stopped; whoever changes something works on a copy."""
    with pytest.MonkeyPatch.context() as patch:
        use_quick_games(patch.setattr)
        folder = tmp_path_factory.mktemp("straight") / "run"
        train(toy_config(), run_dir=folder)
    return folder
