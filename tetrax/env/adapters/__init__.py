"""Tetris for other people's learners, and other people's environments for our agents.

One module an ecosystem; each imports its extra when it is imported itself, and nothing here imports it.
"""


def missing(package: str) -> str:
    """Say which extra brings a package that an adapter needs."""
    return f"{package} is not installed; it comes with: pip install 'tetrax[{package}]'"
