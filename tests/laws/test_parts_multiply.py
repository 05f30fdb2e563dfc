"""Any posterior with any prior, likelihood, bound and gradient: they train, or are refused by name.

One case in the fast suite; behind the slow marker cases that hold every value of every factor and every pair of values
of two factors, and, as far as shapes and refusals go, every three parts with a bound and a gradient in turn.
"""

import itertools
import random
from collections.abc import Iterator
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from iwax.parts import Datum
from iwax.settings import build, fits
from iwax.settings.config import Config
from iwax.settings.model import Model
from iwax.settings.objective import Objective, build_objective
from iwax.settings.parted import parts_of, words, words_of
from iwax.settings.parts.likelihoods import Likelihood
from iwax.settings.parts.networks import FeatureStatistics

SHAPE, ROWS, K = (2, 2), 3, 3
FEATURES = 4
KEY = jax.random.key(0)
KINDS = {part: [word for kind in parts_of(Model)[part] for word in words_of(kind)] for part in ("posterior", "prior")}
FACTORS: dict[str, tuple[str, ...]] = {
    "posterior": tuple(name for name in KINDS["posterior"] if name != "bernoulli"),
    "prior": tuple(name for name in KINDS["prior"] if name != "bernoulli"),
    "likelihood": words(Likelihood),
    "bound": ("elbo", "iwae", "jackknife"),
    "gradient": ("pathwise", "doubly_reparameterized"),
}
USES = {
    "mixture": {"prior_components": 2},
    "vamp": {"prior_components": 2},
    "exemplar": {"prior_components": 2},
    "flow": {"prior_steps": 2},
    "autoregressive": {"prior_steps": 2},
}


def values(likelihood: str) -> np.ndarray:
    """Rows in the support of a likelihood."""
    drawn = np.random.default_rng(0).random((ROWS, FEATURES))
    family, support = (chosen := Model(likelihood=likelihood).likelihood).family, chosen.support
    if family is not None and family.grey:
        return np.round(drawn * 255) / 255
    if "bernoulli" in likelihood or "pixelcnn" in likelihood:
        return (drawn > 0.5) * 1.0
    return np.floor(6 * drawn) + support.outside(np.zeros(1))


def config(posterior: str, prior: str, likelihood: str, bound: str, gradient: str) -> Config:
    """ValueError where these cannot go together."""
    if likelihood == "columns":
        raise ValueError("these rows are no table")
    stepped = {"posterior_steps": 2, "posterior_components": 2, "flow_hidden": (3,)}
    model = Model(
        latent=2, hidden=(3,), posterior=posterior, prior=prior, likelihood=likelihood, **stepped, **USES.get(prior, {})
    )
    chosen = Objective(bound=bound, gradient=gradient, k=K, order=1 if bound == "jackknife" else None)
    made = Config(model=model, objective=chosen)
    fits.check(made)
    return made


def start(x: np.ndarray) -> FeatureStatistics:
    return FeatureStatistics(x.mean(axis=0), np.maximum(x.std(axis=0), 0.1), SHAPE, x[:2].astype(np.float32))


def loss_of(case: dict[str, str]):
    """The loss under fixed noise, and where the training starts."""
    chosen, x = config(**case), values(case["likelihood"])
    model = build.build_model(chosen, start(x), key=KEY)
    objective = build_objective(chosen.objective, FEATURES, rows=ROWS, key=KEY)
    datum = Datum(values=jnp.asarray(x, jnp.float32), index=jnp.arange(ROWS))

    def loss(model):
        found = objective(model, KEY, datum)
        return -jnp.mean(found.value), -jnp.mean(found.bound)

    return model, loss


def trains(case: dict[str, str]) -> None:
    """Finite gradients, and a better bound of the same noise after ten small steps."""
    model, loss = loss_of(case)
    slope = eqx.filter_jit(eqx.filter_value_and_grad(loss, has_aux=True))
    adam = optax.adam(3e-3)
    state, history = adam.init(eqx.filter(model, eqx.is_inexact_array)), []
    for _ in range(11):
        (_, value), gradient = slope(model)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient)), case
        history.append(float(value))
        updates, state = adam.update(gradient, state)
        model = eqx.apply_updates(model, updates)
    assert np.isfinite(history).all(), case
    assert history[-1] < history[0], (case, history)


def allowed(case: dict[str, str]) -> bool:
    try:
        config(**case)
    except ValueError:
        return False
    return True


def product() -> Iterator[dict[str, str]]:
    for chosen in itertools.product(*FACTORS.values()):
        yield dict(zip(FACTORS, chosen, strict=True))


def covering(size: int) -> list[dict[str, str]]:
    """Allowed cases that hold every allowed combination of values of ``size`` factors, one after another."""
    chosen, held, cases = [], set(), list(product())
    random.Random(0).shuffle(cases)
    for case in cases:
        holds = {(names, tuple(case[name] for name in names)) for names in itertools.combinations(FACTORS, size)}
        if holds - held and allowed(case):
            held |= holds
            chosen.append(case)
    return chosen


def test_a_choice_of_every_factor_trains():
    trains(dict(zip(FACTORS, ("radial", "vamp", "poisson", "iwae", "doubly_reparameterized"), strict=True)))


@pytest.mark.slow
def test_every_part_trains():
    for case in covering(1):
        trains(case)


@pytest.mark.slow
def test_every_pair_trains():
    cases = covering(2)
    for case in cases:
        trains(case)
        jax.clear_caches()
    assert len(cases) >= len(FACTORS["posterior"]) * len(FACTORS["likelihood"])


@pytest.mark.slow
@pytest.mark.parametrize("posterior", FACTORS["posterior"])
def test_every_three_parts_have_a_gradient_or_are_refused(posterior: str):
    """Traced, not run: the gradient has the model's shapes."""
    whole = [case for case in product() if case["posterior"] == posterior]
    ways = len(FACTORS["bound"]) * len(FACTORS["gradient"])  # of the same three parts, side by side
    for case in (case for i, case in enumerate(whole) if i % ways == i // ways % ways and allowed(case)):
        model, loss = loss_of(case)
        gradient, _ = eqx.filter_eval_shape(eqx.filter_grad(loss, has_aux=True), model)
        parameters = eqx.filter(model, eqx.is_inexact_array)
        assert jax.tree.map(jnp.shape, gradient) == jax.tree.map(jnp.shape, parameters), case


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"posterior": "hamiltonian", "gradient": "doubly_reparameterized"},
            ["hamiltonian", "use the pathwise gradient"],
        ),
        ({"posterior": "hamiltonian", "prior": "vamp"}, ["prior=vamp", "posterior=hamiltonian"]),
        ({"posterior": "prior", "prior": "exemplar"}, ["prior=exemplar", "posterior=prior"]),
    ],
)
def test_what_cannot_go_together_is_refused_by_name(change, words):
    case = dict.fromkeys(FACTORS, "") | {
        "posterior": "gaussian", "prior": "standard_normal", "likelihood": "bernoulli", "bound": "iwae",
        "gradient": "pathwise",
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"model\.posterior=") as found:
        config(**(case | change))
    for word in words:
        assert word in str(found.value)


def test_pictures_are_needed_by_what_is_made_for_pictures():
    chosen = config("gaussian", "standard_normal", "pixelcnn", "elbo", "pathwise")
    flat = partial(build.build_model, key=KEY)
    with pytest.raises(
        ValueError, match=r"likelihood=pixelcnn needs data that are pictures .* got rows of shape \(4,\)"
    ):
        flat(chosen, start(values("bernoulli"))._replace(shape=(FEATURES,)))
