"""Where training's time goes: operations counted by hand, parts of a profile, the start of a run."""

import json

import jax
import jax.numpy as jnp
import pytest

from benchmarks import gpu, measure, op_profile, startup, train_throughput
from benchmarks.model_flops import model_flops
from tetrax.fields.errors import UserError


def test_products_count_by_their_sizes_and_by_how_often_they_run():
    left, right = jnp.ones((3, 4)), jnp.ones((4, 5))
    assert model_flops(lambda: left @ right) == 2 * 3 * 4 * 5

    def looped(x):
        return jax.lax.scan(lambda carry, _: (jnp.tanh(carry @ jnp.ones((4, 4))), None), x, length=7)[0]

    assert model_flops(looped, left) == 7 * 2 * 3 * 4 * 4
    assert model_flops(jax.jit(looped), left) == 7 * 2 * 3 * 4 * 4
    batched = jax.vmap(lambda a: a @ right)(jnp.ones((6, 3, 4)))
    assert batched.shape == (6, 3, 5)
    assert model_flops(jax.vmap(lambda a: a @ right), jnp.ones((6, 3, 4))) == 6 * 2 * 3 * 4 * 5


def test_a_gradient_costs_two_more_products():
    weights, inputs = jnp.ones((4, 5)), jnp.ones((3, 4))
    loss = jax.grad(lambda w, x: jnp.sum(jnp.tanh(x @ w)), argnums=(0, 1))
    assert model_flops(loss, weights, inputs) == 3 * 2 * 3 * 4 * 5


def test_a_convolution_and_the_costlier_branch():
    image, kernel = jnp.ones((1, 8, 8, 2)), jnp.ones((3, 3, 2, 5))

    def convolve(x):
        return jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    assert model_flops(convolve, image) == 2 * (8 * 8 * 5) * (3 * 3 * 2)
    square = jnp.ones((4, 4))
    assert model_flops(
        lambda yes, x: jax.lax.cond(yes, lambda y: y @ y, lambda y: y @ y @ y, x), True, square
    ) == 2 * (2 * 4**3)


def event(name: str, microseconds: float, *, pid: int = 1, tid: int = 1) -> dict:
    return {"ph": "X", "pid": pid, "tid": tid, "name": name, "dur": microseconds, "args": {"hlo_op": name}}


NAMES = {
    "fusion.1": "jit(train)/while/body/vmap(environment)/add",
    "dot.1": "jit(train)/while/body/FlatActorCritic/Mlp_0/Dense_0/dot_general",
    "dot.2": "jit(train)/while/body/transpose(jvp(FlatActorCritic))/Mlp_0/dot_general",
    "sort.1": "jit(train)/sort",
}


def test_each_operation_counts_for_the_part_that_its_name_belongs_to():
    timed = {"fusion.1": 10, "dot.1": 20, "dot.2": 40, "sort.1": 5, "copy.3": 25, "while.7": 1000}
    events = [event(name, duration) for name, duration in timed.items()]
    assert op_profile.breakdown(events, NAMES) == {
        "environment": 0.1, "acting": 0.2, "learning": 0.4, "rest": 0.3, "unnamed": 0.25
    }  # fmt: skip


def test_a_profile_that_tells_too_little_is_none():
    assert op_profile.breakdown([], NAMES) is None
    assert op_profile.breakdown([event("dot.1", 1), event("graph", 2)], NAMES) is None


def test_the_lines_of_a_gpu_are_counted_once():
    about = [
        {"ph": "M", "pid": 1, "name": "process_name", "args": {"name": "/device:GPU:0"}},
        {"ph": "M", "pid": 1, "tid": 1, "name": "thread_name", "args": {"name": "Stream #13(Compute)"}},
        {"ph": "M", "pid": 1, "tid": 2, "name": "thread_name", "args": {"name": "XLA Ops"}},
    ]
    events = [*about, event("dot.1", 3, tid=1), event("dot.1", 3, tid=2)]
    assert op_profile.operations(events) == [("dot.1", 3.0)]


def test_a_real_trace_finds_the_parts_of_a_compiled_program():
    def program(x):
        with jax.named_scope("environment"):
            x = jnp.sort(x, axis=0)
        with jax.named_scope("acting"):
            return jnp.tanh(x @ x)

    numbers = jnp.ones((300, 300))
    compiled = jax.jit(program).lower(numbers).compile()
    shares = op_profile.breakdown(
        op_profile.trace(lambda: compiled(numbers)), op_profile.operation_names(compiled)
    )
    assert shares is not None
    assert shares["environment"] > 0
    assert shares["acting"] > 0
    assert shares["learning"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["ppo", "dqn"])
