"""Random streams: the numbers that are folded into a key for what is drawn from it, `fold_in(key, number)`.

    seed                              Run, Classifier; Bits, of whole numbers without a key
      initialisation of a run         Initialisation
      noise of a step                 Data, Step; row by row
      key of a measurement            Data, Evaluation; row by row; Annealing, Gap, Simulation, Score
        row                           Row, Aggregate, GibbsRow; draw by draw, or iteration by iteration
          draw                        Draw; Proposal, Candidate, or GibbsIteration
            likelihood's key          Likelihood; layer by layer
            HMC moves of a chain      temperature by temperature; Move
        row of the model              Generated
      draw of all weights             Weights; tensor by tensor

An enumeration is what is folded into keys of one kind. Two of them may have the same number, because keys of two kinds
differ. Rows, draws, iterations, layers and tensors are counted from 0; what else is drawn has a number that they
do not reach. A number is never changed and never used again: the same seed would draw something else, and a run that is
resumed would go on otherwise. A part (a distribution, a network) counts from 0 what it draws or makes itself.

Four keys of two kinds are equal, and stay so, because stored results were drawn with them (``jax.random.split(key,
n)[i]`` is ``fold_in(key, i)``): an estimator of scikit-learn splits the key of its seed for its first weights, which
are then drawn from the keys of `Run.NOISE`, `Run.BINARIZATION` and `Run.VALIDATION`; `Score.BACKGROUND` and
`Score.REFERENCE` are the keys of the rows 1 and 2; the first weights of a learned control variate at k have the key of
the repeat k of the signal-to-noise ratio; and a local reconstruction hands the key of a row to an encoder with random
weights, whose layers have the numbers of the row's draws.
"""

from enum import IntEnum, unique

from iwax import former_names

__all__ = [
    "Aggregate",
    "Annealing",
    "Bits",
    "Candidate",
    "Classifier",
    "Data",
    "Draw",
    "Evaluation",
    "Gap",
    "Generated",
    "GibbsIteration",
    "GibbsRow",
    "Initialisation",
    "Likelihood",
    "Move",
    "Proposal",
    "Row",
    "Run",
    "Score",
    "Simulation",
    "Step",
    "Weights",
]


@unique
class Bits(IntEnum):
    """The upper half of the 128-bit key of Philox, whose lower half is a seed: fixed whole numbers (`data.bits`)."""

    SPLIT = 0  # which rows are training, validation and test rows
    VALID = 1  # the pixels of validation rows, black or white
    TEST = 2  # those of test rows
    SAMPLE = 3  # those of rows that are drawn once for all, and the points of a simulated data set
    DRAWERS = 4  # which people's drawings of a character are training rows
    LEFT_OUT = 5  # which characters have no test rows
    TEST_ORDER = 6  # the order of the test rows
    EXAMPLES = 7  # which training rows begin as pseudo-inputs
    MASK = 8  # which pixels are hidden
    PERTURBED = 10  # which values of a background model's rows are replaced
    REPLACEMENT = 11  # by what
    HELD_OUT_LINKS = 12  # which links of a graph are validation and test links
    ABSENT_LINKS = 13  # which pairs without a link are held out beside them
    BUFFERS = 1 << 62  # BUFFERS + 2^32 e + b: that of the rows in buffer b of epoch e, of rows that are read in blocks
    EPOCHS = 1 << 63  # EPOCHS + e: the order of the rows in epoch e of a training


# -- seeds ------------------------------------------------------------------------------------------------------


