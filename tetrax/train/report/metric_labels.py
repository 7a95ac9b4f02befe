"""What the numbers of a game are called for people, and what makes games that were stopped comparable to others."""

from __future__ import annotations

from dataclasses import dataclass

from tetrax.env.contract import STEPS, Spec
from tetrax.train.folder.log import Row
from tetrax.train.report.rows import EVALUATION, SO_FAR

RATE = "rate"  # of a row that `with_rates` completes: the headline measure for each unit of length
# The metrics that are shown after those of the game's headline, in this order, if the algorithm has them.
LABELS = {
    "pieces": "pieces per game",
    "return": "return per game",
    "loss/policy": "policy loss",
    "loss/value": "value loss",
    "entropy": "entropy",
    "kl": "KL divergence",
    "explained_variance": "explained variance",
    "dream/boards": "boards foreseen",
}


@dataclass(frozen=True)
class Measures:
    """How what games come to is told."""

    headline: str = "return"  # what games are judged by first
    length: str = STEPS  # what games are long in, and stopped by
    # Whether games are compared by the headline for each unit of length too: where good play goes on for ever, and
    # some games are stopped earlier than others, more lines may only be more pieces.
    has_rate: bool = False

    @classmethod
    def of(cls, spec: Spec) -> Measures:
        """Return those of a game."""
        has_both = spec.length in spec.measures and spec.length != spec.headline
        return cls(spec.headline, spec.length, spec.is_endless and has_both)

    @property
    def unit(self) -> str:
        """Return what one of the length is called."""
        return self.length.removesuffix("s")

    @property
    def rate_label(self) -> str:
        """Return what the rate is called."""
        return f"{self.headline} per {self.unit}"

    def stop(self, cap: float | None) -> str:
        """Say where games were stopped: "to 500 pieces", nothing where they were not, or where that is unknown."""
        return f"to {cap:,.0f} {self.length}" if cap else ""

    def labels(self, cap: float | None) -> dict[str, str]:
        """Return the metrics that are shown, each with its label, in order; `cap` is that of evaluations."""
        stop = self.stop(cap)
        first = {
            self.headline: f"{self.headline} per game",
            EVALUATION + self.headline: f"evaluation {stop}" if stop else "evaluation (greedy)",
        }
        if self.has_rate:
            first |= {RATE: self.rate_label, EVALUATION + RATE: "the same in evaluation"}
        return {**first, **{name: label for name, label in LABELS.items() if name not in first}}

    def with_rates(self, row: Row) -> Row:
        """Return a row with the rates of its games: of those that ended, those that run, those of an evaluation."""
        if not self.has_rate:
            return row
        rates = {}
        for kind in ("", SO_FAR, EVALUATION):
            gained, length = row.get(kind + self.headline), row.get(kind + self.length)
            if gained is not None and length:
                rates[kind + RATE] = gained / length
        return {**row, **rates}


def find_running(row: Row, name: str) -> str:
    """Return the metric to show for `name`: that of games that are not over, where a row has no other."""
    return SO_FAR + name if row.get(name) is None and row.get(SO_FAR + name) is not None else name
