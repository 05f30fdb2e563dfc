"""The time of a training step with every bound and every gradient estimator, relative to pathwise IWAE at the same k.

    python benchmarks/estimators.py --save        batch 20, k = 50

A round times a block of steps of each, one after the other, through the compiled segment that every run uses. Ratios
are taken within a round, to pathwise IWAE, and their median over the rounds is reported.
"""

import sys
from collections.abc import Callable
from functools import partial

import interleaved
import jax
import machine
import tables
from network import PIXELS

from iwax import bounds, control_variates, gradients, nn

BOUNDS = {
    "elbo": bounds.elbo,
    "iwae": bounds.iwae,
    "miwae(5)": bounds.miwae(5),
    "ciwae(0.05)": bounds.ciwae(0.05),
    "renyi(0.5)": bounds.renyi(0.5),
    "jackknife(1)": bounds.jackknife(1),
    "cubo(2)": bounds.cubo(2.0),
    "thermodynamic(5)": bounds.thermodynamic(5),
}
ESTIMATORS: dict[str, Callable[[bounds.Bound], gradients.Estimator]] = {
    "pathwise": gradients.pathwise,
    "sticking_the_landing": gradients.sticking_the_landing,
    "doubly_reparameterized": gradients.doubly_reparameterized,
    "score_function": lambda bound: gradients.score_function(bound, control_variates.leave_one_out),
}
REFERENCE = "pathwise iwae"


def objectives(k: int) -> dict[str, gradients.Objective]:
    """Every pair, then what stands by itself, and what is exempt because it does more; what k cannot serve is named."""
    found, left_out = {}, []
    for name, make in _rows(k).items():
        try:
            found[name] = make()
        except ValueError as error:
            left_out.append(f"{name} ({error})")
    if left_out:
        print(f"left out at k={k}: {'; '.join(left_out)}", file=sys.stderr)
    return found


def _rows(k: int) -> dict[str, Callable[[], gradients.Objective]]:
    """What makes each objective; it raises ValueError where k draws are too few."""
    ascend = partial(partial, gradients.Objective, k=k)
    pathwise, doubly = gradients.pathwise, gradients.doubly_reparameterized
    found = {
        f"{name} {of}": ascend(estimator=make(bound))
        for of, bound in BOUNDS.items()
        for name, make in ESTIMATORS.items()
    }
    piwae = gradients.paired(model=pathwise(bounds.iwae), posterior=pathwise(bounds.miwae(5)))
    moving = gradients.score_function(bounds.iwae, control_variates.moving_average())
    learned = control_variates.Learned(nn.MLP(PIXELS, (100,), 1, key=jax.random.key(1)))
    return found | {
        "pathwise vr_max": ascend(estimator=pathwise(bounds.renyi(-float("inf")))),
        "covariance thermodynamic(5)": ascend(estimator=gradients.covariance(bounds.thermodynamic(5))),
        "wake": ascend(estimator=gradients.wake()),
        "doubly_reparameterized_wake": ascend(estimator=gradients.doubly_reparameterized_wake()),
        "pathwise iwae for p, miwae(5) for q": ascend(estimator=piwae),
        "score_function iwae, moving_average": ascend(estimator=moving),
        "pathwise iwae, backward 5": ascend(estimator=pathwise(bounds.iwae), backward=5),
        "pathwise iwae, backward 1": ascend(estimator=pathwise(bounds.iwae), backward=1),
        "doubly_reparameterized iwae, backward 5": ascend(estimator=doubly(bounds.iwae), backward=5),
        "pathwise iwae, chunk 10": ascend(estimator=pathwise(bounds.iwae), chunk=10),
        "score_function iwae, learned": ascend(estimator=gradients.score_function(bounds.iwae, learned)),
        "pathwise jackknife(2)": ascend(estimator=pathwise(bounds.jackknife(2))),
        "pathwise sumo(5)": ascend(estimator=pathwise(bounds.sumo(5))),
    }


def main() -> None:
    """Compile all, time them interleaved, print the table."""
    parser = interleaved.parser((__doc__ or "").partition("\n")[0], "estimators", batch=20)
    parser.add_argument("--k", type=int, default=50)
    options = parser.parse_args()
    threads = machine.use_processors(options.threads)
    made = {
        name: partial(interleaved.training_steps, objective, options.batch)
        for name, objective in objectives(options.k).items()
    }
    result = machine.description(threads, ["iwax", "jax", "jaxlib", "equinox", "optax", "numpy"])
    result |= {"k": options.k} | interleaved.taken(made, REFERENCE, options)
    print(tables.estimators(result))
    if options.save:
        machine.save("estimators", result)
        tables.write()


if __name__ == "__main__":
    main()
