"""The engine against recorded rounds of TETR.IO: every field of every lock.

Source of the records: tests/data/README.md. Checked after each lock: that the placement is reachable with the
recorded spin, piece and hold, the queue (from the seed alone), board, lines, combo, back-to-back, attack, rows
sent, rows that entered, garbage rows cleared, and that games end where they ended. Not checked, because it
went through the network and is not recorded: when garbage was sent and confirmed (so neither its delay nor
which packet a cancelling attack met); nor the keys, lock delays and gravity on the way to a placement.
"""

import numpy as np
import pytest

from tests.env.game.tetrio_rounds import LETTERS, RULES, replay, rounds

BLOCK_OUT = 1
COUNTED = {"game_over", "over_by_hold"}  # not a comparison


def check(found):
    """Compare rounds with the engine; return how many locks were compared and how many games were lost."""
    outcome = replay(found)
    locks = lost = 0
    for (header, records), fields in zip(found, outcome, strict=True):
        name = f"{header['file']} round {header['round']} {header['user']}"
        for field in fields.keys() - COUNTED:
            wrong = np.flatnonzero(~fields[field])
            assert not wrong.size, f"{name}: {field} differs at lock {wrong[0]}: {records[wrong[0]]}"
        assert header["n"] == len(records) == len(fields["rows"])
        assert not fields["game_over"][:-1].any(), name
        # The loser's game ends with the last lock, or by holding into a blocked spawn right after it.
        ended = fields["game_over"][-1] or fields["over_by_hold"]
        assert header["alive"] or ended == BLOCK_OUT, name
        assert not (header["alive"] and fields["game_over"][-1]), name
        locks, lost = locks + len(records), lost + (not header["alive"])
    return locks, lost


def test_the_pieces_of_the_records_are_ours():
    turned = RULES.tables.rows
    for header, records in rounds(2):
        for record in records:
            x, y = min(x for x, _ in record["c"]), min(y for _, y in record["c"])
            kind, facing = LETTERS.index(record["p"]), record["r"]
            left, bottom = RULES.tables.left[kind, facing], RULES.tables.bottom[kind, facing]
            ours = {
                (x + dx - left, y + dy - bottom)
                for dy in range(4)
                for dx in range(4)
                if turned[kind, facing, dy] >> dx & 1
            }
            assert ours == {(x, y) for x, y in record["c"]}, header


@pytest.mark.slow
def test_some_recorded_rounds_agree_in_every_field():
    found = rounds(184)
    # In the last of these a piece that hold brings rises, as only after a line clear.
    locks, lost = check([*found[:12], found[183]])
    assert (locks, lost) == (841, 7)


@pytest.mark.slow
def test_all_690_recorded_rounds_agree_in_every_field():
    locks, lost = check(rounds())
    assert (locks, lost) == (63_227, 345)
