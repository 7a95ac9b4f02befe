"""`python -m tetrax.train`: train an agent."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tetrax.train import cli
from tetrax.train.errors import USER_ERROR_EXIT_CODE, UserError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    try:
        request = cli.parse(sys.argv[1:] if argv is None else argv)
        if request is None:
            return 0

        print(request.notice)
        raise NotImplementedError
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR_EXIT_CODE


if __name__ == "__main__":
    sys.exit(main())
