"""Plant fifteen faults, one by one, in a copy of the source tree, and see that tests fail: what a suite is worth.

    python tests/mutation/plant.py            all of them, some minutes
    python tests/mutation/plant.py KL jack    those whose names hold one of the words

The checkout is only read. The copy must pass unchanged first. A fault counts as caught where pytest says that tests
failed, not where nothing could be imported or collected. The exit code is 0 where every fault asked for is caught.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS_FAILED = 1  # pytest's exit code: 2 and above say that it did not get that far


@dataclass(frozen=True)
class Fault:
    """A replacement in a file of src/iwax, and the tests that must notice it."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def plant(self, source: Path) -> str:
        """Write the fault below ``source``; the text that was there before. The old text must be there exactly once."""
        path = source / self.file
        text = path.read_text(encoding="utf-8")
        found = text.count(self.old)
        if found != 1:
            raise ValueError(f"{self.name}: src/iwax/{self.file} must hold {self.old!r} exactly once, found {found}")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")
        return text


BOUNDS, ESTIMATORS = "tests/laws/test_bounds.py", "tests/laws/test_estimators.py::test_the_table_of_estimators"
DENSITY = "tests/contracts/test_distributions.py::test_log_prob_is_scipys"
EVIDENCE = "tests/laws/test_oracle_evidence.py::test_many_draws_come_within_a_hundredth_of_a_nat"

