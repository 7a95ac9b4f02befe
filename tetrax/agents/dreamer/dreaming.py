"""Learning: the model from what was played, actor and critic from what is imagined, all by one step of one optimiser.

Hafner et al. 2023 (arXiv 2301.04104), equations 2 to 7, with the loss of the critic on what was really gained that the
newer published code adds.
"""

from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jaxtyping import Float32, PRNGKeyArray

from tetrax.agents.dreamer import curiosity, real_play
from tetrax.agents.dreamer.dreamer_config import CONTEXT, DreamerConfig
from tetrax.agents.dreamer.dreamer_state import TrainState
from tetrax.agents.dreamer.experience import Experience, recall, recall_mirrored
from tetrax.agents.dreamer.mind import Mind
from tetrax.env.contract import Game, MirrorGame
from tetrax.ops import laprop, online_queue, replay, return_range, returns, two_hot
from tetrax.ops.return_range import ReturnRange
from tetrax.world_model import imagination, judges, latents, model, readings
from tetrax.world_model.imagination import Imagined
from tetrax.world_model.latents import ModelState
from tetrax.world_model.model import AnyModel
from tetrax.world_model.model_parts import Step

Measured = dict[str, Array]  # float32[] by name


class Found(NamedTuple):
    """What an update finds beside its gradient."""

    states: ModelState  # [T, N, ...], of every moment, as seen now
    return_range: ReturnRange
    measured: Measured


@jax.named_scope("learning")
def learn(
    mind: Mind, config: DreamerConfig, env: Game, state: TrainState, key: PRNGKeyArray
) -> tuple[TrainState, Measured]:
    """Make `num_updates` updates from the replay."""

    def update(state: TrainState, update_key: PRNGKeyArray) -> tuple[TrainState, Measured]:
        sample_key, loss_key = jax.random.split(update_key)
        with jax.named_scope("replaying"):
            index = replay.draw(state.replay, sample_key, config.batch_size)
            queue, index = online_queue.take(state.queue, state.replay, index)
            windows = replay.windows(state.replay, index)
            if config.mirrored:
                loss_key, mirror_key = jax.random.split(loss_key)
                experience = recall_mirrored(mind.world, cast(MirrorGame, env), state, windows, mirror_key)
            else:
                experience = recall(mind.world, env, state, windows)
        compute = jax.grad(total_loss, argnums=3, has_aux=True)
        grads, found = compute(mind, config, state, state.params, experience, loss_key)
        state = _step(state.replace(queue=queue), grads, found)
        with jax.named_scope("replaying"):
            as_played = None if experience.is_mirrored is None else ~experience.is_mirrored
            written = replay.write(
                state.replay.data.state, index, CONTEXT, latents.keep(found.states), as_played
            )
        kept = state.replay.replace(data=state.replay.data.replace(state=written))
        return state.replace(replay=kept), found.measured

    state, measured = jax.lax.scan(update, state, jax.random.split(key, config.num_updates))
    steps = state.replay.filled.astype(jnp.float32) * config.num_envs
    means = {name: jnp.mean(value) for name, value in measured.items()}
    return state, {**means, "replay/steps": steps}


def total_loss(
    mind: Mind,
    config: DreamerConfig,
    state: TrainState,
    params: Any,
    experience: Experience,
    key: PRNGKeyArray,
) -> tuple[Array, Found]:
    """Return what is to be made small, float32[], and what was found on the way. Gradients flow to `params` alone."""
    see_key, start_key, imagine_key = jax.random.split(key, 3)
    tunables, world = state.tunables, mind.world
    with jax.named_scope("observing"):
        steps = model.see_all(
            world,
            params["model"],
            experience.before,
            experience.action_before,
            experience.reading,
            experience.is_first,
            see_key,
            config.unroll,
        )
    of_model = model_losses(world, params["model"], tunables, experience, steps)

    with jax.named_scope("imagining"):
        starts = _choose_starts(config, steps.state, start_key)
        imagined = imagination.imagine(
            world, mind.actor, params, starts, config.imagined_steps, imagine_key, config.unroll
        )
    measured = {
        "imagined/reward": jnp.mean(imagined.reward[1:]),
        "imagined/goes_on": jnp.mean(imagined.goes_on),
    }
    if mind.ensemble is not None:
        curious = curiosity.look(
            mind.ensemble,
            params["ensemble"],
            steps,
            experience.action_before,
            experience.is_first,
            imagined,
        )
        of_model["ensemble"] = curious.loss
        weight = tunables["exploration"]
        imagined = imagined._replace(reward=imagined.reward + weight * curious.imagined)
        experience = experience._replace(reward=experience.reward + weight * curious.replayed)
        measured |= {
            "disagreement/imagined": jnp.mean(curious.imagined[1:]),
            "disagreement/replayed": jnp.mean(curious.replayed[1:]),
        }
    of_play, found_range, first_returns = play_losses(mind, config, state, params, imagined)
    of_replay, found_range = replay_losses(
        mind, config, state, params, experience, steps.state, first_returns, found_range
    )
    if config.real_play:
        of_play = {name: _is_imagined_from(state) * loss for name, loss in of_play.items()}

    losses = {**of_model, **of_play, **of_replay}
    total = jnp.sum(jnp.stack([_weight(tunables, name) * loss for name, loss in losses.items()]))
    measured |= {f"loss/{name}": loss for name, loss in losses.items()}
    measured |= {
        "loss/total": total,
        "imagined/return": jnp.mean(first_returns),
        "return_range": found_range.size,
    }
    return total, Found(judges.hold(steps.state), found_range, judges.hold(measured))


