"""What is trained, and how."""

import difflib
import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from iwax import weights
from iwax.settings.fields import Section, integer, number

__all__ = ["Settings"]


class Settings(Section):
    """A network and the method that trains it. Raises ValidationError where they do not go together.

    >>> Settings().prior_of_weights()
    ScaleMixture(pi=0.25, sigma1=0.36787944117144233, sigma2=0.0024787521766663585)
    """

    data: str = Field(default="digits-grey", description="digits-grey, mnist-grey or curve")
    method: Literal["bayes", "plain", "dropout"] = Field(
        default="bayes", description="one of bayes (a variational posterior over the weights), plain, dropout"
    )
    hidden: Annotated[tuple[Annotated[int, Field(ge=1, le=65_536)], ...], Field(min_length=1, max_length=64)] = Field(
        default=(400, 400), description="hidden layers (ReLU), a list of integers from 1 to 65536"
    )
    prior: Literal["mixture", "normal"] = Field(default="mixture", description="one of mixture, normal")
    pi: float = number(0.25, "of the mixture's wide component, between 0 and 1", gt=0.0, lt=1.0)
    minus_log_sigma1: float = number(1.0, "of the wide component, or of the normal prior, -10 to 20", ge=-10.0, le=20.0)
    minus_log_sigma2: float = number(6.0, "of the sharp component, above minus_log_sigma1, to 20", ge=-10.0, le=20.0)
    sigma: float = number(0.01, "where the weights' standard deviation starts, above 0, to 10", gt=0.0, le=10.0)
    sampling: Literal["local", "weights"] = Field(
        default="local", description="what is drawn: local (activations, row by row) or weights (once per minibatch)"
    )
    samples: int = integer(1, 1, 1000, "draws of the weights per step")
    shares: Literal["equal", "decaying"] = Field(
        default="equal", description="of the KL divergence, per minibatch: equal (1/M), decaying (2^(M-i) / (2^M - 1))"
    )
    dropout: float = number(0.5, "of the hidden units, for dropout, from 0 to below 1", ge=0.0, lt=1.0)
    optimizer: Literal["adam", "sgd"] = Field(default="adam", description="adam (cosine decay), or sgd (constant rate)")
    learning_rate: float = number(1e-3, "a number above 0, at most 10; of sgd for a minibatch's sum", gt=0.0, le=10.0)
    batch: int = integer(128, 1, 1_000_000, "data points per step")
    epochs: int = integer(100, 1, 1_000_000, "epochs of training")
    seed: int = integer(0, 0, 2**32 - 1, "of the run")

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.prior == "mixture" and not self.minus_log_sigma2 > self.minus_log_sigma1:
            raise ValueError(
                f"minus_log_sigma2 needs to be above minus_log_sigma1={self.minus_log_sigma1:g}, "
                f"got {self.minus_log_sigma2:g}"
            )
        return self

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """The settings of these values. Raises ValueError that says in a line what was needed, and what was got.

        >>> Settings.of({"hidden": [100]}).hidden
        (100,)
        """
        for name in given:
            if name not in cls.model_fields:
                near = difflib.get_close_matches(name, cls.model_fields, n=3, cutoff=0.4) or list(cls.model_fields)
                raise ValueError(f"{name}: there is no such setting; nearest: {', '.join(near)}")
        try:
            return cls.model_validate_json(json.dumps(dict(given)))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            name = str(first["loc"][0]) if first["loc"] else ""
            if name not in cls.model_fields:
                raise ValueError(str(first["msg"]).removeprefix("Value error, ")) from error
            raise ValueError(f"{name}: needs {cls.model_fields[name].description}, got {given[name]!r}") from error

    def prior_of_weights(self) -> weights.Prior:
        """P(w), as these settings say."""
        wide = math.exp(-self.minus_log_sigma1)
        if self.prior == "normal":
            return weights.Normal(wide)
        return weights.ScaleMixture(self.pi, wide, math.exp(-self.minus_log_sigma2))
