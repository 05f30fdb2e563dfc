"""Every verb that opens a run, on runs trained in double precision: a table with missing cells, and binary images."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from oracles.linear_gaussian import LinearGaussian

from iwax import bounds, evaluation, gradients, runs, training
from iwax.cli.app import main
from iwax.runs.reporter import Silent

SETS = ["model.hidden=[4]", "model.latent=2", "training.epochs=1", "evaluation.k=5", "objective.k=2"]
slow = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A table with missing cells, and binary images of 2 x 3."""
    folder, rng = tmp_path_factory.mktemp("double"), np.random.default_rng(0)
    lines = [f"{a:.2f},{b:.2f},{'x' if a > 0 else 'y'}" for a, b in rng.normal(size=(60, 2))]
    lines = [line if i % 5 else "," + line.partition(",")[2] for i, line in enumerate(lines)]
    (folder / "t.csv").write_text("\n".join(["a,b,c", *lines]) + "\n")
    np.save(folder / "pixels.npy", (rng.random((60, 2, 3)) < 0.5).astype(np.uint8))
    return folder


def trained(folder: Path, name: str, file: str, seed: int = 0) -> None:
    """A run of that name on a file, unless there is one."""
    if not (folder / name).exists():
        config = runs.from_sources(data=str(folder / file), sets=SETS, flags={"precision": 64, "seed": seed})
        runs.train(config, folder / name, reporter=Silent())


@pytest.mark.parametrize(
    "words",
    [
        "impute RUN/table RUN/t.csv --k 30 --draws 2",
        pytest.param("denoise RUN/images --limit 5 --k 30 --iterations 2", marks=slow),
        pytest.param("score RUN/table RUN/t.csv --k 30", marks=slow),
        pytest.param("embed RUN/table RUN/t.csv", marks=slow),
        pytest.param("sample RUN/table -n 3", marks=slow),
        pytest.param("reconstruct RUN/images --method resample --k 30", marks=slow),
        pytest.param("impute RUN/images --mask half --limit 5 --k 30", marks=slow),
        pytest.param("impute RUN/table RUN/t.csv --iterations 2", marks=slow),
        pytest.param("score RUN/images RUN/pixels.npy --k 5 --typical --background RUN/images", marks=slow),
        pytest.param("evaluate RUN/table", marks=slow),
        pytest.param("evaluate RUN/images --method annealed --chains 2 --temperatures 3 --leapfrog 1", marks=slow),
        pytest.param("evaluate RUN/images --method bidirectional --chains 2 --temperatures 3", marks=slow),
        pytest.param("evaluate RUN/images --method jackknife --k 3 --repeats 2", marks=slow),
        pytest.param("diagnose RUN/images --limit 8 --k 4 -o RUN/diagnosis", marks=slow),
        pytest.param("resume RUN/table", marks=slow),
        pytest.param("report RUN/images -o RUN/page.html", marks=slow),
        pytest.param("report RUN/table -o RUN/table.html", marks=slow),
    ],
)
def test_a_run_of_double_precision_serves_every_verb(folder: Path, words: str, capsys):
    for name, file in (("table", "t.csv"), ("images", "pixels.npy")):
        if f"RUN/{name}" in words:
            trained(folder, name, file)
    with pytest.raises(SystemExit) as end:
        main([*words.replace("RUN", str(folder)).split(), "--json"])
    captured = capsys.readouterr()
    assert end.value.code == 0, captured.err
    found = json.loads(captured.out)
    if "--k 30" in words:  # answers by importance weights, row by row
        assert len(found["ess"]) == len(found["khat"]) >= 5
        assert "unknown" in found


@pytest.mark.slow
def test_runs_of_double_precision_are_compared(folder: Path, capsys):
    for name, seed in (("images", 0), ("other", 1)):
        trained(folder, name, "pixels.npy", seed)
        with pytest.raises(SystemExit):
            main(["evaluate", str(folder / name)])
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main(["compare", str(folder / "images"), str(folder / "other"), "--json"])
    captured = capsys.readouterr()
    assert end.value.code == 0, captured.err
    assert len(json.loads(captured.out)["runs"]) == 2


@pytest.mark.slow
def test_what_was_trained_in_single_precision_has_the_same_density_in_double():
    """To 1e-3 nats: the draws differ, and are so many that their mean is known to half of that."""
    oracle = LinearGaussian.random(5, 2, seed=2)
    x, how = oracle.sample(200, seed=1), {"k": 10_000, "key": jax.random.key(1), "batch": 200, "chunk": 500}
    objective = gradients.Objective(gradients.pathwise(bounds.iwae), k=5)
    fitted = training.fit(
        oracle.model(scale=1.1), objective, x, optimizer=optax.adam(1e-3), epochs=2, key=jax.random.key(0), batch=50
    ).model
    one = evaluation.log_evidence(fitted, x, **how)
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda leaf: leaf.astype(jnp.float64) if hasattr(leaf, "astype") else leaf, fitted)
        other = evaluation.log_evidence(wide, x, **how)
    errors = [evaluation.error_of_mean(each.monte_carlo_error) for each in (one, other)]
    assert max(errors) < 5e-4
    assert abs(one.mean - other.mean) < 1e-3
