"""Scorecard, bad input: strange arrays, values outside a support, tables and archives, extremes, laws over tables."""

import csv
import io
import json
import re
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from oracles import bad_arrays, hostile_files, run_folders
from oracles.project_tests import named
from sklearn.base import clone
from sklearn.utils import check_array
from sklearn.utils.estimator_checks import check_estimator

from iwax import data, evaluation, inference, likelihoods, nn, posteriors, priors
from iwax.model import LatentVariableModel
from iwax.sklearn import IWAE, VAE, IWAEImputer, IWAEOutlierDetector

SMALL = {"n_components": 2, "hidden_layer_sizes": (4,), "max_iter": 1, "n_iter_no_change": None, "random_state": 0}
ESTIMATORS = {
    "VAE": VAE(n_score_samples=2, **SMALL),
    "IWAE": IWAE(k=2, n_score_samples=2, **SMALL),
    "IWAEImputer": IWAEImputer(k=2, n_impute_samples=2, **SMALL),
    "IWAEOutlierDetector": IWAEOutlierDetector(k=2, n_score_samples=2, **SMALL),
}
METHODS = {
    "VAE": ("fit", "partial_fit", "score_samples", "evidence", "score", "transform"),
    "IWAE": ("fit", "partial_fit", "score_samples", "evidence", "score", "transform"),
    "IWAEImputer": ("fit", "transform", "multiple", "imputation"),
    "IWAEOutlierDetector": ("fit", "evidence", "score_samples", "decision_function", "predict"),
}
KEY = jax.random.key(0)


# -- I1: strange arrays ------------------------------------------------------------------------------------------------


