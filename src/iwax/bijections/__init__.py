"""Invertible maps with a known Jacobian determinant: shared by flow posteriors and flow priors.

Each is written for one point z [features] and follows one protocol: ``forward(z) -> (y, log_det)``,
``inverse(y, near=None) -> (z, log_det)``, log_det always that of the forward map at z, nats. ``near`` is the preimage
where it is known already: a map without a closed inverse then searches nothing, and its derivative is still exact.
"""

from iwax.bijections.autoregressive import Autoregressive
from iwax.bijections.composition import Composite, Inverted, Stacked
from iwax.bijections.coupling import Coupling
from iwax.bijections.householder import Householder
from iwax.bijections.planar import Planar
from iwax.bijections.radial import Radial
from iwax.bijections.sylvester import Sylvester
from iwax.bijections.triangular import UnitTriangular, packed_size

__all__ = [
    "Autoregressive",
    "Composite",
    "Coupling",
    "Householder",
    "Inverted",
    "Planar",
    "Radial",
    "Stacked",
    "Sylvester",
    "UnitTriangular",
    "packed_size",
]
