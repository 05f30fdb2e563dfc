"""Run folders of every version of iwax so far (tests/golden/make.py): opened, measured again, resumed, used, reported.

The rows are measured with the draws (k, seed) of the stored measurement. The noise is iwax's own function of seed, row
and draw (iwax.threefry), so a later version has the same; what may differ is the rounding of float32 in another
compiler or on another processor, which 1e-5 nats leave room for.
"""

import json
import re
import shutil
import socket
import warnings
from pathlib import Path

import numpy as np
import pytest

import iwax
from iwax import experiments
from iwax.cli import main
from iwax.experiments.reporter import Silent
from iwax.training.enclosed import RunFolderWarning

GOLDEN = Path(__file__).parents[1] / "golden"
RUNS = sorted(path.parent for path in GOLDEN.glob("*/*/config.json"))
NAMES = [f"{run.parent.name}-{run.name}" for run in RUNS]
LARGEST = 200_000  # bytes of a folder
PERSONAL = re.compile(rb"/(home|root|Users|tmp|work|srv|mnt|var)/|\\Users\\", re.IGNORECASE)


@pytest.fixture(params=RUNS, ids=NAMES)
def run(request, tmp_path) -> Path:
    """A run folder as somebody gets it: a copy in another place, its table beside it."""
    shutil.copytree(request.param.parent, tmp_path / "sent")
    return tmp_path / "sent" / request.param.name


def stored(run: Path) -> np.ndarray:
    """log p(x) of each row, as it was measured when the folder was made."""
    (file,) = (run / "evaluation").glob("*.npz")
    with np.load(file, allow_pickle=False) as values:
        return values["log_evidence"]


def test_every_released_version_has_its_folders():
    versions = {run.parent.name for run in RUNS}
    assert {iwax.__version__, "0.1.0"} <= versions
    assert set(NAMES) == {f"{version}-{name}" for version in versions for name in ("images", "table", "flow")}


@pytest.mark.parametrize("run", RUNS, ids=NAMES)
def test_folders_are_small_and_say_nothing_of_the_machine_that_made_them(run):
    contents = [path.read_bytes() for path in run.rglob("*") if path.is_file()]
    assert sum(map(len, contents)) <= LARGEST
    assert not any(PERSONAL.search(content) for content in contents)
    written = json.loads((run / "env.json").read_text())
    assert written["git"] is None
    assert not written["platform"]["release"]
    assert written["command"][:2] == ["iwax", "train"]
    host = socket.gethostname().encode()
    assert len(host) < 5 or not any(host in content for content in contents)


def test_a_run_of_an_earlier_version_is_opened_measured_resumed_sampled_and_reported(run, capsys):
    """One without a seal, of 0.1.0, is opened as well, with a line that says so."""
    before, sealed = stored(run), (run / "seal.json").exists()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", RunFolderWarning)
        settings = iwax.open_run(run).config.evaluation
        experiments.evaluate(run, reporter=Silent())
    assert bool(told) != sealed
    assert all("before run folders were sealed" in str(warning.message) for warning in told)
    assert (len(before) >= 16, settings.k) == (True, 100)
    after = stored(run)  # the same measurement takes the place of the stored one
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RunFolderWarning)
        experiments.resume(run, reporter=Silent())  # nothing is left of it; the state of the optimiser was read
    for words in (["sample", run, "-n", 5, "-o", run.parent / "new.csv"], ["report", run]):
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in words])
        assert end.value.code == 0, capsys.readouterr().err
    assert len((run.parent / "new.csv").read_text().splitlines()) >= 5
    page = (run / "report.html").read_text()
    assert f"{before.mean():.2f}".lstrip("-") in page
