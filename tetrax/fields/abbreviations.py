"""What people mean by the short or the foreign name of a setting: `lr`, `n_envs`, `epochs`, `gamma`."""

from __future__ import annotations

import re
from collections.abc import Iterable

# What other learners call a setting, and its names here: the first of them that there is counts.
OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "alpha": ("learning_rate",),
    "bs": ("batch_size", "num_minibatches"),
    "batch": ("batch_size", "num_minibatches"),
    "batch_size": ("num_minibatches",),
    "buffer_size": ("replay_capacity",),
    "clip_coef": ("clip",),
    "clip_eps": ("clip",),
    "clip_range": ("clip",),
    "ent_coef": ("entropy",),
    "ent_weight": ("entropy",),
    "entropy_coef": ("entropy",),
    "env_id": ("game",),
    "gamma": ("discount",),
    "grad_clip": ("max_grad_norm",),
    "lam": ("gae_lambda", "trace_decay"),
    "lambda": ("gae_lambda", "trace_decay"),
    "logdir": ("run_dir",),
    "lr": ("learning_rate",),
    "log_dir": ("run_dir",),
    "memory_size": ("replay_capacity",),
    "minibatches": ("num_minibatches",),
    "num_workers": ("num_envs",),
    "outdir": ("run_dir",),
    "output": ("run_dir",),
    "output_dir": ("run_dir",),
    "restore": ("resume",),
    "rollout_length": ("num_steps",),
    "save_dir": ("run_dir",),
    "td_lambda": ("trace_decay", "gae_lambda"),
    "tau": ("target_rate",),
    "timesteps": ("total_steps",),
    "total_timesteps": ("total_steps",),
    "vf_coef": ("value_loss",),
    "workers": ("num_envs",),
}


def meant_by(given: str, names: Iterable[str]) -> str | None:
    """Return the name that a short or foreign one stands for, or None: of several the shortest.

    It stands for a name in another spelling, then for that of `OTHER_NAMES`, then for the initials of a name, then
    for beginnings of its words in their order.
    """
    by_words = {tuple(_words(name)): name for name in sorted(names, key=lambda name: (len(name), name))}
    words = _words(given)
    for other in ("_".join(words), *OTHER_NAMES.get("_".join(words), ())):
        if tuple(other.split("_")) in by_words:
            return by_words[tuple(other.split("_"))]
    for known, name in by_words.items():
        if len(known) > 1 and "".join(words) == "".join(word[0] for word in known):
            return name
    for known, name in by_words.items():
        if len("".join(words)) > 2 and _begin(words, known):
            return name
    return None


def _begin(short: list[str], words: Iterable[str]) -> bool:
    """Return whether every short word begins one of the words, in their order; `n` begins `num`."""
    rest = iter(words)
    return all(any(word.startswith(part) for word in rest) for part in short)


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[-_]+", name.lower()) if word]
