"""`Tetris(config)`: reset and step, one board, pure. The face of the environment."""

import dataclasses
import functools
import math
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float32, Int32, PRNGKeyArray

from tetrax.env import actions, env_params, foresight, mirror, observe, reward
from tetrax.env.contract import RETURN, Observation, Shown, Spec, TimeStep
from tetrax.env.env_params import EnvParams, check_params
from tetrax.env.game import engine, future
from tetrax.env.game.board import by_array, check_one, match_form
from tetrax.env.game.pieces import as_tuple
from tetrax.env.game.reach import outcomes
from tetrax.env.game.rules import (
    MAX_GARBAGE_CAP,
    RULE_PRESETS,
    Rules,
    check_choice,
    check_whole,
    default_params,
)
from tetrax.env.game.state import Event, State, no_event
from tetrax.env.game.vector import check_kind, traced_once
from tetrax.env.observe import OBSERVATIONS, Show
from tetrax.env.reward import RewardChoice, RewardTerms

ENV_VERSION = 1  # docs/environment.md says what it stands for and when it changes
MAX_STEPS = 2**31 - 1  # what is counted in a game is int32


@dataclass(frozen=True)
class EnvConfig:
    """What an environment is: rules, actions, observation, reward. Frozen and hashable."""

    preset: str = "guideline"
    """Name of the environment preset that the other fields start from."""
    rules: Rules = RULE_PRESETS["guideline"]
    """The rules of the game."""
    actions: Literal["direct", "chords", "drop", "locked_position"] = "direct"
    """What an action is: one key a tick, several keys a tick, a piece dropped straight down, or any place where
    a piece may come to rest."""
    chords: tuple[tuple[str, ...], ...] = ()
    """Keys pressed together, one action each, with actions "chords" (none given: every subset of the keys)."""
    orientation: Literal["chosen", "first"] = "chosen"
    """Whether an action of "locked_position" chooses the orientation too, or gets the first (of 0, R, 2, L) that
    can be reached at its cell."""
    observation: Literal[
        "auto",
        "planes",
        "compact",
        "bitboards",
        "flat",
        "afterstate_features",
        "afterstate_boards",
        "afterstate_classic",
        "afterstate_extended",
    ] = "auto"
    """What is observed of the board; auto is afterstate_features for drop, planes for the others."""
    board_features: bool = False
    """Whether measurements of the board are observed too: heights, holes, bumpiness, transitions, …."""
    ghost_outcome: bool = False
    """Whether is observed what dropping the active piece now would bring: reward, lines, and a loss."""
    history: int = 0
    """Boards before the last steps that are observed too (0 to 16)."""
    reward: RewardChoice = "lines_only"
    """Name of the reward; in Python also a `RewardRule`, or a function (rules, params, state before, state after,
    event) -> float32[]."""
    time_limit: int = 0
    """Steps after which a game is truncated (0 = never)."""
    params: tuple[str, ...] = ()
    """Numbers of the game and of the reward in place of the rules' own, NAME=VALUE each: game.gravity=655,
    game.starting_garbage=4, reward.piece=0.1."""

    def __post_init__(self) -> None:
        if not isinstance(self.rules, Rules):
            raise ValueError(f"env.rules: given {self.rules!r}; allowed: a tetrax Rules record")
        object.__setattr__(self, "chords", as_tuple(self.chords))
        actions.check(self.actions, self.rules, self.chords, self.orientation)
        check_choice("env.observation", self.observation, OBSERVATIONS)
        reward.check(self.reward)
        shows_afterstates = self.observation.startswith("afterstate")
        if shows_afterstates and self.actions in actions.KEY_ACTIONS:
            raise ValueError(
                f"env.observation: given {self.observation!r} with actions {self.actions!r}; "
                "allowed: auto, planes, compact, bitboards, flat "
                "(afterstates are those of placements, actions 'drop' or 'locked_position')"
            )
        if self.actions == "drop" or shows_afterstates:
            outcomes.check(self.rules)
        for name in ("board_features", "ghost_outcome"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"env.{name}: given {getattr(self, name)!r}; allowed: True or False")
        check_whole("env.history", self.history, 0, observe.MAX_HISTORY)
        check_whole("env.time_limit", self.time_limit, 0, MAX_STEPS)
        if not isinstance(self.params, tuple | list):
            raise ValueError(
                f"env.params: given {self.params!r}; allowed: a tuple of words {env_params.FORM}"
            )
        object.__setattr__(self, "params", tuple(self.params))
        if self.params:
            # Refuses what is none of its numbers; nothing is computed, before processes have joined.
            jax.eval_shape(lambda: Tetris(self).default_params)

    @property
    def view(self) -> str:
        """Return the observation that 'auto' stands for."""
        if self.observation != "auto":
            return self.observation
        return "afterstate_features" if self.actions == "drop" else "planes"


