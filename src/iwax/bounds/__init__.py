"""Bounds and estimates of log p(x) as functions of log-weights: ``[k, *batch] -> [*batch]``, ascended, nats per datum.

With ``log w_i = log p(x, z_i) - log q(z_i|x)`` and z_i ~ q(z|x). No bound here knows a model.
"""

from iwax.bounds.bound import Bound, collapsed
from iwax.bounds.importance import ciwae, elbo, iwae, miwae
from iwax.bounds.jackknife import jackknife
from iwax.bounds.renyi import cubo, renyi
from iwax.bounds.sumo import sumo
from iwax.bounds.thermodynamic import thermodynamic

__all__ = [
    "Bound",
    "ciwae",
    "collapsed",
    "cubo",
    "elbo",
    "iwae",
    "jackknife",
    "miwae",
    "renyi",
    "sumo",
    "thermodynamic",
]
