"""`python -m tetrax.bot`: a policy in other people's front ends, by the Tetris Bot Protocol."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tetrax.fields.errors import exit_code, wrong, wrong_name
from tetrax.system import streams
from tetrax.train.command import acting_words, flags

if TYPE_CHECKING:
    from tetrax.live.play.guest import Guest

PROGRAM = "python -m tetrax.bot"


@dataclass(frozen=True)
class Options:
    """Who plays."""

    policy: str = "beam"
    """Folder of a run or of an exported policy, or random, dellacherie, bcts, bcts-attack, dt10, dt20,
    beam or gumbel."""
    preset: str | None = None
    """Rules that a baseline plays by: guideline (when not given), attack-50, tetrio, …."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    with streams.forgiving():
        return exit_code(_run, argv, when_stopped="stopped")


def _run(argv: list[str]) -> int:
    words = flags.read_words(argv, {**flags.field_types(Options()), **acting_words.types(argv)})
    if words.wants_help:
        _print_help()
        return 0
    for word in words.positionals:
        raise wrong("unexpected word", word, "flags (a policy is given by --policy)")
    acting = acting_words.among(words.values)
    options = flags.put(
        Options(), {path: value for path, value in words.values.items() if path not in acting}
    )
    guest = _invite(options, acting)
    import tetrax
    from tetrax.live.bot import conversation
    from tetrax.live.bot.advisor import Advisor
    from tetrax.system import compilation_cache

    if notice := compilation_cache.enable():
        print(notice, file=sys.stderr)

    def say(line: str) -> None:
        print(line, flush=True)
        streams.deliver()

    bot = conversation.Conversation(Advisor(guest), f"tetrax {guest.name}", tetrax.__version__)
    conversation.converse(bot, conversation.read_lines(sys.stdin.buffer), say)
    return 0


def _invite(options: Options, acting: Mapping[str, Any]) -> Guest:
    """Load the policy; UserError where it cannot play the protocol's game."""
    from tetrax.agents.baselines import BASELINES
    from tetrax.env.tetris import ENV_PRESETS
    from tetrax.live.bot import advisor
    from tetrax.live.play import guest

    rules = None
    if options.preset is not None:
        if options.policy not in BASELINES:
            raise wrong(
                "--preset", options.preset, "nothing: a trained policy plays by the rules it was trained with"
            )
        if options.preset not in ENV_PRESETS:
            raise wrong_name("--preset", options.preset, ENV_PRESETS)
        rules = ENV_PRESETS[options.preset].rules
    invited = guest.invite(options.policy, rules, acting)
    advisor.check(invited)
    return invited


def _print_help() -> None:
    flags.print_help(
        Options,
        Options(),
        prog=PROGRAM,
        description=(
            "Play in other people's front ends, by the Tetris Bot Protocol: a line of JSON for each message, on "
            f"standard input and output. For example: {PROGRAM} --policy pretrained/attack-50. How a policy acts can "
            "be said too: --policy.width 16, or --agent.width 16 of one that was learned."
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