def outcome(call: Callable[[], Any]) -> tuple[str, Any]:
    """What became of a call: `typed` with its words, `inside` JAX, `other` error, or `taken` with the result."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return "taken", call()
    except (ValueError, TypeError) as error:
        words = str(error)
        plain = not bad_arrays.from_inside(error) and len(words) > 10 and "Error interpreting argument" not in words
        return ("typed" if plain else "inside"), f"{type(error).__name__}: {words[:200]}"
    except Exception as error:
        return ("inside" if bad_arrays.from_inside(error) else "other"), f"{type(error).__name__}: {str(error)[:200]}"


def numbers(result: Any) -> list[np.ndarray]:
    """The arrays of a result, in order; of a fitted estimator those of its model."""
    if hasattr(result, "model_"):
        result = result.model_
    if not isinstance(result, tuple | list | np.ndarray | float) and hasattr(result, "__dict__"):
        unknown = ("pareto_k", "ess")  # NaN of few draws, and of rows in which there is nothing to fill
        known = {name: value for name, value in vars(result).items() if name not in unknown}
        result = result if isinstance(result, LatentVariableModel) else known
    return [np.asarray(leaf) for leaf in jax.tree.leaves(result) if isinstance(leaf, np.ndarray | jax.Array | float)]


def as_plain(thing: Any, *, missing: bool) -> np.ndarray | None:
    """The array that scikit-learn makes of a thing, None where it refuses; what is masked is not made a number."""
    try:
        rows = check_array(thing, dtype=np.float64, ensure_all_finite="allow-nan" if missing else True)
    except (ValueError, TypeError, OverflowError):
        return None
    if isinstance(thing, np.ma.MaskedArray):
        rows = np.where(np.ma.getmaskarray(thing), np.nan, rows)
    return rows


def judged(name: str, call: Callable[[Any], Any], *, missing: bool) -> str:
    """Nothing where a thing is refused in words of our own, or taken as the array that scikit-learn makes of it."""
    kind, found = outcome(lambda: call(bad_arrays.given(name)))
    if kind == "typed":
        return ""
    if kind != "taken":
        return f"{kind} {found}"
    plain = None if name == "a generator" else as_plain(bad_arrays.given(name), missing=missing)
    if plain is None:
        return "taken in silence"
    other, same = outcome(lambda: call(plain))
    results = [numbers(each) for each in (found, same)] if other == "taken" else [[], [None]]
    equal = len(results[0]) == len(results[1]) and all(map(np.array_equal, *results, [True] * len(results[0])))
    if not equal:
        return "taken as something else"
    return "" if all(np.isfinite(each).all() for each in results[0]) else "numbers that are not finite"


def counted(trials: dict[str, str]) -> tuple[str, dict[str, str]]:
    """How many were as they should be, and those that were not."""
    bad = {name: said for name, said in trials.items() if said}
    return f"{len(trials) - len(bad)} of {len(trials)}", bad


I1 = (
    "I1",
    "36 bad arrays x every public method of 4 estimators and 16 functions",
    "typed; 0 from inside JAX, 0 silent",
)


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.scorecard(*I1)
def test_bad_arrays_of_estimators(name, figure):
    fitted = clone(ESTIMATORS[name]).fit(bad_arrays.good())
    trials = {}
    for thing in (*bad_arrays.BAD, "nothing but NaN"):
        for method in METHODS[name]:
            if method in ("fit", "partial_fit") and thing in ("too wide", "too narrow"):
                continue

            def call(x, method=method):
                model = clone(ESTIMATORS[name]) if method in ("fit", "partial_fit") else fitted
                return getattr(model, method)(x, *((1,) if method == "multiple" else ()))

            trials[f"{method} of {thing}"] = judged(thing, call, missing=True)
        if name in ("VAE", "IWAE"):
            latent = bad_arrays.given(thing)
            latent = latent[:, :2] if isinstance(latent, np.ndarray) and latent.shape == (6, 3) else latent
            kind, found = outcome(lambda latent=latent: fitted.inverse_transform(latent))
            strange = kind == "taken" and as_plain(latent, missing=False) is None
            trials[f"inverse_transform of {thing}"] = (
                f"{kind} {found}" if kind in ("inside", "other") or strange else ""
            )
    reported, bad = counted(trials)
    figure(f"{name} {reported}")
    assert bad == {}


def dense(inputs: int, outputs: int) -> nn.MLP:
    return nn.MLP(inputs, (4,), outputs, key=KEY)


MODEL = LatentVariableModel(
    priors.StandardNormal(2), likelihoods.Gaussian.fixed(dense(2, 3), 1.0), posteriors.Gaussian(dense(3, 4))
)
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "log_evidence": lambda x: evaluation.log_evidence(MODEL, x, k=2, key=KEY),
    "posterior_means": lambda x: evaluation.posterior_means(MODEL, x, key=KEY),
    "kl_per_unit": lambda x: evaluation.kl_per_unit(MODEL, x, key=KEY),
    "kl_by_row": lambda x: evaluation.kl_by_row(MODEL, x, key=KEY),
    "unit_activity": lambda x: evaluation.unit_activity(MODEL, x, key=KEY),
    "convergence_in_k": lambda x: evaluation.convergence_in_k(MODEL, x, k=4, key=KEY),
    "annealed_evidence": lambda x: evaluation.annealed_evidence(
        MODEL, x, chains=2, temperatures=2, leapfrog=1, key=KEY
    ),
    "importance_posterior_elbo": lambda x: evaluation.importance_posterior_elbo(
        MODEL, x, k=2, outer=2, draws=2, key=KEY
    ),
    "aggregate_posterior": lambda x: evaluation.aggregate_posterior(MODEL, x, key=KEY),
    "inference_gap": lambda x: evaluation.inference_gap(MODEL, x, k=2, steps=2, key=KEY),
    "jackknife_evidence": lambda x: evaluation.jackknife_evidence(MODEL, x, k=4, repeats=2, key=KEY),
    "embed": lambda x: inference.embed(MODEL, x, key=KEY),
    "score": lambda x: inference.score(MODEL, x, k=2, key=KEY),
    "reconstruct": lambda x: inference.reconstruct(MODEL, x, key=KEY),
    "impute": lambda x: inference.impute(MODEL, x, k=2, key=KEY),
    "impute_gibbs": lambda x: inference.impute_gibbs(MODEL, x, key=KEY, iterations=1),
}
MISSING = ("impute", "impute_gibbs")


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.scorecard(*I1)
def test_bad_arrays_of_functions(name, figure):
    missing = name in MISSING
    FUNCTIONS[name](np.float32(bad_arrays.good(6)))  # it takes what is good
    things = (*bad_arrays.BAD, *(() if missing else bad_arrays.NOT_MISSING))
    trials = {thing: judged(thing, FUNCTIONS[name], missing=missing) for thing in things}
    reported, bad = counted(trials)
    figure(f"{name} {reported}")
    assert bad == {}


# -- I2: values outside a support --------------------------------------------------------------------------------------

SUPPORTS = """
import json, sys
import jax, numpy as np
import optax
from iwax import bounds, evaluation, gradients, inference, likelihoods, nn, posteriors, priors, training
from iwax.model import LatentVariableModel
KEY, NAN, INF = jax.random.key(0), float("nan"), float("inf")
def net(outputs):
    return nn.MLP(2, (4,), outputs, key=KEY)
