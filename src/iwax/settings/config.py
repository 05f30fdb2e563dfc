"""What a run is: one frozen record, complete enough to do the run again.

Every number is bounded and every name is one of a closed list, so that a wrong setting is refused before
anything is allocated. The description of a field is what its error message says was needed.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from iwax import data
from iwax.data import Dataset
from iwax.data.columns import ColumnKind
from iwax.settings.fields import LARGEST_K, Section, integer, number
from iwax.settings.former import paths
from iwax.settings.model import Model
from iwax.settings.objective import Objective
from iwax.settings.parted import heads
from iwax.training.schedules import burda_epochs

__all__ = ["HEADS", "SECTIONS", "Config", "Data", "Evaluation", "Model", "Objective", "Training"]

LARGEST_ROWS = 10_000_000  # k x batch worked in one step

Name = Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Data(Section):
    """Which data, and how grey values become binary ones when the data themselves do not say."""

    name: Name = Field(default="digits", description="a registered data name or the path of a file")
    binarize: Literal["threshold", "sample"] | None = Field(
        default=None, description="threshold, sample, or null (as the data are)"
    )
    kinds: dict[str, ColumnKind | Literal["drop"]] | None = Field(
        default=None,
        description="of a table, kinds of columns by name (continuous, positive, nonnegative, count, integer, "
        "nonnegative_integer, binary, categorical, drop), or null (found from its cells)",
    )
    missing: tuple[str, ...] | None = Field(
        default=None, description="of a table, texts that mark a missing cell besides the usual ones, a list, or null"
    )
    levels: dict[str, tuple[str, ...]] | None = Field(
        default=None, description="of a table, texts by column that are no missing cells though usual for them, or null"
    )
    header: Literal["first", "none"] | None = Field(
        default=None,
        description="of a text table, first (its first line names the columns), none, or null (as it shows)",
    )
    delimiter: str | None = Field(
        default=None, description="of a text table, what stands between cells (a character, tab or space), or null"
    )
    encoding: str | None = Field(default=None, description="of a text table, e.g. latin-1, or null (UTF-8)")
    thousands: Literal[",", ".", "'", "space"] | None = Field(
        default=None, description="of a table, what stands between thousands (, . ' or space), or null (nothing)"
    )
    decimal: Literal[",", "."] | None = Field(
        default=None, description="of a table, what stands before decimals (, or .), or null (a point)"
    )
    graph: bool | None = Field(
        default=None, description="true (a list of links between nodes, or an .npz of a graph), or null (rows)"
    )
    directed: bool | None = Field(
        default=None, description="of a graph, true (directions of links are left out), or null (there are none)"
    )
    held_out: Literal["unknown", "absent"] | None = Field(
        default=None,
        description="of a graph, what links held out are in training: unknown, absent (as Kipf and Welling have it), "
        "or null (unknown)",
    )
    split_seed: int | None = integer(None, 0, 2**32 - 1, "of a graph, which links are held out; null is 0")
    on_disk: bool | None = Field(
        default=None,
        description="true (rows stay on disk, read as they are needed), false (all are read into memory), or null "
        "(on disk where they would take more than a quarter of this machine's memory, or 8 GB)",
    )
    perturb: float | None = number(
        None,
        "a number from 2^-16 to 1 (share of training values made random, for a background model), or null",
        ge=2**-16,
        le=1.0,
    )

    @property
    def dialect(self) -> data.Dialect:
        """How a table is written, as far as the settings say."""
        return data.Dialect(
            self.header,
            self.delimiter,
            self.encoding,
            self.thousands,
            self.missing or (),
            self.levels or {},
            self.decimal,
        )

    def load(self, *, columns: Sequence[data.Column] | None = None, left_out: Collection[str] | None = None) -> Dataset:
        """The data; raises as `iwax.data.load`. With the columns of a run, they are those, whatever is inferred now."""
        if self.graph:
            return data.load_graph(
                Path(self.name).expanduser(),
                directed=bool(self.directed),
                held_out=self.held_out or "unknown",
                seed=self.split_seed or 0,
                dialect=self.dialect,
            )
        options: dict[str, Any] = dict(self) | {"missing": self.missing or ()}
        for name in ("graph", "directed", "held_out", "split_seed"):
            options.pop(name)
        return data.load(options.pop("name"), **options, columns=columns, left_out=left_out or ())

    @model_validator(mode="after")
    def _graphs_alone(self) -> Self:
        for name in ("directed", "held_out", "split_seed"):
            if dict(self)[name] is not None and not self.graph:
                raise ValueError(f"data.{name} needs data.graph=true, got {dict(self)[name]}")
        return self


class Training(Section):
    """How the objective is ascended, and what is saved on the way."""

    batch: int = integer(100, 1, 1_000_000, "data points per step")
    epochs: int = integer(100, 1, 1_000_000, "epochs of training")
    learning_rate: float = number(1e-3, "a number above 0, at most 10", gt=0.0, le=10.0)
    schedule: Literal["constant", "cosine", "burda", "late_decay"] = Field(
        default="cosine", description="one of constant, cosine, burda, late_decay"
    )
    warmup: int = integer(0, 0, 1_000_000, "epochs in which the learning rate rises from 0")
    normalise: bool | None = Field(
        default=None, description="true (every tensor's gradient over its norm, before Adam), false, or null (false)"
    )
    clip: float | None = number(None, "a number above 0 (largest gradient norm), or null", gt=0.0, le=1e12)
    beta1: float = number(0.9, "a number from 0 to below 1 (Adam)", ge=0.0, lt=1.0)
    beta2: float = number(0.999, "a number from 0 to below 1 (Adam)", ge=0.0, lt=1.0)
    epsilon: float = number(1e-8, "a number above 0, at most 1 (Adam)", gt=0.0, le=1.0)
    reduction: Literal["mean", "sum"] = Field(default="mean", description="mean or sum (over the batch)")
    validate_every: int = integer(0, 0, 1_000_000, "epochs between validations, 0 for none")
    patience: int | None = integer(None, 1, 1_000_000, "validations without a gain before stopping")
    keep: int = integer(3, 1, 1_000, "newest checkpoints that stay, besides the best")
    checkpoint_seconds: float = number(60.0, "seconds, a number from 0 to 1e6", ge=0.0, le=1e6)
    record: int = integer(1, 1, 1_000_000, "epochs between rows of metrics.jsonl")
    precision: Literal["mixed"] | None = Field(
        default=None, description="mixed (products of bfloat16 factors, added up in float32), or null"
    )

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        if self.patience is not None and not self.validate_every:
            raise ValueError(
                "training.patience needs training.validate_every of 1 or more, "
                f"got patience={self.patience} with validate_every=0"
            )
        if self.warmup and self.schedule in ("burda", "late_decay"):
            raise ValueError(f"training.schedule={self.schedule} needs training.warmup=0, got {self.warmup}")
        if self.warmup >= self.epochs and self.warmup:
            raise ValueError(f"training.warmup needs to be below training.epochs={self.epochs}, got {self.warmup}")
        return self


class Evaluation(Section):
    """How the trained model is measured."""

    k: int = integer(5000, 1, LARGEST_K, "importance samples per data point")
    split: Literal["train", "valid", "test"] = Field(default="test", description="one of train, valid, test")
    limit: int | None = integer(None, 1, 1_000_000_000, "rows evaluated, from the first")
    checkpoint: Literal["best", "last"] = Field(default="best", description="best or last")


class Config(Section):
    """One run, resolved: everything `iwax train` needs to do it again.

    >>> Config().objective.k
    5
    """

    preset: Name | None = Field(default=None, description="the name of a preset, or null")
    recipe: Literal["quick", "paper"] = Field(default="quick", description="quick or paper")
    seed: int = integer(0, 0, 2**32 - 1, "seed")
    precision: Literal[32, 64] = Field(default=32, description="32 or 64")
    device: Literal["cpu", "gpu"] | None = Field(default=None, description="cpu, gpu, or null (what JAX finds)")
    start: Name | None = Field(default=None, description="the run whose weights are the start, or null")
    data: Data = Data()
    model: Model = Model()
    objective: Objective = Objective()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()

    @model_validator(mode="after")
    def _sections_agree(self) -> Self:
        if self.training.precision == "mixed" and self.precision != 32:
            raise ValueError(f"training.precision=mixed needs precision=32, got {self.precision}")
        self._weights_agree()
        self._columns_agree()
        rows = self.objective.k * self.training.batch
        if rows > LARGEST_ROWS:
            raise ValueError(
                f"objective.k x training.batch needs to be at most {LARGEST_ROWS} rows per step, got {rows}"
            )
        return self

    def _columns_agree(self) -> None:
        table = self.model.likelihood.kind == "columns"
        if not table and not self.model.mask:
            return
        asked = "model.likelihood=columns" if table else "model.mask=true"
        if self.model.network.convolutional:
            raise ValueError(f"{asked} needs dense networks (network=mlp or gated), got {self.model.network.kind}")
        if table and (self.model.memory is not None or self.model.prior.kind in ("vamp", "exemplar")):
            memory = None if self.model.memory is None else self.model.memory.slots
            raise ValueError(
                f"{asked} needs a decoder without memory, and a prior that is not made of rows, got "
                f"model.memory={memory} and model.prior={self.model.prior.kind}"
            )

    def _weights_agree(self) -> None:
        of_weights, stochastic = self.objective.of_random_weights, self.model.stochastic_weights
        if of_weights and stochastic is None:
            raise ValueError(
                f"objective.{of_weights[0]} is about stochastic weights: model.stochastic_weights needs to be encoder, "
                "decoder or both, got null"
            )
        if self.objective.denominator == "mixture" and stochastic is not None and stochastic.of == "decoder":
            raise ValueError(
                "objective.denominator=mixture needs an encoder of stochastic weights, got "
                "model.stochastic_weights=decoder"
            )

    def flat(self) -> dict[str, Any]:
        """Every setting by its dotted name, as JSON has it; those of a part by the part's.

        >>> Config().flat()["model.posterior"]
        'gaussian'
        """
        return {path: value for path, (_, value) in paths(self.model_dump(mode="json"), HEADS).items()}

    def warnings(self) -> tuple[str, ...]:
        """Settings that run but do not mean what they may seem to.

        >>> Config(objective=Objective(gradient="sticking_the_landing")).warnings()[0][:54]
        'objective.gradient=sticking_the_landing is biased for '
        """
        found = self.objective.warnings()
        found += [f"{name} has no effect with the parts chosen" for name in self.model.unused]
        if self.training.schedule == "burda" and self.training.epochs != burda_epochs():
            end = "ends it midway" if self.training.epochs < burda_epochs() else "goes on at its last rate"
            found.append(
                f"training.schedule=burda has stages for {burda_epochs()} epochs; "
                f"training.epochs={self.training.epochs} {end}"
            )
        return tuple(found)


SECTIONS: Mapping[str, type[Section]] = {
    name: field.annotation
    for name, field in Config.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
}
HEADS = {part: head for name, section in SECTIONS.items() for part, head in heads(name, section).items()}