FAULTS = (
    Fault(
        "a half missing in the normal density",
        "distributions/normal.py",
        "return -0.5 * ((value - loc)",
        "return -1.0 * ((value - loc)",
        (DENSITY,),
    ),
    Fault(
        "the sign of log scale in the normal density",
        "distributions/normal.py",
        "- jnp.log(scale) - 0.5 * math.log(2 * math.pi)",
        "+ jnp.log(scale) - 0.5 * math.log(2 * math.pi)",
        (DENSITY,),
    ),
    Fault(
        "the sign of the KL divergence",
        "gradients/closed_form.py",
        "Surrogate(log_likelihood - beta * cost, elbo)",
        "Surrogate(log_likelihood + beta * cost, elbo)",
        ("tests/unit/gradients/test_free_bits.py",),
    ),
    Fault(
        "a sum for a mean over the draws",
        "bounds/importance.py",
        "return jnp.mean(log_w, axis=0)",
        "return jnp.sum(log_w, axis=0)",
        (f"{BOUNDS}::test_equal_weights_give_their_common_value",),
    ),
    Fault(
        "log k forgotten",
        "numerics.py",
        "return jax.nn.logsumexp(log_w, axis=0) - jnp.log(log_w.shape[0])",
        "return jax.nn.logsumexp(log_w, axis=0)",
        ("tests/numerics/test_numerics.py::test_log_mean_exp_in_float32",),
    ),
    Fault(
        "the batch averaged before the draws are pooled",
        "bounds/importance.py",
        "PerDatum:\n    return log_mean_exp(log_w)",
        "PerDatum:\n    return log_mean_exp(jnp.zeros_like(log_w) + jnp.mean(log_w, axis=-1, keepdims=True))",
        (f"{BOUNDS}::test_data_do_not_mix",),
    ),
    Fault(
        "log-weights detached from the draws",
        "gradients/stages.py",
        "terms = batched.terms_at(eqx.combine(parameters, static), key, x, draws, z)",
        "terms = batched.terms_at(eqx.combine(parameters, static), key, x, draws, jax.lax.stop_gradient(z))",
        ("tests/laws/test_surrogate.py::test_any_weights_are_applied_draw_by_draw",),
    ),
    Fault(
        "weights normalised over the batch",
        "bounds/importance.py",
        "normalised = jax.nn.softmax(log_w, axis=0)",
        "normalised = jax.nn.softmax(log_w, axis=-1)",
        (f"{ESTIMATORS}[iwae-1.0]",),
    ),
    Fault(
        "M and K swapped in miwae",
        "bounds/importance.py",
        "return jnp.moveaxis(log_w.reshape(m, k // m, *log_w.shape[1:]), 0, 1)",
        "return log_w.reshape(m, k // m, *log_w.shape[1:])",
        (f"{BOUNDS}::test_every_bound_equals_its_definition_also_where_exp_would_overflow",),
    ),
    Fault(
        "evaluation at the temperature of training",
        "samplers/sampler.py",
        "return self.terms(model, key, x, k=k, first=first).log_w()",
        "return self.terms(model, key, x, k=k, first=first).log_w(0.5)",
        (EVIDENCE,),
    ),
    Fault(
        "beta missing in the doubly reparameterised weights",
        "gradients/estimators.py",
        "return Weights(first, first - beta * second, None)",
        "return Weights(first, first - second, None)",
        (f"{ESTIMATORS}[iwae-0.4]",),
    ),
    Fault(
        "the sign of the jackknife's coefficients",
        "bounds/jackknife.py",
        "return [(-1) ** j * (k - j) ** order",
        "return [(-1) ** (j // 2) * (k - j) ** order",
        ("tests/laws/test_randomised_bounds.py::test_jackknife_coefficients_add_up_to_one_and_cancel_powers",),
    ),
    Fault(
        "the sign of the score's weight",
        "gradients/estimators.py",
        "bound.value(log_w, key) - baseline - beta * first",
        "bound.value(log_w, key) - baseline + beta * first",
        (f"{ESTIMATORS}[iwae-1.0]",),
    ),
    Fault(
        "the prior held constant",
        "batched.py",
        "model = bound(model, key)\n\n    def draw(datum: Datum",
        "model = eqx.tree_at(lambda m: m.prior, bound(model, key), replace_fn=jax.lax.stop_gradient)\n\n"
        "    def draw(datum: Datum",
        ("tests/laws/test_chain_estimators.py::test_three_weights_reproduce_automatic_differentiation_draw_by_draw",),
    ),
    Fault(
        "noise shared between the draws",
        "batched.py",
        "lambda i, *each: function(jax.random.fold_in(key, i), *each))(numbers, *others)",
        "lambda i, *each: function(jax.random.fold_in(key, 0 * i), *each))(numbers, *others)",
        (EVIDENCE,),
    ),
)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def copy_of_the_tree(folder: Path) -> Path:
    """src/iwax of a copy of what the tests need; compiled programs, kept by their content, are shared."""
    for name in ("src", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    (ROOT / ".jax_cache").mkdir(exist_ok=True)
    (folder / ".jax_cache").symlink_to(ROOT / ".jax_cache")
    return folder / "src" / "iwax"


def python(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, check=False, capture_output=True, text=True
    )


def run_tests(folder: Path, tests: tuple[str, ...]) -> tuple[int, str]:
    """pytest's exit code, and its last line."""
    done = python(folder, "-m", "pytest", "-m", "", "-x", "-q", *tests)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return done.returncode, lines[-1] if lines else ""


def main(words: list[str]) -> int:
    """Plant the faults whose names hold one of the words, all where there are none; 0 where all are caught."""
    chosen = [fault for fault in FAULTS if not words or any(word in fault.name for word in words)]
    if not chosen:
        say(f"no fault's name holds any of {words}")
        return 2
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        source = copy_of_the_tree(folder)
        imported = python(folder, "-c", "import iwax; print(iwax.__file__)").stdout.strip()
        if Path(imported).resolve().parent != source:
            say(f"the copy in {source} is not what is imported, but {imported}")
            return 2
        tests = tuple(dict.fromkeys(test for fault in chosen for test in fault.tests))
        code, last = run_tests(folder, tests)
        if code:
            say(f"without any fault the tests must pass, but: {last}")
            return 2
        say(f"unchanged  {last}")
        caught = sum(is_caught(fault, folder, source) for fault in chosen)
    say(f"{caught}/{len(chosen)}")
    return 0 if caught == len(chosen) else 1


def is_caught(fault: Fault, folder: Path, source: Path) -> bool:
    before = fault.plant(source)
    code, last = run_tests(folder, fault.tests)
    (source / fault.file).write_text(before, encoding="utf-8")
    say(f"{'caught' if code == TESTS_FAILED else 'MISSED':<9}  {fault.name}: {last}")
    return code == TESTS_FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