def _weight(tunables: dict[str, Array], name: str) -> Array | float:
    return tunables.get(f"{name}_loss", 1.0)


@jax.named_scope("telling")
def model_losses(
    world: AnyModel, params: Any, tunables: dict[str, Array], experience: Experience, steps: Step
) -> Measured:
    """Return what the model gets wrong of [T, N] moments, each float32[]."""
    features = steps.state.features
    told: Any = world.apply(params, features, method=world.tell)
    foretold: Any = world.apply(params, features, method=world.foretell)
    prior: Any = world.apply(params, steps.state.deter, method=world.prior)
    dynamics, representation = latents.balance(steps.log_probs, prior, tunables["free_nats"])
    # The published target: the head tells the discount too, so that what is imagined is discounted by it.
    goes_on = jnp.where(experience.terminated, 0.0, tunables["discount"])
    losses = {
        "reconstruction": readings.surprise(told, experience.reading),
        "reward": two_hot.loss(foretold.reward, experience.reward, model.bins(world.config)),
        "continue": optax.sigmoid_binary_cross_entropy(foretold.goes_on, goes_on),
        "dynamics": dynamics,
        "representation": representation,
    }
    if foretold.legal is not None:
        of_actions = optax.sigmoid_binary_cross_entropy(foretold.legal, experience.legal.astype(jnp.float32))
        is_over = experience.terminated | experience.truncated
        losses["legal"] = jnp.where(is_over, 0.0, jnp.sum(of_actions, axis=-1))
    return {name: jnp.mean(loss) for name, loss in losses.items()}


@jax.named_scope("judging")
def play_losses(
    mind: Mind, config: DreamerConfig, state: TrainState, params: Any, imagined: Imagined
) -> tuple[Measured, ReturnRange, Float32[Array, "N"]]:
    """Return what actor and critic get wrong of T imagined steps, the range of returns, and those of the starts."""
    tunables, slow = state.tunables, judges.hold(state.slow_critic)
    logits = judges.apply(mind.critic, params["critic"], imagined.features)  # [T, N, Z]
    held = judges.value(config.model, judges.apply(mind.critic, slow, imagined.features))
    # Where the steps end nothing is learned, but the returns begin with what that is worth.
    last = judges.apply(mind.critic, judges.hold(params["critic"]), imagined.last_features)
    worth = [judges.value(config.model, judges.hold(one)) for one in (logits, last[None])]
    values = jnp.concatenate(worth)  # [T + 1, N]
    # The discount is in `goes_on`; a start that is over already counts for nothing, nor does what comes after it.
    weight = judges.hold(jnp.cumprod(imagined.goes_on, axis=0))[:-1]
    found = returns.lambda_returns(
        imagined.reward,
        imagined.goes_on,
        values,
        jnp.ones_like(values),
        1.0,
        tunables["return_lambda"],
    )  # [T, N]
    found_range = return_range.update(state.return_range, found)
    advantage = (found - values[:-1]) / found_range.size

    acts = judges.apply(mind.actor, params["actor"], imagined.features)
    chosen_from = judges.policy(acts, imagined.legal, config.model.mixture)
    entropy = chosen_from.entropy()
    gain = chosen_from.log_prob(imagined.action) * advantage + tunables["entropy"] * entropy
    losses = {
        "policy": -jnp.mean(weight * gain),
        "value": jnp.mean(weight * _value_loss(config, logits, found, held)),
    }
    return losses, found_range, found[0]


