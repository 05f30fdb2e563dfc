"""A model whose log p(x) is known exactly, measured by the same code that measures every other model."""

from typing import Any

import jax
import numpy as np

from iwax import evaluation
from iwax.cli.self_check.oracle import Oracle

__all__ = ["self_test"]

ROWS, WIDER = 50, 1.2  # q(z|x) is too wide, so that the weights vary and the estimate has something to get wrong
ERRORS, FLOOR = 5.0, 1e-3  # allowed: five standard errors of the draws, and the rounding of single precision


def self_test(*, k: int = 2000) -> dict[str, Any]:
    """Estimate and exact value of the mean log p(x), their allowed difference, and whether it holds."""
    oracle = Oracle.of()
    x = oracle.rows(ROWS)
    exact = float(oracle.log_evidence(x).mean())
    evidence = evaluation.log_evidence(oracle.model(wider=WIDER), x.astype(np.float32), k=k, key=jax.random.key(0))
    allowed = ERRORS * evaluation.error_of_mean(evidence.monte_carlo_error) + FLOOR
    estimate = float(evidence.mean)
    return {
        "exact": exact,
        "estimate": estimate,
        "allowed": allowed,
        "k": k,
        "passed": bool(abs(estimate - exact) <= allowed),
    }
