"""What `iwax` alone says: what it is for, and what to type first."""

from pathlib import Path

__all__ = ["welcome"]

_WORDS = """\
iwax {version}: train, measure and use deep latent-variable models with importance-weighted bounds

Start here (half a minute; the data are built in)

  iwax train                              an importance-weighted autoencoder of 8x8 digits
  iwax report {run:28}what it learned, and whether to believe its number

With your own data: .csv .parquet .npy .npz, or a folder of images

  iwax train mine.csv                     cells may be missing
  iwax impute RUN mine.csv -o full.csv    its missing cells filled
  iwax score RUN new.csv                  log p(x) per row, to find outliers

With published models

  iwax train mnist --preset iwae-1-k5     presets: iwax settings --presets
  iwax reproduce                          published tables, obtained next to published

All verbs: iwax --help        One of them: iwax VERB --help
This machine: iwax doctor     Words completed by your shell: iwax completion --help
"""


def welcome(version: str, runs: Path = Path("runs")) -> str:
    """The first screen; where there are runs that were measured, it names the latest.

    >>> welcome("0.1.0", Path("nowhere")).splitlines()[5]
    '  iwax report RUN                         what it learned, and whether to believe its number'
    """
    found = [each.parent.parent for each in runs.glob("*/evaluation/*.json")]  # those that have ended
    latest = str(max(found, key=lambda run: run.stat().st_mtime)) if found else "RUN"
    return _WORDS.format(version=version, run=latest if len(latest) < 28 else f"{latest}\n{'':42}")
