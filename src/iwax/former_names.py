"""Public names that changed: each gives what took its place, with a DeprecationWarning, for one release.

A module with names in `FORMER` or `REMOVED` ends with ``__getattr__ = former_names.of(__name__)``. Both tables are
emptied at the release after the one that warns.
"""

import functools
import importlib
import warnings
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

__all__ = ["FORMER", "REMOVED", "argument", "of"]

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")

_RUNS = ["Interrupted", "Reporter", "Run", "Silent", "closing_line", "evaluate"]
_RUNS += ["from_sources", "load", "open_run", "resume", "train"]
_METHODS = ["Annealed", "Bidirectional", "Importance", "Jackknife"]

FORMER: dict[str, dict[str, str]] = {  # module: former name: where it is today
    "iwax.data": {"whereabouts": "iwax.data.availability"},
    "iwax.data.bits": {"Purpose": "iwax.streams.Bits"},
    "iwax.distributions": {"Factorized": "iwax.distributions.Normal"},
    "iwax.experiments": {
        **{name: f"iwax.runs.{name}" for name in (*_RUNS, *_METHODS)},
        "Config": "iwax.settings.Config",
        "Trained": "iwax.runs.Run",
    },
    "iwax.inference": {
        "Scores": "iwax.inference.ScoreTable",
        "impute_by_sweeps": "iwax.inference.impute_gibbs",
        "scores": "iwax.inference.score_table",
    },
    "iwax.likelihoods": {"COLUMN_KINDS": "iwax.families.FAMILIES"},
    "iwax.nn": {
        "Coding": "iwax.nn.FeatureEncoding",
        "GatedMLP": 'iwax.nn.MLP(activation="gated")',
        "UncertainLinear": "iwax.nn.StochasticLinear",
        "dense_network": "iwax.nn.MLP",
        "glorot_uniform": "iwax.nn.dense_weight",
    },
    "iwax.posteriors": {"Coded": "iwax.posteriors.Encoded"},
    "iwax.samplers": {"Weighed": "iwax.samplers.StateTerms"},
    "iwax.storage": {name: f"iwax.model_files.{name}" for name in ("ModelFileError", "load", "save")},
    "iwax.streams": {
        "Beside": "iwax.streams.Proposal",
        "Sweep": "iwax.streams.GibbsIteration",
        "SweptRow": "iwax.streams.GibbsRow",
    },
    "iwax.training": {
        **{name: f"iwax.storage.{name}" for name in ("checkpoint", "record")},
        "compile_stretch": "iwax.training.compile_segment",
        "draws_a_chunk": "iwax.training.draws_per_chunk",
        "rows_a_piece": "iwax.training.rows_per_piece",
    },
}

_NETWORK = "any Equinox module with in_features and out_features serves"

REMOVED: dict[str, dict[str, str]] = {  # module: former name: what to use instead
    "iwax.parts": {"filled": "iwax.Datum.of(values, missing=True) gives it"},
    "iwax.batched": {
        "sought": "distribution.clean(values, observed) gives it",
        "weighted_means": "inference.impute and inference.denoise give such means with their errors",
    },
    "iwax.nn": {
        "GatedLinear": 'iwax.nn.MLP(in_features, (out_features,), None, key=key, activation="gated") is such a layer',
        "ResNetDecoder": _NETWORK,
        "ResNetEncoder": _NETWORK,
        "ResidualBlock": _NETWORK,
        "ResidualConvBlock": _NETWORK,
        "ResidualMLP": _NETWORK,
        "UncertainConv": "nothing else draws the kernels of convolutions; dense layers have sigma=",
        "WeightNormLinear": _NETWORK,
        "five_layer_decoder": _NETWORK,
        "five_layer_encoder": _NETWORK,
        "max_pool": "equinox.nn.MaxPool2d pools",
    },
}


def of(module: str) -> Callable[[str], Any]:
    """Make the ``__getattr__`` of a module whose public names changed; AttributeError for names it never had.

    >>> from iwax import distributions
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     assert distributions.Factorized is distributions.Normal
    >>> print(caught[0].message)
    iwax.distributions.Factorized is now iwax.distributions.Normal
    """

    def former(name: str) -> Any:
        if name in FORMER.get(module, {}):
            today = FORMER[module][name]
            warnings.warn(f"{module}.{name} is now {today}", DeprecationWarning, stacklevel=2)
            return _found(today)
        if name in REMOVED.get(module, {}):
            raise AttributeError(f"{module}.{name} was removed: {REMOVED[module][name]}")
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return former


def argument(former: str, today: str) -> Callable[[Callable[_Given, _Result]], Callable[_Given, _Result]]:
    """Let a function take its keyword ``today`` under its former name, with a DeprecationWarning.

    Raises TypeError if both are given.

    >>> @argument("sweeps", "iterations")
    ... def double(*, iterations: int) -> int:
    ...     return 2 * iterations
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     double(sweeps=3), str(caught[0].message)
    (6, 'sweeps= of double is now iterations=')
    """

    def of(function: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
        @functools.wraps(function)
        def _renamed(*given: _Given.args, **named: _Given.kwargs) -> _Result:
            if former in named:
                if today in named:
                    raise TypeError(f"{function.__name__} needs {today}= alone, got {former}= (its former name) too")
                warnings.warn(f"{former}= of {function.__name__} is now {today}=", DeprecationWarning, stacklevel=2)
                named[today] = named.pop(former)
            return function(*given, **named)

        return _renamed

    return of


def _found(path: str) -> Any:
    """The name in a module, or else the module, of a dotted path; behind it may stand an option, ``(name="value")``."""
    path, _, option = path.partition("(")
    inside, _, name = path.rpartition(".")
    named = vars(importlib.import_module(inside))
    found: Any = named[name] if name in named else importlib.import_module(path)
    name, _, value = option.removesuffix('")').partition('="')
    return functools.partial(found, **{name: value}) if option else found
