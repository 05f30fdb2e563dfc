"""Units: features standardised in double precision, before anything is made single."""

import warnings
from typing import NamedTuple

import numpy as np

__all__ = ["Units"]

_FAR = 1e6  # standard deviations: networks may enlarge it a billion times before its square leaves single precision


class Units(NamedTuple):
    """``y_j = (x_j - mean_j) / scale_j``, with the mean and standard deviation of what was observed.

    A constant feature has scale 1, as scikit-learn's StandardScaler gives it. Values further than a million scales
    from the mean count as just so far, with a warning: single precision has no room for the squares of others.
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray, names: list[str]) -> "Units":
        """Those of rows [n, D] in which NaN was not observed; ValueError where the numbers are too large to square.

        >>> Units.of(np.array([[1.0, 5.0], [3.0, 5.0], [np.nan, 5.0]]), ["a", "b"])
        Units(mean=array([2., 5.]), scale=array([1., 1.]))
        """
        with np.errstate(over="ignore", invalid="ignore"):
            mean, scale = np.nanmean(x, axis=0), np.nanstd(x, axis=0)
        if not np.isfinite(scale).all():
            name = names[int(np.argmin(np.isfinite(scale)))]
            raise ValueError(f"Input X contains a value too large to be squared in feature {name!r}: use other units")
        rounding = len(x) * np.finfo(np.float64).eps * np.abs(mean)
        return cls(mean, np.where(scale <= rounding, 1.0, scale))

    def inner(self, x: np.ndarray) -> np.ndarray:
        """Rows [n, D] in these units; what is NaN stays it.

        >>> Units(np.array([10.0]), np.array([2.0])).inner(np.array([[14.0], [1e300]])).tolist()
        [[2.0], [1000000.0]]
        """
        with np.errstate(over="ignore"):
            return np.clip((x - self.mean) / self.scale, -_FAR, _FAR)

    def warn_of_far(self, x: np.ndarray) -> None:
        """Warn, naming the first, of values of rows [n, D] that count as nearer than they are."""
        with np.errstate(over="ignore"):
            far = np.abs((x - self.mean) / self.scale) > _FAR
        if far.any():
            row, column = np.argwhere(far)[0]
            warnings.warn(
                f"{far.sum()} values of X lie more than {_FAR:.0e} standard deviations from the mean of their feature "
                f"and count as just so far: the first is {x[row, column]} in row {row}, column {column}",
                UserWarning,
                stacklevel=2,
            )

    def outer(self, y: np.ndarray) -> np.ndarray:
        """Rows [..., D] in these units, back in those of the data."""
        return self.mean + self.scale * np.asarray(y, np.float64)

    def log_volume(self, x: np.ndarray) -> np.ndarray:
        """``sum_j log scale_j`` over the observed values of every row: ``log p(x) = log p(y) - log_volume``.

        >>> Units(np.zeros(2), np.array([np.e, np.e])).log_volume(np.array([[0.0, 0.0], [0.0, np.nan]])).tolist()
        [2.0, 1.0]
        """
        return np.where(np.isnan(x), 0.0, np.log(self.scale)).sum(axis=1)