ENV_PRESETS: dict[str, EnvConfig] = {
    "guideline": EnvConfig(),
    "tetrio": EnvConfig(preset="tetrio", rules=RULE_PRESETS["tetrio"]),
    "classic-10x20": EnvConfig(
        preset="classic-10x20", rules=RULE_PRESETS["classic-10x20"], actions="drop", reward="survival"
    ),
    "classic-10x10": EnvConfig(
        preset="classic-10x10", rules=RULE_PRESETS["classic-10x10"], actions="drop", reward="survival"
    ),
    "attack-50": EnvConfig(
        preset="attack-50", rules=RULE_PRESETS["attack-50"], actions="locked_position", reward="attack"
    ),
    "mini": EnvConfig(preset="mini", rules=RULE_PRESETS["mini"]),
}


@dataclass(frozen=True)
class Tetris:
    """The environment of a configuration. Two with equal configurations are equal."""

    config: EnvConfig

    def __post_init__(self) -> None:
        check_kind("config", self.config, EnvConfig)

    @property
    def rules(self) -> Rules:
        """Return the rules of the game."""
        return self.config.rules

    @functools.cached_property
    def spec(self) -> Spec:
        """Return what learners ask: sizes, and what a game comes to, lines first."""
        config, rules = self.config, self.rules
        return Spec(
            name="tetris",
            title=f"{config.preset}, {config.actions}",
            num_actions=self.num_actions,
            shows=Shown(
                config.view,
                rules.height,
                rules.width,
                rules.num_pieces,
                self.foretells_reward,
                num_pieces=2 + rules.preview,  # of which the held one may be none
                num_rows=observe.num_rows(rules) if config.view in observe.BY_CELL else 0,
                acts_by_column=config.actions == "drop",
            ),
            can_truncate=self.can_truncate,
            measures=("lines", "score", "attack", "pieces", RETURN),
            length="pieces",
            is_endless=rules.top_out != "stack",
            why_no_mirror=self._why_no_mirror,
        )

    @functools.cached_property
    def action_set(self) -> actions.ActionSet:
        """Return what the actions mean."""
        config = self.config
        return actions.action_set(config.actions, self.rules, config.chords, config.orientation)

    @functools.cached_property
    def action_names(self) -> tuple[str, ...]:
        """Return one name per action."""
        return self.action_set.names

    @property
    def num_actions(self) -> int:
        """Return A."""
        return len(self.action_names)

    @functools.cached_property
    def show(self) -> Show:
        """Return what is shown of a game."""
        config = self.config
        by_keys = config.actions in actions.KEY_ACTIONS
        return Show(
            config.view, by_keys, config.reward, config.board_features, config.ghost_outcome, config.history
        )

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Return the names of `Observation.features`."""
        return observe.feature_names(self.rules, self.show.by_keys)

    @property
    def board_feature_names(self) -> tuple[str, ...]:
        """Return the names of `Observation.board_features`."""
        return observe.board_feature_names(self.rules)

    @property
    def flat_names(self) -> tuple[str, ...]:
        """Return the names of `Observation.flat`."""
        return observe.flat_names(self.rules, self.show)

    @property
    def can_truncate(self) -> bool:
        """Tell whether a step may be truncated, and so whether `last_observation` is there."""
        return self.config.time_limit > 0

    @property
    def foretells_reward(self) -> bool:
        """Tell whether afterstates have the reward of their placement: see `reward.can_foretell`."""
        return reward.can_foretell(self.config.reward, self.rules, spins=self.config.actions != "drop")

    @property
    def default_params(self) -> EnvParams:
        """Return the numbers of the rules and of the named reward, with those that the configuration puts in place."""
        own = EnvParams(game=default_params(self.rules), reward=reward.default_params(self.config.reward))
        return env_params.put(own, self.config.params, self.check_param) if self.config.params else own

    @functools.cached_property
    def _params_like(self) -> EnvParams:
        """Return the shapes and types of this environment's numbers."""
        return jax.eval_shape(lambda: self.default_params)

    def resample_future(self, state: State, key: PRNGKeyArray) -> State:
        """Return the state with all that its player cannot know drawn anew: see `future.resample_future`."""
        return future.resample_future(self.rules, state, key)

    @property
    def _why_no_mirror(self) -> str:
        if callable(self.config.reward):
            return "a reward that is a function may have none"
        return mirror.why_not(self.rules, self.config.actions)

    def mirror(self, state: State, action: Int32[Array, ""]) -> tuple[State, Array, Array]:
        """Return state and placement in a mirror, and whether the mirrored game goes on so: see `mirror.mirror`.

        ValueError where games have no mirror image (`spec.why_no_mirror`).
        """
        if self.spec.why_no_mirror:
            raise ValueError(
                f"mirror: given {self.spec.title}: {self.spec.why_no_mirror}; allowed: a game that has one"
            )
        check_one(self.rules, state)
        found = mirror.mirror(self.rules, by_array(state), action)
        return found.state, found.action, found.is_exact

    def with_discount(self, params: EnvParams, discount: Float32[Array, ""]) -> EnvParams:
        """Return parameters whose shaping, if any, has the agent's discount.

        With another one, shaping by a potential would change which policy is best.
        """
        if params.reward.discount is None:
            return params
        return params.replace(reward=params.reward.replace(discount=discount))

    def check_param(self, name: str, value: float) -> None:
        """Raise ValueError for a number, named by its path in EnvParams, outside the ranges that `Params` gives."""
        highest = {"starting_garbage": self.rules.height, "garbage_cap": MAX_GARBAGE_CAP}
        field = name.removeprefix("game.")
        low = 1 if field == "start_level" else 0
        if field != name and not low <= value <= highest.get(field, 2**31 - 1):
            allowed = f"{low} to {highest[field]}" if field in highest else f"{low} or more"
            raise ValueError(f"{name}: given {value!r}; allowed: {allowed}")
        if not math.isfinite(value):
            raise ValueError(f"{name}: given {value!r}; allowed: a finite number")
        if name == "reward.early_loss_pieces" and value <= 0:
            raise ValueError(f"{name}: given {value!r}; allowed: more than 0 pieces")

    def with_height(self, height: int) -> "Tetris":
        """Return the same environment on a board of `height` visible rows; ValueError for what no board can have."""
        rules = dataclasses.replace(self.rules, height=height)
        return Tetris(dataclasses.replace(self.config, rules=rules))

    def measure(self, event: Event) -> dict[str, Array]:
        """Return the lines, points, rows sent and pieces of a step, int32[] each."""
        return {
            "lines": event.lines,
            "score": event.score,
            "attack": event.attack[0] + event.attack[1],
            "pieces": event.locked.astype(jnp.int32),
        }

    def reset(self, key: PRNGKeyArray, params: EnvParams | None = None) -> tuple[State, TimeStep]:
        """Start a game from one typed Threefry key."""
        params = self.default_params if params is None else params
        state = self.init(key, params)
        return state, self.first_step(state, params)

    def init(self, key: PRNGKeyArray, params: EnvParams) -> State:
        """Return the first state of a game, and no more: what `reset` starts from."""
        check_params(self._params_like, params)
        return observe.with_history(engine.init(self.rules, params.game, key), self.config.history)

    def first_step(self, state: State, params: EnvParams | None = None) -> TimeStep:
        """Return the TimeStep of a game that starts at `state`: no reward, nothing happened."""
        params = self.default_params if params is None else params
        nothing = jax.tree.map(jnp.zeros_like, self._terms(state, state, no_event(state), params))
        observation = self.observe(state, params)
        return TimeStep(
            observation=observation,
            reward=jnp.float32(0),
            terminated=jnp.bool_(False),
            truncated=jnp.bool_(False),
            event=no_event(state).replace(reward_terms=nothing),
            last_observation=observation if self.can_truncate else None,
        )

    def step(
        self, state: State, action: Int32[Array, ""], params: EnvParams | None = None
    ) -> tuple[State, TimeStep]:
        """Play one action of 0..A-1; another index is clipped and `event.action_clipped` set.

        After the end nothing changes: reward 0, and terminated stays True.
        """
        params = self.default_params if params is None else params
        state, gained, terminated, truncated, event = self.transition(state, action, params)
        observation = self.observe(state, params)
        return state, TimeStep(
            observation=observation,
            reward=gained,
            terminated=terminated,
            truncated=truncated,
            event=event,
            last_observation=observation if self.can_truncate else None,
        )

    def transition(
        self, state: State, action: Int32[Array, ""], params: EnvParams
    ) -> tuple[State, Float32[Array, ""], Array, Array, Event]:
        """Step without observing: state, reward, terminated, truncated, event."""
        check_params(self._params_like, params)
        check_one(self.rules, state)
        action, was_clipped = actions.clip(action, self.num_actions)
        before, by_keys = state, self.show.by_keys
        state, event = self.action_set.apply(params.game, state if by_keys else by_array(state), action)
        state = observe.remember(before, match_form(before, state))
        terms = self._terms(before, state, event, params)
        event = event.replace(action_clipped=was_clipped, reward_terms=terms)
        limit = self.config.time_limit
        truncated = (state.ticks >= limit) & ~state.game_over if self.can_truncate else jnp.bool_(False)
        return state, reward.total(terms), state.game_over, truncated, event

    @traced_once
    def observe(self, state: State, params: EnvParams | None = None) -> Observation:
        """Return what a player may know of a state."""
        params = self.default_params if params is None else params
        rules, show, view = self.rules, self.show, self.show.view
        check_one(rules, state)
        state = by_array(state)
        candidates = self.action_set.candidates(state)
        looked_ahead = (rules, show.reward, params.game, params.reward, state)
        afterstates = ghost = None
        if candidates is not None and view.startswith("afterstate"):
            afterstates = foresight.afterstates(*looked_ahead, candidates, view, self.foretells_reward)
        if show.ghost_outcome:
            ghost = foresight.ghost_outcome(*looked_ahead)
        seen = Observation(
            planes=observe.planes(rules, state) if view == "planes" else None,
            pieces=observe.pieces(rules, state),
            features=observe.features(rules, params.game, state, show.by_keys),
            legal=self.action_set.legal(state, candidates),
            afterstates=afterstates,
            cells=observe.compact(rules, state) if view == "compact" else None,
            bitboards=observe.bitboards(rules, state) if view == "bitboards" else None,
            board_features=observe.board_features(rules, state) if show.board_features else None,
            ghost=ghost,
            history=observe.history(rules, state) if show.history else None,
        )
        return seen.replace(flat=observe.flat(rules, state, seen)) if view == "flat" else seen

    def _terms(self, before: State, after: State, event: Event, params: EnvParams) -> RewardTerms:
        made_of = reward.rule(self.config.reward)
        if made_of is not None:
            return reward.terms(made_of, self.rules, params.reward, before, after, event)
        assert callable(self.config.reward)
        given = self.config.reward(self.rules, params, by_array(before), by_array(after), event)
        return reward.injected_terms(params.reward, before, given)


def make(preset: str = "guideline", **overrides: object) -> Tetris:
    """Return an environment by preset; overrides are fields of EnvConfig or of Rules.

    >>> make("guideline", actions="drop", preview=3).num_actions
    80

    ValueError when the preset, a field or a value is not one of those allowed.
    """
    check_choice("preset", preset, tuple(ENV_PRESETS))
    config = ENV_PRESETS[preset]
    of_rules = {field.name for field in dataclasses.fields(Rules)}
    of_env = {field.name for field in dataclasses.fields(EnvConfig)} - {"preset"}
    for name in overrides:
        check_choice("make(): field", name, tuple(sorted(of_env | of_rules)))
    rules = overrides.get("rules", config.rules)
    if not isinstance(rules, Rules):
        raise ValueError(f"env.rules: given {rules!r}; allowed: a tetrax Rules record")
    changed: dict[str, Any] = {name: value for name, value in overrides.items() if name in of_rules}
    fields: dict[str, Any] = {name: value for name, value in overrides.items() if name in of_env}
    return Tetris(dataclasses.replace(config, **{**fields, "rules": dataclasses.replace(rules, **changed)}))
