"""What the tests of steering look at: the run that never stopped, of the tests of training."""

from tests.train.conftest import straight as straight
