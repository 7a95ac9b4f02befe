"""`python -m benchmarks.train_throughput`: environment steps a second of whole training, and where time goes."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import measure
from benchmarks.measure import check_positive, table, thousands
from tetrax.fields.errors import wrong, wrong_name
from tetrax.train import presets
from tetrax.train.config import TrainConfig, flag

PARTS = ("environment", "acting", "learning", "rest")
# Settings of an agent, and of its network, that decide its speed.
TIMED = ("dqn", "ppo")
SIZES = ("num_envs", "num_steps", "num_epochs", "num_minibatches")
NETWORK_SIZES = ("encoder", "hidden", "channels", "recurrent", "compute_dtype")


@dataclass(frozen=True)
class Options:
    """What to measure."""

    algorithm: str | None = None
    """The learning algorithm, one with a network; when not given, every one of these by turns."""
    preset: str | None = None
    """Its configuration; when not given, small on CPUs and large on others."""
    actions: str | None = None
    """The action set; when not given, that of the preset."""
    num_envs: int | None = None
    """Boards side by side; when not given, those of the preset. So with the next ones."""
    num_steps: int | None = None
    """Steps of each board in an iteration."""
    num_epochs: int | None = None
    """Passes over what was collected."""
    num_minibatches: int | None = None
    """Parts of each pass."""
    encoder: str | None = None
    """How boards are read, such as resnet."""
    hidden: tuple[int, ...] = ()
    """Sizes of the hidden layers."""
    channels: tuple[int, ...] = ()
    """Channels of the convolutions."""
    recurrent: str | None = None
    """The cell that remembers, such as lstm."""
    compute_dtype: str | None = None
    """What the networks compute in, such as bfloat16."""
    seconds: float = 10.0
    """Seconds of training that are timed."""
    vector_width: int | None = None
    """Bits of the vectors that XLA is to use on a CPU: 128, 256 or 512; when not given, its own choice."""
    json: bool = False
    """End with one JSON object, on one line."""
    save: bool = False
    """Keep the result in benchmarks/results/performance, for the tables and charts."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return measure.run(_run, argv)


def _run(argv: list[str]) -> None:
    options = measure.options(
        Options(), argv, "train_throughput", "Time whole iterations of training, and their parts."
    )
    if options is None:
        return
    configs = check(options)
    measure.use_vector_width(options.vector_width)
    from benchmarks.training import measure_training

    results = []
    for config in configs():
        results.append(measure_training(config, options.seconds))
        print(words(results[-1]), flush=True)
    document = {
        **{name: results[0][name] for name in ("steps_per_second", "steps_per_cpu_second")},
        "agents": results,
        **measure.context(),
    }
    if options.save:
        keep(document, argv, is_preset=not sizes(options))
    if options.json:
        measure.print_json(document)


def check(options: Options) -> Any:
    """Return what gives the configurations; UserError for the first value that cannot be meant."""
    if options.algorithm is not None and options.algorithm not in algorithms_with_networks():
        raise wrong_name("--algorithm", options.algorithm, algorithms_with_networks())
    algorithms = [options.algorithm] if options.algorithm else algorithms_with_networks()
    check_positive("--seconds", options.seconds)

    def configs(name: str) -> list[TrainConfig]:
        sets = {one: presets.action_sets(one, name) for one in algorithms}
        able = [one for one, found in sets.items() if found and options.actions in (None, *found)]
        # Where no algorithm has both, the first says what there is.
        found = [presets.find(algorithm, name, options.actions) for algorithm in able or algorithms[:1]]
        return [resize(config, sizes(options)) for config in found]

    configs(options.preset or presets.CPU_PRESET)  # before anything slow begins
    return lambda: configs(options.preset or default_preset())


def algorithms_with_networks() -> list[str]:
    """Return the algorithms that learn a network, step by step: others' iterations have other parts."""
    return [name for name in presets.algorithms() if name in TIMED]


def sizes(options: Options) -> dict[str, Any]:
    """Return the sizes of the agent that are given."""
    given = {name: getattr(options, name) for name in (*SIZES, *NETWORK_SIZES)}
    return {name: value for name, value in given.items() if value not in (None, ())}


def resize(config: TrainConfig, given: dict[str, Any]) -> TrainConfig:
    """Return the configuration with other sizes of the agent; UserError where it cannot have them."""
    known = {field.name for field in dataclasses.fields(config.agent)}
    for name in given:
        if name not in known and not ("network" in known and name in NETWORK_SIZES):
            raise wrong(flag(name), given[name], f"nothing: {config.algorithm} has no such setting")
    agent = dataclasses.replace(config.agent, **{name: given[name] for name in SIZES if name in given})
    of_network = {name: given[name] for name in NETWORK_SIZES if name in given}
    if of_network:
        agent = dataclasses.replace(agent, network=dataclasses.replace(agent.network, **of_network))
    changed = dataclasses.replace(config, agent=agent)
    changed.validate()
    return changed


def default_preset() -> str:
    """Return the preset that suits the device; this starts JAX's backend."""
    import jax

    return presets.CPU_PRESET if jax.default_backend() == "cpu" else presets.ACCELERATOR_PRESET


def words(result: dict[str, Any]) -> str:
    """Return one agent's result as text for people."""
    shares, alone, memory = result["profile"], result["alone"], result["memory_bytes"]
    lines = [
        f"{result['algorithm']} {result['preset']}, {result['actions']} ({result['observation']}), "
        f"{result['num_envs']} boards, {result['parameters']:,} parameters, "
        f"{result['compute_dtype']}; {measure.machine()}",
        f"{thousands(result['steps_per_second'])} environment steps/s, "
        f"{thousands(result['steps_per_cpu_second'])} per CPU second; "
        f"{result['seconds_per_iteration']:.4g} s an iteration of {result['steps_per_iteration']:,} steps; "
        f"compiled in {result['compile_seconds']:.1f} s",
    ]
    head = ("share of an iteration", *PARTS)
    by_profile = [f"{shares[part]:.1%}" for part in PARTS] if shares else ["?"] * len(PARTS)
    by_itself = [f"{alone[part]:.1%}" if part in alone else "" for part in PARTS]
    lines.append(table(head, [("by the profiler", *by_profile), ("run alone", *by_itself)]))
    flops = f"{thousands(result['model_flops_per_second'] / 1e9)} GFLOP/s of the model"
    held = f"; {memory['total'] / 2**20:,.1f} MiB, of which the state is {memory['state'] / 2**20:,.1f}"
    lines.append(flops + (held if memory else ""))
    return "\n".join(lines)


def keep(document: dict[str, Any], argv: Sequence[str], is_preset: bool) -> None:
    """Save a result as data; its headline is the first agent's speed."""
    first = document["agents"][0]
    number = f"{first['num_envs']}-boards-{first['parameters']}-parameters-{first['compute_dtype']}"
    size = "" if is_preset else f"-{number}"
    names = "-".join(dict.fromkeys(one["algorithm"] for one in document["agents"]))
    measure.save(
        f"train-{names}-{first['preset']}-{first['actions']}{size}",
        what=f"{first['algorithm']}, preset {first['preset']}, `{first['actions']}`, {first['num_envs']:,} boards, "
        f"{first['parameters']:,} parameters, {first['compute_dtype']}: training from end to end",
        value=first["steps_per_second"],
        unit="environment steps per second",
        module="train_throughput",
        argv=argv,
        data=document,
    )


if __name__ == "__main__":
    sys.exit(main())