@jax.named_scope("judging")
def replay_losses(
    mind: Mind,
    config: DreamerConfig,
    state: TrainState,
    params: Any,
    experience: Experience,
    states: ModelState,
    first_returns: Float32[Array, "N"],
    found_range: ReturnRange,
) -> tuple[Measured, ReturnRange]:
    """Return what the critic gets wrong of what was really gained, and the range of returns.

    The gradient of "replay_value" reaches the model too; that of "real_play", with it, the actor alone. A step is worth
    what came of it, mixed with what is imagined from the moment after it, or, where not every moment is imagined from
    (yet), with what the critic says of it.
    """
    tunables, slow = state.tunables, judges.hold(state.slow_critic)
    logits = judges.apply(mind.critic, params["critic"], states.features)  # [T, N, Z]
    values = judges.hold(judges.value(config.model, logits))
    worth = first_returns.reshape(values.shape[::-1]).T if config.imagined_starts == 0 else values
    trusted, chosen_from = None, None
    if config.real_play:
        assert experience.log_prob is not None
        acts = judges.apply(mind.actor, params["actor"], judges.hold(states.features))
        chosen_from = judges.policy(acts, experience.legal, config.model.mixture)
        trusted = judges.hold(real_play.trust(chosen_from, experience.action, experience.log_prob))
        worth = jnp.where(_is_imagined_from(state) > 0, worth, values)
    gained = real_play.judge(
        experience.reward,
        experience.terminated,
        experience.truncated,
        worth,
        trusted,
        tunables["discount"],
        tunables["return_lambda"],
    )
    held = judges.value(config.model, judges.apply(mind.critic, slow, judges.hold(states.features[:-1])))
    losses = {"replay_value": jnp.mean(gained.counts * _value_loss(config, logits[:-1], gained.target, held))}
    if chosen_from is not None and trusted is not None:
        of_real = return_range.update(state.return_range, gained.returns)
        found_range = jax.tree.map(
            lambda imagined, real: jnp.where(_is_imagined_from(state) > 0, imagined, real),
            found_range,
            of_real,
        )
        advantage = (gained.returns - values[:-1]) / found_range.size
        losses["real_play"] = real_play.policy_loss(
            chosen_from, experience.action, advantage, trusted, gained.counts, tunables["entropy"]
        )
    return losses, found_range


def _is_imagined_from(state: TrainState) -> Float32[Array, ""]:
    """Return 1 where the model is thought good enough to learn from what it imagines, else 0."""
    return (state.updates.astype(jnp.float32) >= state.tunables["imagination_after"]).astype(jnp.float32)


def _value_loss(
    config: DreamerConfig,
    logits: Float32[Array, "*n Z"],
    target: Float32[Array, "*n"],
    held: Float32[Array, "*n"],
) -> Float32[Array, "*n"]:
    """Return how far a critic is from returns, and from what its slow copy says."""
    bins = model.bins(config.model)
    shares = two_hot.encode(judges.hold(target), bins) + two_hot.encode(judges.hold(held), bins)
    return two_hot.cross_entropy(logits, shares)


def _choose_starts(config: DreamerConfig, states: ModelState, key: PRNGKeyArray) -> ModelState:
    """Return the states [M, ...] of [T, N] that are imagined from: all, game by game, or as many of each group."""
    flat = jax.tree.map(lambda leaf: jax.lax.collapse(leaf.swapaxes(0, 1), 0, 2), states)  # [N * T, ...]
    if not config.imagined_starts:
        return flat
    groups, total = config.num_groups, flat.deter.shape[0]

    def choose(group_key: PRNGKeyArray, group: Any) -> Any:
        index = jax.random.choice(
            group_key, total // groups, (config.imagined_starts // groups,), replace=False
        )
        return jax.tree.map(lambda leaf: leaf[index], group)

    keys = key[None] if groups == 1 else jax.random.split(key, groups)
    grouped = jax.tree.map(lambda leaf: leaf.reshape(groups, -1, *leaf.shape[1:]), flat)
    chosen = jax.vmap(choose)(keys, grouped)  # [G, M / G, ...]
    return jax.tree.map(lambda leaf: jax.lax.collapse(leaf, 0, 2), chosen)


@jax.named_scope("stepping")
def _step(state: TrainState, grads: Any, found: Found) -> TrainState:
    """Take one step of the optimiser, and let the slow critic follow."""
    tunables = state.tunables
    rate = laprop.warmed_up(tunables["learning_rate"], state.updates, tunables["learning_rate_warmup"])
    rates = {name: rate * tunables["model_rate"] if name == "model" else rate for name in state.params}
    params, optimiser = laprop.step(state.params, grads, state.optimiser, rates, tunables["clip"])
    follow = tunables["slow_rate"]
    slow = jax.tree.map(lambda old, new: old + follow * (new - old), state.slow_critic, params["critic"])
    return state.replace(
        params=params,
        slow_critic=slow,
        optimiser=optimiser,
        return_range=found.return_range,
        updates=state.updates + 1,
    )