@unique
class Run(IntEnum):
    """Folded into the key of a seed: of a training, of an estimator, of the measurements of a run."""

    NOISE = 0  # of the bound, step by step
    BINARIZATION = 1  # the pixels of the rows of a step, step by step
    VALIDATION = 2  # noise of the bound on validation rows, the same at every epoch
    SCORES = 16  # of an estimator of scikit-learn: log p(x)
    EMBEDDINGS = 17  # of an estimator: means of q(z|x), of a posterior that is random
    SAMPLES = 18  # of an estimator: its rows, once folded with a seed of the caller
    DECODING = 19  # of an estimator: means of p(x|z), of a likelihood that is random
    IMPUTATIONS = 20  # of an estimator: draws whose weighted means fill missing cells
    REFERENCE = 21  # of an estimator: rows of the model, whose log p(x) is that of whole rows
    INITIALISATION = 1000  # of a run: the model before its training
    EVIDENCE = 2000  # measured by importance sampling: log p(x)
    ACTIVITY = 2001  # active units
    DIVERGENCE = 2002  # KL divergence per unit
    ANNEALING = 2003  # log p(x) by annealed importance sampling
    BIDIRECTIONAL = 2004  # rows of the model, and chains in both directions
    JACKKNIFE = 2005  # sets of draws of the jackknife
    COMPARED_JACKKNIFE = 2010  # the draws of all estimators of a side-by-side table
    COMPARED_ANNEALING = 2011  # the chains that such a table takes for the truth
    GAP = 3000  # diagnosed: the inference gap
    CONVERGENCE = 3001  # log p(x) as k grows
    AGGREGATE = 3002  # aggregate posterior and mutual information
    UNITS = 3003  # activity and KL divergence per unit
    SIGNAL = 3004  # signal to noise of gradients


@unique
class Classifier(IntEnum):
    """Folded into the key of a seed of a classifier with random weights, which is no run of a latent-variable model."""

    INITIALISATION = 0  # the network before its training
    NOISE = 1  # weights, activations, units dropped, epoch by epoch
    MEASUREMENT = 2  # draws of the weights of a trained network


@unique
class Initialisation(IntEnum):
    """Folded into `Run.INITIALISATION`, or the key a model is built with, whose layers have the numbers from 0 on."""

    BASELINE = 1000  # the network of a learned control variate
    TOPMOST_PRIOR = 2**31  # where the parameters of the topmost prior begin


# -- data -------------------------------------------------------------------------------------------------------


@unique
class Data(IntEnum):
    """Folded into the key of data, of a step or of a measurement, next to the numbers of their rows."""

    PREPARED = 2**32 - 1  # what a prior draws once for all rows, such as the weights that encode its pseudo-inputs


@unique
class Step(IntEnum):
    """Folded into the key of a step's noise, next to its rows and `Data`."""

    BOUND = 2**32 - 2  # what a bound draws itself: its subsets, or how many draws it takes
    BACKWARD = 2**32 - 3  # which m of the k draws are differentiated, row by row
    WEIGHTS = 2**32 - 4  # one draw of random weights, for all rows
    RECONSTRUCTION = 2**32 - 5  # draws of z for a local reconstruction, which the bound has no part in, row by row


@unique
class Evaluation(IntEnum):
    """Folded into the key of a measurement, next to its rows and `Data`."""

    SUBSETS = 2**31  # subsets of a jackknife, where there are too many to take all
    OTHERS = 2**32 - 2  # the k - 1 further draws of an importance-weighted posterior's density, row by row
    GIBBS = 2**32 - 8  # pseudo-Gibbs iterations, which share no noise with the draws that have weights, row by row
    GENERATED = 2**32 - 9  # rows of the model whose log p(x) is averaged, row by row


@unique
class Annealing(IntEnum):
    """Folded into the key of annealed importance sampling, next to `Data`; then row by row, chain by chain."""

    WARM_UP = 0  # chains that tune the steps, and are not used again
    FORWARD = 1  # chains from f_0 to the posterior
    BACKWARD = 2  # chains from the posterior to f_0
    SIMULATION = 3  # the rows of the model that chains of both directions are for, row by row


@unique
class Gap(IntEnum):
    """Folded into the key of the inference gap, next to `Data`; then row by row."""

    OPTIMISATION = 0  # noise of the ELBO whose optimum is q*, step by step
    EVALUATION = 1  # draws of q and of q* that are given weights