def ASCENT(model, key, x, *, beta):
    return gradients.Objective(gradients.pathwise(bounds.iwae), k=2)(model, key, x, beta=beta)
LIKELIHOODS = {
    "bernoulli": (likelihoods.Bernoulli(net(3)), [0.5, 2, 255, -1, 1e-9, 0.999999]),
    "continuous bernoulli": (likelihoods.ContinuousBernoulli(net(3)), [-1e-6, 1.0001, 255]),
    "categorical": (likelihoods.Categorical(net(15), 5), [-1, 5, 0.5, 1e9]),
    "poisson": (likelihoods.Poisson(net(3)), [-1, 0.5, 1e-30]),
    "negative binomial": (likelihoods.NegativeBinomial.of_network(net(6)), [-1, 2.5]),
    "log normal": (likelihoods.LogNormal.of_network(net(6)), [0, -1]),
    "discretized logistic": (likelihoods.DiscretizedLogistic.of_network(net(6)), [-1, 256, 0.5]),
}
found = []
for name, (likelihood, values) in LIKELIHOODS.items():
    model = LatentVariableModel(
        priors.StandardNormal(2), likelihood, posteriors.Gaussian(nn.MLP(3, (4,), 4, key=KEY))
    )
    for value in [*values, NAN, INF, -INF]:
        rows = np.ones((4, 3), np.float32)
        rows[2, 1] = value
        for verb, call in (
            ("log_evidence", lambda: evaluation.log_evidence(model, rows, k=2, key=KEY)),
            ("score", lambda: inference.score(model, rows, k=2, key=KEY)),
            ("fit", lambda: training.fit(model, ASCENT, rows, optimizer=optax.adam(1e-3), epochs=1, key=KEY)),
        ):
            try:
                call()
                found.append([name, str(value), verb, "taken"])
            except (ValueError, TypeError) as error:
                said = str(error)
                found.append([name, str(value), verb, "refused" if "row" in said or "3:" in said else said])
for scale in (0.0, -1.0, NAN):
    try:
        likelihoods.Gaussian.fixed(net(3), scale)
        found.append(["gaussian", str(scale), "sd", "taken"])
    except (ValueError, TypeError) as error:
        found.append(["gaussian", str(scale), "sd", "refused"])
raw = likelihoods.Bernoulli(lambda z, *, key: jax.numpy.full(1, 50.0))(jax.numpy.zeros(2), key=KEY)
highest = -INF
for value in (-1, 0, 0.5, 1, 2, 255):
    try:
        highest = max(highest, float(raw.log_prob(np.float32([value]))))
    except (ValueError, TypeError):
        pass
