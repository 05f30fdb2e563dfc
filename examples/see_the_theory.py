"""See the theory work: the importance-weighted bound next to an exact answer. A marimo notebook that is also a script.

marimo edit examples/see_the_theory.py         # in a browser, with a slider; pip install 'iwax[docs]'
python examples/see_the_theory.py              # the same cells once, from top to bottom, and a picture
"""

import marimo

app = marimo.App(width="medium")

with app.setup:
    import equinox as eqx
    import jax
    import jax.numpy as jnp
    import marimo as mo
    import numpy as np
    from matplotlib.figure import Figure

    from iwax import evaluation, likelihoods, nn, posteriors, priors
    from iwax.model import LatentVariableModel


@app.function
def linear(weight: np.ndarray, bias: np.ndarray) -> nn.Linear:
    """A linear layer with these numbers."""
    layer = nn.Linear(*weight.shape, key=jax.random.key(0))
    arrays = (jnp.asarray(weight, jnp.float32), jnp.asarray(bias, jnp.float32))
    return eqx.tree_at(lambda layer: (layer.weight, layer.bias), layer, arrays)


@app.cell
def the_question():
    mo.md(
        """
        # See the theory work

        One latent, three observations: z ~ N(0, 1), x_j = z + noise, noise ~ N(0, 1). Everything is known:
        p(x) = N(0, I + 11'), and p(z|x) = N(sum x / 4, 1/4). The posterior of the model is made **wrong** on purpose:
        its standard deviation is off by a factor. How far from log p(x) is the bound, at how many samples?
        """
    )
    return


@app.cell
def the_factor():
    factor = mo.ui.slider(0.6, 2.0, step=0.2, value=1.6, label="standard deviation of q over the right one")
    factor  # noqa: B018
    return (factor,)


@app.cell
def the_model(factor):
    ones = np.ones((1, 3))
    encoder = linear(np.concatenate([ones.T / 4, 0 * ones.T], axis=1), np.array([0.0, np.log(0.5 * factor.value)]))
    model = LatentVariableModel(
        prior=priors.StandardNormal(1),
        likelihood=likelihoods.Gaussian.fixed(linear(ones, np.zeros(3)), 1.0),
        posterior=posteriors.Gaussian(encoder),
    )
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(200, 1)) + rng.normal(size=(200, 3))).astype(np.float32)
    # log p(x) in closed form: det(I + 11') = 4, and its inverse is I - 11'/4
    square = (x**2).sum(axis=1) - x.sum(axis=1) ** 2 / 4
    exact = -0.5 * (square + np.log(4) + 3 * np.log(2 * np.pi))
    return exact, model, x


@app.cell
def the_bound(exact, factor, model, x):
    curve = evaluation.convergence_in_k(model, x, k=2000, ks=[1, 2, 5, 10, 20, 50], key=jax.random.key(1))
    gaps = (exact - curve.per_row).mean(axis=1)
    errors = np.sqrt((curve.per_row_error**2).sum(axis=1)) / len(x)
    divergence = 0.5 * (factor.value**2 - 1) - np.log(factor.value)  # KL(q || p(z|x)), the gap of the ELBO
    return curve, divergence, errors, gaps


@app.cell
def the_table(curve, divergence, errors, gaps):
    rows = "\n".join(f"| {k} | {gap:.5f} | {error:.5f} |" for k, gap, error in zip(curve.ks, gaps, errors, strict=True))
    mo.md(
        f"""
        At k = 1 the gap is KL(q || p(z|x)) = {divergence:.4f} nats, in closed form. It shrinks with every k (Burda,
        Grosse and Salakhutdinov 2016, theorem 1), for large k as 1/k where the weights have a variance.

        | k | log p(x) - bound, nats | +/- over draws |
        |---|---|---|
        {rows}
        """.replace("        ", "")
    )
    return


@app.cell
def the_picture(curve, divergence, errors, gaps):
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.errorbar(curve.ks, gaps, yerr=2 * errors, fmt="o-", label="log p(x) less the expected bound, +/- 2 errors")
    axes.axhline(divergence, linestyle=":", color="0.4", label="KL(q || p(z|x)), in closed form")
    axes.set(xscale="log", yscale="log", xlabel="k", ylabel="nats")
    axes.legend(frameon=False)
    figure  # noqa: B018
    return (figure,)


@app.cell
def the_end(curve, divergence, errors, figure, gaps):
    if mo.app_meta().mode == "script":
        figure.savefig("theory.png", dpi=150)
        print(f"KL(q || p(z|x)) = {divergence:.4f} nats")  # noqa: T201
        for k, gap, error in zip(curve.ks, gaps, errors, strict=True):
            print(f"k = {k:4d}   log p(x) - bound = {gap:.5f} +/- {error:.5f} nats")  # noqa: T201
    return


if __name__ == "__main__":
    app.run()
