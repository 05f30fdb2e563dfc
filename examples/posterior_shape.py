"""The shape of q(z|x), of what importance weights make of it, and of p(z|x), for a run with two latent units.

    iwax train mnist --preset iwae-1-k50 --set model.latent=2 --epochs 5 --output runs/plane
    python examples/posterior_shape.py runs/plane -o posterior_shape.png

It also prints, for the rows drawn, the two ends and the middle of

    IWAE bound at k  <=  ELBO of q_EW at k  <=  log p(x) by quadrature.
"""

import argparse
import sys
from pathlib import Path

import jax

from iwax import evaluation
from iwax.report.figures.posterior_shape import posterior_shape
from iwax.runs import open_run
from iwax.settings import build


def main() -> None:
    words = argparse.ArgumentParser(description="Draw the posteriors of a run with two latent units.")
    words.add_argument("run", type=Path, help="the run's folder")
    words.add_argument("-o", "--output", type=Path, default=Path("posterior_shape.png"))
    words.add_argument("--rows", default="0,1,2,3", help="numbers of test rows, with commas")
    words.add_argument("--ks", default="1,10,100", help="numbers of importance samples, with commas")
    words.add_argument("--side", type=int, default=241, help="points along each axis of the grid")
    words.add_argument("--outer", type=int, default=1000, help="sets of other draws in each density")
    asked = words.parse_args()

    trained = open_run(asked.run)
    rows, ks = ([int(number) for number in numbers.split(",")] for numbers in (asked.rows, asked.ks))
    x = build.values(trained.config, trained.dataset(), "test")[rows]
    key = jax.random.key(0)
    plane = evaluation.posterior_plane(trained.model, x, ks=ks, side=asked.side, outer=asked.outer, key=key)
    lines = plane.warnings()
    for k in ks:
        elbo = evaluation.importance_posterior_elbo(trained.model, x, k=k, outer=50, draws=200, key=key, batch=4)
        lines.append(
            f"k={k}: IWAE bound {elbo.iwae.mean():.2f}, ELBO of q_EW between {elbo.lower.mean():.2f} and "
            f"{elbo.upper.mean():.2f}, log p(x) {plane.log_evidence.mean():.2f} nats"
        )
    lines.append(str(posterior_shape(plane, x, trained.shape).write(asked.output)))
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
