"""Deep latent-variable models as scikit-learn estimators, for tables of real numbers with or without missing values.

Their parameters have scikit-learn's names where it has them; NaN is a missing value. A row's score, embedding and
imputation are functions of the row, the fitted model and the seed alone, not of its neighbours nor its place.
"""

from iwax.sklearn.density import IWAE, VAE
from iwax.sklearn.imputer import IWAEImputer
from iwax.sklearn.outlier import IWAEOutlierDetector

__all__ = ["IWAE", "VAE", "IWAEImputer", "IWAEOutlierDetector"]