def test_an_iteration_of_training_is_taken_apart(algorithm, capsys):
    words = ["--algorithm", algorithm, "--preset", "tiny", "--num-envs", "4", "--num-steps", "4"]
    assert train_throughput.main([*words, "--seconds", "0.2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    (agent,) = found["agents"]
    assert agent["algorithm"] == algorithm
    assert found["steps_per_second"] == agent["steps_per_second"] > 0
    assert agent["steps_per_iteration"] == 16
    assert sum(agent["profile"][part] for part in train_throughput.PARTS) == pytest.approx(1)
    assert min(agent["profile"][part] for part in train_throughput.PARTS) > 0
    assert agent["alone"]["environment_seconds"] > 0
    assert agent["model_flops_per_iteration"] > 0
    assert agent["memory_bytes"]["total"] > agent["memory_bytes"]["state"] > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--algorithm", "pp"], "--algorithm: given 'pp'; allowed: dqn, ppo"),
        (["--algorithm", "cross-entropy"], "--algorithm: given 'cross-entropy'; allowed: dqn, ppo"),
        (["--preset", "smal"], "did you mean 'small'?"),
        (["--num-envs", "3", "--num-minibatches", "7"], "num_minibatches: given 7"),
        (["--seconds", "0"], "--seconds: given 0.0; allowed: a number above 0"),
    ],
)
def test_a_wrong_word_is_one_line(words, said, capsys):
    assert train_throughput.main(words) == 2
    errors = capsys.readouterr().err
    assert said in errors
    assert errors.count("\n") == 1


WRITES = """
import pathlib, sys, time
run = pathlib.Path(sys.argv[sys.argv.index("--run-dir") + 1])
run.mkdir()
with (run / "metrics.jsonl").open("w") as file:
    file.write('{"step": 1')
    file.flush()
    time.sleep(0.3)
    file.write('}' + chr(10))
    file.flush()
    time.sleep(float(sys.argv[1]))
"""


def test_a_start_ends_at_the_first_whole_line(tmp_path):
    found = startup.time_start(["-c", WRITES, "60"], tmp_path, whole=False)
    assert 0.3 < found["seconds"] < 30
    assert found["cpu_seconds"] < 30
    assert "whole_seconds" not in found


def test_a_whole_run_is_timed_to_its_end(tmp_path):
    found = startup.time_start(["-c", WRITES, "0.4"], tmp_path, whole=True)
    assert 0.3 < found["seconds"] <= found["whole_seconds"] - 0.4
    with pytest.raises(UserError, match="ended with code 1: ValueError"):
        startup.time_start(["-c", WRITES, "soon"], tmp_path, whole=True)


def test_a_start_without_metrics_says_why(tmp_path):
    with pytest.raises(UserError, match="wrote no metric: no luck"):
        startup.time_start(["-c", "print('no luck')"], tmp_path, whole=False)


def test_a_start_with_a_wrong_word_is_one_line(capsys):
    assert startup.main(["--preset", "smal"]) == 2
    assert capsys.readouterr().err.startswith("error: --preset: given 'smal'")


def agent_found(share: float, speed: float) -> dict:
    shares = None if share is None else {"environment": share}
    return {
        "steps_per_second": speed,
        "agents": [{"profile": shares, "alone": {"environment": 0.3}}],
    }


def test_every_bar_is_judged():
    results = {
        "direct": {"steps_per_second": 2e9},
        "large drop": agent_found(0.05, 1e6),
        "large direct": agent_found(None, 1e6),
        "100k parameters, 8 boards, float32": agent_found(0.1, 1.1e7),
        "100k parameters, 16 boards, float32": agent_found(0.1, 9e6),
    }
    judged = gpu.bars(results)
    assert [one["met"] for one in judged] == [True, True, False, True]
    assert [one["measured"] for one in judged] == [2e9, 0.05, 0.3, 1.1e7]
    absent = gpu.bars({})
    assert [one["met"] for one in absent] == [False] * 4
    assert "NOT MET" in gpu.words(absent, {"peers": "no network"})


def test_the_gpu_command_runs_every_program_and_quickly_keeps_nothing():
    whole = gpu.parts(gpu.Options())
    assert {part.module for part in whole} == {"env_throughput", "peers", "train_throughput"}
    assert all("--save" in part.words for part in whole)
    quick = gpu.parts(gpu.Options(quick=True, peers="none"))
    assert not any("--save" in part.words or part.module == "peers" for part in quick)
    for part in whole + quick:
        if part.module == "train_throughput":
            options = measure.options(train_throughput.Options(), list(part.words), "train_throughput", "")
            assert options is not None
            (config,) = train_throughput.check(options)()
            assert config.preset == "large"


def test_a_part_that_fails_gives_its_reason():
    with pytest.raises(RuntimeError, match="--actions: given 'nothing'"):
        gpu.run(gpu.Part("wrong", "env_throughput", ("--actions", "nothing")))
