"""Test log p(x) against training time when only m of the k draws are differentiated: whether it pays.

    python benchmarks/fewer_backward.py --save        MNIST, k = 50, ten minutes a method

The methods are timed interleaved in one process, a few seconds each, so that they share the machine equally; evaluation
does not count as training time. Adam at a constant rate, batches of 20. Writes results/fewer_backward.json and a
figure.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import machine
import optax
from step import model

from iwax import bounds, data, evaluation, gradients, training
from iwax.report.figures import canvas

FIGURE = Path(__file__).parents[1] / "docs" / "figures" / "fewer_backward.png"
K, BATCH, RATE = 50, 20, 1e-3
METHODS = {f"{m} of {K}": m for m in (K, 5, 1)}


class Point(NamedTuple):
    """Where a method stands: seconds trained, epochs, test log p(x) and its standard error."""

    seconds: float
    epochs: float
    log_evidence: float
    standard_error: float


class Training:
    """One method, trained for some seconds at a time through the compiled segments of every run."""

    def __init__(self, m: int, images: Any) -> None:
        self.rows, self.images = images.shape[0], jnp.asarray(images)
        objective = gradients.Objective(gradients.pathwise(bounds.iwae), k=K, backward=None if m == K else m)
        optimizer, plan = optax.adam(RATE), training.Plan(epochs=1, batch=BATCH, seed=0, binarize=True)
        state = training.initial_state(model(jax.random.key(0)), optimizer)
        self.advance = training.compile_segment(training.updates(objective, optimizer, plan, self.rows), state)
        self.state = jax.tree.map(lambda leaf: jnp.array(leaf) if isinstance(leaf, jax.Array) else leaf, state)
        self.steps, self.seconds, self.segment = training.steps_per_epoch(self.rows, BATCH), 0.0, 20
        self._run(20)  # compiles; these few steps are not counted as time
        self._run(20)

    def _run(self, steps: int) -> float:
        step = int(self.state.step)
        epoch = step // self.steps
        stop = min(step + steps, (epoch + 1) * self.steps)
        order = jnp.asarray(training.permutation(0, epoch, self.rows))
        begun = time.perf_counter()
        self.state, finite = self.advance(self.state, self.images, order, stop)
        if not finite:
            raise FloatingPointError(f"the loss was not finite before step {stop}")
        return (time.perf_counter() - begun) / (stop - step)

    def go(self, seconds: float) -> None:
        """Train for about so many seconds."""
        end = self.seconds + seconds
        while self.seconds < end:
            before = int(self.state.step)
            each = self._run(self.segment)
            self.seconds += each * (int(self.state.step) - before)
            self.segment = max(1, int(min(1.0, end - self.seconds) / each))

    def measure(self, test: Any, k: int) -> Point:
        """log p(x) of the test images."""
        found = evaluation.log_evidence(self.state.model, test, k=k, key=jax.random.key(1))
        return Point(self.seconds, int(self.state.step) / self.steps, found.mean, found.standard_error)


def race(seconds: float, turn: float, evaluations: int, test: Any, images: Any, k: int) -> dict[str, list[Point]]:
    """The methods in turn, each measured as often; evaluations lie evenly in the logarithm of time."""
    runners = {name: Training(m, images) for name, m in METHODS.items()}
    points: dict[str, list[Point]] = {name: [] for name in runners}
    for until in milestones(seconds, evaluations):
        while min(runner.seconds for runner in runners.values()) < until - turn / 100:
            for runner in runners.values():
                runner.go(max(0.0, min(turn, until - runner.seconds)))
        for name, runner in runners.items():
            points[name].append(runner.measure(test, k))
        print(f"{until:6.0f} s " + "  ".join(f"{name}: {each[-1].log_evidence:.2f}" for name, each in points.items()),
              file=sys.stderr)  # fmt: skip
    return points


def milestones(seconds: float, evaluations: int) -> Iterator[float]:
    """Times from a thirtieth of the whole on."""
    for i in range(evaluations):
        yield seconds * 30.0 ** (i / (evaluations - 1) - 1) if evaluations > 1 else seconds


def draw(result: dict[str, Any]) -> Path:
    """The curves, with two standard errors of the test data at the last point named in words."""
    figure = canvas.sheet(6.4, 4.0)
    axes = canvas.quiet(figure.add_subplot())
    for (name, points), colour in zip(result["points"].items(), canvas.PALETTE, strict=False):
        seconds, values = [point["seconds"] for point in points], [point["log_evidence"] for point in points]
        axes.plot(
            seconds, values, "o-", color=colour, markersize=4, linewidth=1.6, label=f"{name} draws differentiated"
        )
    axes.set_xscale("log")
    axes.set_xlabel("training time, seconds")
    axes.set_ylabel(f"test log p(x), nats (k = {result['k_test']})")
    axes.legend(frameon=False, fontsize=9, loc="lower right")
    words = "Test log p(x) of an IWAE with k = 50 on MNIST against training time, for 50, 5 and 1 draws differentiated."
    return canvas.Picture(figure, "Fewer draws backward than forward", words).write(FIGURE)


def main() -> None:
    """Race, print, save."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=600.0, help="of training, a method")
    parser.add_argument("--turn", type=float, default=5.0, help="seconds of a turn")
    parser.add_argument("--evaluations", type=int, default=10)
    parser.add_argument("--test", type=int, default=1000, help="test images, from the first")
    parser.add_argument("--k", type=int, default=500, help="importance samples of an evaluation")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--save", action="store_true", help="write results/fewer_backward.json and the figure")
    options = parser.parse_args()
    threads = machine.use_processors(options.threads)
    result = machine.description(threads, ["iwax", "jax", "jaxlib", "equinox", "optax", "numpy"])
    mnist = data.load("mnist")
    test = mnist.test.values[: options.test]
    points = race(options.seconds, options.turn, options.evaluations, test, mnist.train.values, options.k)
    result |= {"k": K, "batch": BATCH, "learning_rate": RATE, "k_test": options.k, "test_images": len(test)}
    result["points"] = {name: [point._asdict() for point in each] for name, each in points.items()}
    if options.save:
        machine.save("fewer_backward", result)
        draw(result)


if __name__ == "__main__":
    main()
