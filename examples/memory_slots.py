"""What the slots of a memory-augmented decoder are for: preferences of the classes, and what a slot adds to a picture.

    python examples/memory_slots.py RUN

RUN is a run of a preset with memory on labelled pictures, such as

    iwax train mnist-dynamic-60k --preset mem-vae --set model.attention=softmax --set model.composition=sum

whose shares of attention sum to one, as Li, Zhu and Zhang (2016, arXiv:1602.07416) print them. The table has the three
largest mean shares of each class of the test pictures, for every memory from z to the data; pictures and all numbers go
to RUN/memory.
"""

import argparse
import json
import sys
from pathlib import Path

import jax
import numpy as np

from iwax import inference
from iwax.report.figures import memory
from iwax.runs import open_run
from iwax.settings import build

PRINTED = 3  # largest shares of a class


def main() -> None:
    """Measure, print, draw."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("run", type=Path)
    asked.add_argument("--rows", type=int, default=10_000, help="test rows for the preferences (10,000)")
    asked.add_argument("--drawn", type=int, default=500, help="test rows for the pictures (500)")
    asked.add_argument("--seed", type=int, default=0)
    given = asked.parse_args()
    trained = open_run(given.run)
    dataset, key = trained.dataset(), jax.random.key(given.seed)
    x, labels = build.values(trained.config, dataset, "test", final=True)[: given.rows], dataset.test.labels
    if labels is None:
        raise SystemExit(f"{given.run}: classes were needed, and {dataset.name} has no labels")
    found = inference.slot_preferences(trained.model, x, labels[: given.rows], key=key)
    added = inference.slot_pictures(trained.model, x[: given.drawn], key=key)
    folder = given.run / "memory"
    folder.mkdir(exist_ok=True)
    for level, (each, pictures) in enumerate(zip(found, added, strict=True), start=1):
        where = f"memory {level} of {len(found)} from z, {each.mean.shape[1]} slots"
        lines = [where, "class   " + "".join(f"{name!s:>6}" for name in each.classes)]
        for rank, row in enumerate(each.largest(PRINTED).T):
            lines.append(f"slot {rank + 1}  " + "".join(f"{share:6.2f}" for share in row))
        sys.stdout.write("\n".join(lines) + "\n")
        read = memory.preferences(each.classes.tolist(), each.mean, title=where)
        read.write(folder / f"preferences_{level}.png")
        added = memory.slots(pictures, (trained.shape[0], trained.shape[1]), title=where)
        added.write(folder / f"slots_{level}.png")
    numbers = [{"classes": each.classes.tolist(), "mean": np.round(each.mean, 6).tolist()} for each in found]
    (folder / "preferences.json").write_text(json.dumps(numbers) + "\n")


if __name__ == "__main__":
    main()