print(json.dumps([found, highest, __debug__]))
"""


@pytest.mark.scorecard("I2", "values outside 7 supports, with asserts and under python -O", "all refused; no log p > 0")
def test_values_outside_a_support(figure):
    wrong, count = [], 0
    for flags in ((), ("-O",)):
        done = subprocess.run(
            [sys.executable, *flags, "-W", "ignore", "-c", SUPPORTS], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        found, highest, debug = json.loads(done.stdout)
        assert debug is not bool(flags)
        count += len(found)
        wrong += [(*each, flags) for each in found if each[-1] != "refused"]
        wrong += [("a positive log-probability", highest)] if highest > 0 else []
    figure(f"{count - len(wrong)} of {count} refused with their row; the highest raw Bernoulli log p is {highest:.2g}")
    assert wrong == []


# -- I3: tables, arrays and archives as files --------------------------------------------------------------------------

GOOD_LINES = ["0.5,1,a", "1.5,2,b", "2.5,3,a", "3.5,4,b"]


def table(*lines: str, end: str = "\n") -> bytes:
    return (end.join(("x,n,c", *lines)) + end).encode()


REFUSED: dict[str, tuple[bytes, str]] = {  # a file by its name, and what the refusal says besides its name
    "empty.csv": (b"", "empty|at least"),
    "header.csv": (b"x,n,c\n", "row|line"),
    "cell.csv": (b"x\n", "row|line"),
    "short.csv": (table(*GOOD_LINES, "4.5,5"), r":6\b"),
    "long.csv": (table(*GOOD_LINES, "4.5,5,a,b"), r":6\b"),
    "nul.csv": (table(*GOOD_LINES, "4.5,\0,a"), r":6\b|NUL|zero byte|binary"),
    "twice.csv": (table(*GOOD_LINES).replace(b"x,n", b"x,x"), ":1"),
    "unnamed.csv": (table(*GOOD_LINES).replace(b"x,n", b"x,"), "column 'c'"),
    "quote.csv": (table(*GOOD_LINES, '4.5,"5,a'), r":6\b|quot"),
    "infinite.csv": (table(*GOOD_LINES, "inf,5,a"), r":6:1\b"),
    "beyond.csv": (table(*GOOD_LINES, "1e400,5,a"), r":6:1\b"),
    "huge.csv": (table(*GOOD_LINES, "1e39,5,a"), r":6:1\b"),
    "missing.csv": (b"x,n\n,1\n,2\n,3\n,4\n,5\n", "'x'"),
    "latin.csv": (table(*GOOD_LINES).replace(b"a", b"\xe9"), "UTF-8|encoding"),
    "utf16.csv": (table(*GOOD_LINES).decode().encode("utf-16-le"), "UTF|encoding|NUL|zero byte"),
    "binary.csv": (bytes(range(256)) * 20, ""),
    "comma.csv": (b"x;n\n1,5;2\n2,5;3\n3,5;4\n4,5;5\n", r":2:1\b"),
    "rows.npy": (b"", ""),
    "text.npy": (b"1,2\n3,4\n", ""),
    "cut.npy": (hostile_files.npy("(2, 4)", bytes(31)), ""),
    "long.npy": (hostile_files.npy("(2, 4)", bytes(33)), ""),
    "forged.npy": (hostile_files.npy("(1000000000000, 784)"), ""),
    "overflow.npy": (hostile_files.npy("(4294967296, 4294967296)"), ""),
    "negative.npy": (hostile_files.npy("(-1, 4)"), ""),
    "objects.npy": (hostile_files.npy("(2, 2)", bytes(32), "'|O'"), "pickle|object"),
    "words.npy": (hostile_files.npy("(2, 2)", bytes(32), "'<U2'"), "number|U2"),
    "inf.npy": (hostile_files.npy("(4, 1)", np.float32([1, 2, np.inf, 3]).tobytes()), r":3:1\b"),
    "all-nan.npy": (hostile_files.npy("(4, 1)", np.float32([np.nan] * 4).tobytes()), r":1\b|value"),
    "cut.npz": (hostile_files.zipped(("x.npy", hostile_files.npy("(2, 4)", bytes(32))))[:80], ""),
    "other.npz": (hostile_files.zipped(("z.npy", hostile_files.npy("(2, 4)", bytes(32)))), "z"),
    "cut.parquet": (b"PAR1" + bytes(40), "Parquet"),
    "cut.zip": (b"PK\x03\x04" + bytes(40), "zip"),
    "book.xlsx": (b"PK\x03\x04" + bytes(40), "xlsx"),
}
SAME = {  # the same table, written otherwise
    "plain.csv": table(*GOOD_LINES * 3),
    "bom.csv": b"\xef\xbb\xbf" + table(*GOOD_LINES * 3),
    "crlf.csv": table(*GOOD_LINES * 3, end="\r\n"),
    "semicolon.csv": table(*GOOD_LINES * 3).replace(b",", b";"),
    "tab.tsv": table(*GOOD_LINES * 3).replace(b",", b"\t"),
    "quoted.csv": table(*(line.replace("a", '"a"').replace("b", '"b"') for line in GOOD_LINES * 3)),
    "blank.csv": table(*GOOD_LINES * 3) + b"\n\n",
}


@pytest.mark.scorecard(
    "I3", "tables, arrays and archives that are wrong or large", "exit 2, file:row:column; bounded memory"
)
def test_wrong_files(program, tmp_path, figure):
    wrong = []
    for name, (content, place) in REFUSED.items():
        path = tmp_path / name
        path.write_bytes(content)
        done = program.iwax("train", path, "--epochs", 1, "--output", tmp_path / "run", "--quiet", cwd=tmp_path)
        one = len(done.err.splitlines()) == 1 and "Traceback" not in done.err and name in done.err
        if done.code != 2 or not one or not re.search(place, done.err) or (tmp_path / "run").exists():
            wrong.append((name, done.code, done.err[-300:]))
    loaded = {}
    for name, content in SAME.items():
        (tmp_path / name).write_bytes(content)
        found = data.load(tmp_path / name)
        loaded[name] = (found.columns, np.vstack([each.values for each in found.splits().values()]).tobytes())
    other = [name for name in SAME if loaded[name] != loaded["plain.csv"]]
    figure(f"{len(REFUSED) - len(wrong)} of {len(REFUSED)} refused in one line with their place{named(wrong)}")
    assert (wrong, other) == ([], [])


READS = """
import json
from pathlib import Path
import numpy as np
from iwax import data
from iwax.cli.failure import exit_code, one_line
path = Path({path!r})
try:
    found = data.load(path)
    if {fill!r}:
        rows = data.read_rows(path, found.columns)
        blanks = np.isnan(rows.values)
        filled = data.filled_table(path, found.columns, np.where(blanks, 1.0, rows.values), blanks)
        before, after = path.read_text().splitlines(), filled.decode().splitlines()
        changed = [a for a, b in zip(before, after, strict=True) if len(a.split(",")) != len(b.split(",")) or
                   any(x and x != y for x, y in zip(a.split(","), b.split(",")))]
        print(json.dumps([0, f"{{len(changed)}} rows changed"]))
    else:
        print(json.dumps([0, "read"]))
