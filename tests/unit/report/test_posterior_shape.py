"""The picture of the posterior's shape: what it takes, what it writes, and its regions of highest density."""

import numpy as np
import pytest
from PIL import Image
from scipy.stats import norm

from iwax.evaluation import PosteriorPlane
from iwax.report.figures.posterior_shape import highest_density_level, posterior_shape


def plane(data: int, *, side: int = 31) -> PosteriorPlane:
    axis = np.linspace(-4.0, 4.0, side)
    z = np.stack(np.meshgrid(axis, axis), axis=-1)
    densities = np.stack([norm.logpdf(z, at, scale).sum(axis=-1) for at, scale in ((0.0, 1.0), (0.4, 0.6), (0.5, 0.5))])
    densities[2, 0, 0] = -np.inf
    axes = np.tile(axis, (data, 1))
    each = np.zeros(data)
    kl = np.full((data, 2), 0.034)
    return PosteriorPlane((1, 10), 5, axes, axes, np.tile(densities, (data, 1, 1, 1)), kl, each - 3, each, each + 1)


def test_a_region_of_highest_density_holds_its_mass():
    """Of a round Gaussian in the plane the region of mass m reaches -log (1 - m) nats below the peak."""
    axis = np.linspace(-5.0, 5.0, 401)
    log_prob = -0.5 * (axis[:, None] ** 2 + axis**2)
    for mass in (0.5, 0.95):
        assert highest_density_level(log_prob, mass) == pytest.approx(np.log(1 - mass), abs=0.01)


@pytest.mark.parametrize("shape", [(4, 4), pytest.param((16,), marks=pytest.mark.slow)])
def test_writes_the_same_picture_twice_with_a_text_in_it(tmp_path, shape: tuple[int, ...]):
    data = np.eye(2, 16)
    first = posterior_shape(plane(2), data, shape).write(tmp_path / "a.png")
    second = posterior_shape(plane(2), data, shape).write(tmp_path / "b.png")
    assert first.read_bytes() == second.read_bytes()
    with Image.open(first) as image:
        assert "k = 1, 10" in image.text["Description"]
        assert np.asarray(image).std() > 5


def test_a_density_on_one_node_is_drawn(tmp_path):
    narrow = plane(1)
    narrow.log_prob[:] = -1e6
    narrow.log_prob[..., 15, 15] = 0.0
    assert posterior_shape(narrow, np.eye(1, 16), (4, 4)).write(tmp_path / "a.png").exists()


def test_refuses_other_numbers_of_rows(tmp_path):
    with pytest.raises(ValueError, match="a plane of 2 data needs as many rows to show next to it: got 3"):
        posterior_shape(plane(2), np.eye(3, 16), (4, 4)).write(tmp_path / "a.png")
