"""q(z|x)."""

from iwax import former_names
from iwax.posteriors.amortised import Amortised
from iwax.posteriors.bernoulli import Bernoulli
from iwax.posteriors.categorical import Categorical
from iwax.posteriors.chain import Chain
from iwax.posteriors.coupling import coupling_layers, nice, real_nvp
from iwax.posteriors.encoded import Encoded
from iwax.posteriors.flow import Flow, Shared, flow
from iwax.posteriors.full_gaussian import FullGaussian
from iwax.posteriors.gaussian import Gaussian
from iwax.posteriors.hamiltonian import Hamiltonian, hamiltonian
from iwax.posteriors.householder import householder
from iwax.posteriors.iaf import autoregressive_layers, iaf
from iwax.posteriors.ladder import Ladder, Rung
from iwax.posteriors.linear_iaf import convex_linear_iaf, linear_iaf
from iwax.posteriors.mixture import Mixture
from iwax.posteriors.planar import planar, radial
from iwax.posteriors.point import Point
from iwax.posteriors.prior import Prior
from iwax.posteriors.sylvester import sylvester
from iwax.posteriors.top_down import TopDown

__all__ = [
    "Amortised",
    "Bernoulli",
    "Categorical",
    "Chain",
    "Encoded",
    "Flow",
    "FullGaussian",
    "Gaussian",
    "Hamiltonian",
    "Ladder",
    "Mixture",
    "Point",
    "Prior",
    "Rung",
    "Shared",
    "TopDown",
    "autoregressive_layers",
    "convex_linear_iaf",
    "coupling_layers",
    "flow",
    "hamiltonian",
    "householder",
    "iaf",
    "linear_iaf",
    "nice",
    "planar",
    "radial",
    "real_nvp",
    "sylvester",
]

__getattr__ = former_names.of(__name__)