except BaseException as error:
    print(json.dumps([exit_code(error), one_line(error)]))
"""


def large(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Files that are large, or declare to be, and whether they are a table whose missing cells can be filled."""
    chance = np.random.default_rng(0)
    for name, rows, columns in (("long.csv", 200_000, 5), ("wide.csv", 60, 10_000)):
        cells = np.char.mod("%.5f", chance.normal(size=(rows, columns)))
        cells[chance.random(cells.shape) < 0.05] = ""
        cells[:, 0] = "1.5"
        cells[::2, 0] = "2.5"
        lines = [",".join(f"c{i}" for i in range(columns)), *(",".join(row) for row in cells)]
        (folder / name).write_text("\n".join(lines) + "\n")
        yield folder / name, True
    bombs = {
        "cell.csv": b'a,b\n"' + b"x" * 10_000_000 + b'",1\n2,3\n4,5\n6,7\n',
        "bomb.npz": hostile_files.npz_bomb(),
        "bomb.zip": hostile_files.zipped(*hostile_files.pictures(400)),
        "bomb.parquet": hostile_files.parquet_bomb(),
        "forged.npy": hostile_files.npy("(500000000, 784)"),
    }
    for name, content in bombs.items():
        (folder / name).write_bytes(content)
        yield folder / name, False


