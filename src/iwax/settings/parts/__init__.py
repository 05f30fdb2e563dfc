"""Networks, likelihoods, posteriors and priors: settings, and the parts that they make."""

__all__: list[str] = []
