"""Count the floating-point operations of a model from what JAX traced: matrix products and convolutions only.

These are the operations that a network is made of; the same count whatever compiles or runs it. XLA's own
estimate counts the body of a loop once, whatever number of times it runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax


def model_flops(function: Callable[..., Any], *arguments: Any) -> int:
    """Return the operations of one call (a multiplication and an addition count as two).

    Loops of unknown length count once; of the branches of a conditional, the costliest counts.
    """
    return _of_jaxpr(jax.make_jaxpr(function)(*arguments).jaxpr)


def _of_jaxpr(jaxpr: Any) -> int:
    return sum(_of_equation(equation) for equation in jaxpr.eqns)


def _of_equation(equation: Any) -> int:
    name, parameters = equation.primitive.name, equation.params
    if name == "dot_general":
        return _of_product(equation)
    if name == "conv_general_dilated":
        return _of_convolution(equation)
    inner = [_of_jaxpr(jaxpr) for jaxpr in _inner(parameters)]
    if name == "scan":
        return parameters["length"] * sum(inner)
    return max(inner, default=0) if name == "cond" else sum(inner)


def _inner(parameters: dict[str, Any]) -> list[Any]:
    """Return the programs inside an equation: bodies of loops, branches, functions called."""
    values = [
        one
        for value in parameters.values()
        for one in (value if isinstance(value, (tuple, list)) else (value,))
    ]
    found = [getattr(value, "jaxpr", value) for value in values]
    return [jaxpr for jaxpr in found if hasattr(jaxpr, "eqns")]


def _of_product(equation: Any) -> int:
    """Twice the numbers of the result times the numbers summed over for each."""
    (contracted, _), _ = equation.params["dimension_numbers"]
    left = equation.invars[0].aval.shape
    return 2 * math.prod(equation.outvars[0].aval.shape) * math.prod(left[axis] for axis in contracted)


def _of_convolution(equation: Any) -> int:
    kernel = equation.invars[1].aval.shape
    output_axis = equation.params["dimension_numbers"].rhs_spec[0]
    weights = math.prod(kernel) // kernel[output_axis]
    return 2 * math.prod(equation.outvars[0].aval.shape) * weights