@pytest.mark.scorecard(
    "I3", "tables, arrays and archives that are wrong or large", "exit 2, file:row:column; bounded memory"
)
def test_memory_of_large_files(program, tmp_path, figure):
    wrong, reported = [], []
    for path, fill in large(tmp_path):
        text = READS.format(path=str(path), fill=fill)
        done = program.python(text, limits={"RLIMIT_AS": 12 << 30}, patience=90)
        size = path.stat().st_size / 1e6
        code, said = json.loads(done.out) if done.out else (done.code, done.last)
        bad = done.megabytes > 1.5 * size + 200 or code not in (0, 2) or (fill and said != "0 rows changed")
        reported.append(f"{path.name} ({size:.1f} MB) {done.megabytes:.0f} MB")
        wrong += [(path.name, code, said[:200], round(done.megabytes))] if bad else []
    figure(", ".join(reported))
    assert wrong == []


# -- I4: scikit-learn's own checks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.scorecard("I4", "check_estimator of every estimator", "0 failed, documented skips alone")
def test_the_checks_of_scikit_learn(name, figure):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = check_estimator(clone(ESTIMATORS[name]).set_params(random_state=None), on_skip=None, on_fail=None)
    counts = Counter(each["status"] for each in found)
    skipped = sorted(each["check_name"] for each in found if each["status"] == "skipped")
    failed = [(each["check_name"], repr(each["exception"])[:200]) for each in found if each["status"] == "failed"]
    figure(f"{name} {counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    assert failed == []
    assert skipped in ([], ["check_array_api_input"])


# -- I5: extremes ------------------------------------------------------------------------------------------------------

REFUSED_SETTINGS = (
    *("objective.k=0", "objective.k=-1", "objective.k=1000000000", "model.latent=0", "model.hidden=[0]"),
    *("seed=18446744073709551616", "seed=-1", "training.epochs=0", "training.batch=0", "training.learning_rate=inf"),
    *("training.learning_rate=nan", "training.learning_rate=-1", "training.learning_rate=0", "evaluation.k=0"),
)
HOURS = re.compile(r"\b(seconds?|minutes?|hours?|days?|years?)\b")


@pytest.mark.scorecard(
    "I5",
    "extremes of k, batch, rows, latents, seed, epochs, learning rate",
    "refused, or right in bounded memory; cost said",
)
def test_extremes(program, whole, tmp_path, figure):
    wrong, rows = [], run_folders.binary_rows(tmp_path)
    for setting in REFUSED_SETTINGS:
        done = program.iwax("train", rows, "--set", setting, "--output", tmp_path / "run", "--quiet", cwd=tmp_path)
        one = len(done.err.splitlines()) == 1 and setting.split("=")[0] in done.err
        wrong += [(setting, done.code, done.err[-300:])] if done.code != 2 or not one else []
    run = run_folders.copied(whole, tmp_path / "million")
    few = program.iwax("evaluate", run, "--k", 10_000, "--limit", 2, "--json")
    many = program.iwax("evaluate", run, "--k", 1_000_000, "--limit", 2, "--json")
    found = [json.loads(done.out) for done in (few, many)]
    gap = abs(found[0]["log_evidence"] - found[1]["log_evidence"])
    for k in (0, -1):
        done = program.iwax("evaluate", run, "--k", k)
        wrong += [(f"evaluate --k {k}", done.code, done.err)] if done.code != 2 or "k" not in done.err else []
    billion = program.iwax("evaluate", run, "--k", 10**9, patience=60)
    said = billion.code == 2 and bool(HOURS.search(billion.err))
    wrong += [] if said else [("evaluate --k 1e9 with its cost", billion.code, billion.err[-300:])]
    sets = [word for each in run_folders.TINY for word in [each]]
    batch = program.iwax(
        "train", rows, *sets, "--set", "training.batch=1000", "--epochs", 1, "--output", tmp_path / "b"
    )
    wrong += [("a batch above n", batch.code, batch.err[-300:])] if batch.code != 0 else []
    for n, code in ((1, 2), (3, 0)):
        np.save(tmp_path / f"{n}.npy", np.eye(n, 4, dtype=np.uint8))
        done = program.iwax(
            "train", tmp_path / f"{n}.npy", "--epochs", 1, "--set", "model.hidden=[4]", "--set", "evaluation.k=5",
            "--output", tmp_path / f"run-{n}", "--quiet",
        )  # fmt: skip
        wrong += [(f"{n} rows", done.code, done.err[-300:])] if done.code != code else []
    figure(
        f"k = 1e6 in {many.megabytes:.0f} MB (1e4: {few.megabytes:.0f} MB), {gap:.3f} nats apart; "
        f"{len(REFUSED_SETTINGS) + 5 - len(wrong)} of {len(REFUSED_SETTINGS) + 5} others "
        f"as they should be{named(wrong)}"
    )
    assert many.megabytes <= 1.2 * few.megabytes + 50
    assert gap <= 0.05
    assert wrong == []


# -- I6: laws over tables ----------------------------------------------------------------------------------------------

TABLES, FITS = 2_000, 100
TEXT = st.text("abÅß漢'`~!@#$%^&()|\\/ \n\r\t,;\"0123456789.", min_size=1, max_size=8).filter(lambda t: t.strip() == t)
NUMBER = st.one_of(
    st.floats(-1e6, 1e6, allow_nan=False).map(repr),
    st.integers(-(10**6), 10**6).map(str),
    st.decimals(-100, 100, places=12).map(str),
)
LEVEL = TEXT.map(lambda text: f"<{text}>")  # no number and no mark of a missing cell


@st.composite
def tables(draw):
    """Columns of cells as texts, empty where a value is missing, and how the table is written."""
    width, height = draw(st.integers(1, 4)), draw(st.integers(8, 14))
    kinds = draw(st.lists(st.sampled_from(["number", "level", "whole"]), min_size=width, max_size=width))
    columns = []
    for kind in kinds:
        levels = draw(st.lists(LEVEL, min_size=2, max_size=4, unique=True))
        cell = {"number": NUMBER, "level": st.sampled_from(levels), "whole": st.integers(0, 50).map(str)}[kind]
        cells = draw(st.lists(cell, min_size=height, max_size=height))
        blanks = draw(st.lists(st.integers(0, 9), min_size=height, max_size=height))
        columns.append(["" if blank == 0 else cell for cell, blank in zip(cells, blanks, strict=True)])
    how = {"delimiter": draw(st.sampled_from(",;\t|")), "lineterminator": draw(st.sampled_from(["\n", "\r\n"]))}
    how["quoting"] = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    return columns, how, draw(st.booleans())


@pytest.mark.scorecard(
    "I6",
    "Hypothesis: 2,000 tables read and filled; 100 fits",
    "no crash; laws of shapes; observed values never altered",
)
def test_tables_keep_what_was_observed(tmp_path_factory, figure):
    folder, counts = tmp_path_factory.mktemp("tables"), Counter()

    @settings(
        max_examples=TABLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(tables())
    def check(drawn):
        columns, how, mark = drawn
        stream = io.StringIO(newline="")
        writer = csv.writer(stream, **how)
        writer.writerow([f"name{i}" for i in range(len(columns))])
        writer.writerows(zip(*columns, strict=True))
        read = list(csv.reader(io.StringIO(stream.getvalue(), newline=""), delimiter=how["delimiter"]))[1:]
        assume(read == [list(row) for row in zip(*columns, strict=True)])  # csv leaves a bare carriage return unquoted
        path = folder / "t.csv"
        path.write_bytes((b"\xef\xbb\xbf" if mark else b"") + stream.getvalue().encode())
        try:
            found = data.load(path)
        except ValueError as error:
            counts["refused"] += 1
            counts["nameless"] += "t.csv" not in str(error)
            return
        counts["read"] += 1
        if found.columns is None:  # zeros and ones without a missing cell are binary data, and nothing is to be filled
            assert found.kind == "binary"
            assert {cell for cells in columns for cell in cells} <= {"0", "1"}
            return
        rows = data.read_rows(path, found.columns, empty=True, dropped=[each.name for each in found.left_out])
        blanks = np.isnan(rows.values)
        middle = np.nanmax(rows.values, axis=0, initial=0.0, where=~blanks)
        filled = data.filled_table(path, found.columns, np.where(blanks, middle, rows.values), blanks)
        text = filled.decode("utf-8-sig")
        after = list(csv.reader(io.StringIO(text, newline=""), delimiter=how["delimiter"]))[1:]
        kept = {column.name for column in found.columns}
        for i, cells in enumerate(columns):
            for row, cell in enumerate(cells):
                if cell:
                    assert after[row][i] == cell
                elif f"name{i}" in kept:
                    assert after[row][i] != ""
                    counts["filled"] += 1

    check()
    figure(
        f"{counts['read']} tables read, {counts['refused']} refused, {counts['filled']} cells filled, 0 others altered"
    )
    assert counts["read"] >= TABLES // 2
    assert counts["nameless"] == 0


def rows_of(rng: np.random.Generator) -> np.ndarray:
    """Rows of any scale and any number up to 60, with missing cells."""
    n = int(rng.integers(4, 60))
    x = rng.normal(rng.normal(0, 10), 10.0 ** rng.uniform(-3, 3), (n, bad_arrays.FEATURES))
    x[rng.random(x.shape) < rng.uniform(0, 0.4)] = np.nan
    x[np.isnan(x).all(axis=1), 0] = 1.0
    x[:2] = np.nan_to_num(x[:2], nan=0.5)
    return x.astype(rng.choice([np.float32, np.float64]))


@pytest.mark.scorecard(
    "I6",
    "Hypothesis: 2,000 tables read and filled; 100 fits",
    "no crash; laws of shapes; observed values never altered",
)
def test_laws_of_estimators(figure):
    model = clone(ESTIMATORS["IWAE"]).fit(bad_arrays.good())
    imputer = clone(ESTIMATORS["IWAEImputer"]).fit(bad_arrays.good())
    counts = Counter()

    @settings(
        max_examples=FITS, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(st.integers(0, 2**32 - 1), st.integers(1, 70))
    def check(seed, draws):
        x = rows_of(np.random.default_rng(seed))
        blanks = np.isnan(x)
        if counts["fits"] % 10 == 0:  # another number of rows, another program to compile
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                clone(imputer).fit(x)
        counts["fits"] += 1
        z, scores, new = model.transform(x), model.score_samples(x), model.sample(draws)
        back, filled = model.inverse_transform(z), imputer.transform(x)
        assert z.shape == (len(x), 2)
        assert scores.shape == (len(x),)
        assert new.shape == (draws, bad_arrays.FEATURES)
        assert back.shape == filled.shape == x.shape
        assert all(np.isfinite(each).all() for each in (z, scores, new, back, filled))
        assert np.array_equal(filled[~blanks], x[~blanks])
        assert np.array_equal(np.isnan(x), blanks)
        counts["blanks"] += int(blanks.sum())

    check()
    figure(
        f"{counts['fits']} tables of rows through transform, inverse, sample, score, impute: "
        f"{counts['blanks']} cells filled"
    )