@unique
class Simulation(IntEnum):
    """Folded into the key of simulation-based calibration; then row by row."""

    TRUTH = 0  # z and x of the model
    DRAWS = 1  # of the posterior that is checked
    TIES = 2  # the rank among equal values


@unique
class Score(IntEnum):
    """Folded into the key of scores, which itself is that of their rows: row 1 and row 2 have these numbers too."""

    BACKGROUND = 1  # draws of the background model of a likelihood ratio, row by row
    REFERENCE = 2  # rows of the model, whose log p(x) is that of whole rows: `Evaluation.GENERATED` is folded into it


# -- rows -------------------------------------------------------------------------------------------------------


@unique
class Row(IntEnum):
    """Folded into the key of a row, next to the numbers of its draws."""

    POSTERIOR = 2**32 - 1  # random networks of q(z|x), once for all draws, where q* is optimised
    VALUES = 2**32 - 4  # missing values x ~ p(x|z) at the draws that were chosen, value by value
    CHOICE = 2**32 - 5  # which draws are chosen, in proportion to their weights


@unique
class GibbsRow(IntEnum):
    """Folded into the key of a row filled by pseudo-Gibbs iterations, next to their numbers."""

    START = 2**32 - 4  # missing cells before the first iteration


@unique
class Aggregate(IntEnum):
    """Folded into the key of a row that is a component of the aggregate posterior."""

    POSTERIOR = 0  # random networks of q(z|x)
    PRIOR = 1  # random networks of p(z)
    DRAWS = 2  # z ~ q(z|x), draw by draw


# -- draws ------------------------------------------------------------------------------------------------------


@unique
class Draw(IntEnum):
    """Folded into the key of a draw by the model, whatever the draw is for; or into that of a row without draws."""

    POSTERIOR = 0  # random networks of q(z|x)
    LATENT = 1  # z ~ q(z|x)
    PRIOR = 2  # random networks of p(z)
    LIKELIHOOD = 3  # random networks of p(x|z)


@unique
class Proposal(IntEnum):
    """Folded into the key of a draw next to `Draw`, of what is proposed in the place of z ~ q(z|x)."""

    LATENT_OF_PRIOR = 4  # z ~ p(z): where a chain starts, or one component of a defensive mixture
    MOVES = 5  # Hamiltonian moves of a chain, temperature by temperature


@unique
class Candidate(IntEnum):
    """Folded into the key of a draw next to `Draw`, of one that may be chosen among k."""

    RANK = 4  # the Gumbel noise that is added to its log-weight


@unique
class GibbsIteration(IntEnum):
    """Folded into the key of a pseudo-Gibbs iteration next to `Draw`: one draw of z, then one of the missing cells."""

    VALUES = 4  # missing cells x ~ p(x|z)


@unique
class Move(IntEnum):
    """Folded into the key of one Hamiltonian move."""

    STEP = 0  # how far the step is off its size
    TRAJECTORY = 1  # momentum, and whether the move is accepted


@unique
class Generated(IntEnum):
    """Folded into the key of a row of the model, next to `Draw.PRIOR` and `Draw.LIKELIHOOD`."""

    LATENT = 0  # z ~ p(z)
    VALUES = 1  # x ~ p(x|z)


# -- parts ------------------------------------------------------------------------------------------------------


@unique
class Likelihood(IntEnum):
    """Folded into the likelihood's key of a draw, next to the numbers of the layers of its network."""

    MISSING = 2**32 - 6  # missing values x ~ p(x|z), of which what is observed depends
    MARKS = 2**32 - 7  # random networks of p(observed|x)


@unique
class Weights(IntEnum):
    """Folded into the key of a draw of random weights, next to the numbers of its tensors."""

    LIKELIHOOD = 2**31  # what log p(D|w) draws itself: activations, row by row


__getattr__ = former_names.of(__name__)
