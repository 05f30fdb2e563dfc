"""What a person gets who asks for something wrong: one line that helps, the right exit code, nothing lost."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from iwax.cli import main
from iwax.storage import manifest
from iwax.storage.checkpoint import CorruptCheckpointError
from iwax.training.finite import check_finite

TINY = (
    "--set", "model.latent=2", "--set", "model.hidden=[8]", "--set", "evaluation.k=5", "--epochs", "1", "--quiet",
)  # fmt: skip


def call(capsys, *words: object) -> tuple[int, str, str]:
    """Run the program in this process: exit code, stdout, stderr."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    captured = capsys.readouterr()
    return int(left.value.code or 0), captured.out, captured.err


def refused(capsys, *words: object, code: int = 2, says: tuple[str, ...] = ()) -> None:
    """The program refuses with this code and one line, which holds every one of these words; no data come out."""
    got, out, err = call(capsys, *words)
    assert got == code, err
    assert out == ""
    assert len(err.splitlines()) == 1, err
    assert err.startswith("error: ")
    assert "Traceback" not in err
    for word in says:
        assert word in err, err


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A folder of one's own, which holds nothing, and no outside data."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IWAX_DATA", raising=False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A small trained run of 64 features."""
    path = tmp_path_factory.mktemp("runs") / "tiny"
    with pytest.raises(SystemExit) as left:
        main(["train", "digits", "--output", str(path), *TINY])
    assert not left.value.code
    return path


@pytest.fixture
def run(trained, tmp_path) -> Path:
    """A copy of the trained run, to be spoilt."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


def digest(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()
    }


def array(name: str, values: object, dtype: object = np.float32) -> Path:
    path = Path(name)
    np.save(path, np.asarray(values, dtype))
    return path


# names, keys and values that are wrong, before any data are read


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["mnits"], ("'mnits'", "mnist")),
        (["mnist-statc"], ("mnist-static",)),
        (["digits", "--preset", "iwae-1-k6"], ("'iwae-1-k6'", "iwae-1-k5")),
        (["digits", "--set", "objective.kk=3"], ("objective.kk", "objective.k")),
        (["digits", "--set", "training.epoch=3"], ("training.epochs",)),
        (["digits", "--set", "model.latent"], ("KEY=VALUE",)),
        (["digits", "--bound", "iwea"], ("iwea", "iwae")),
        (["digits", "--gradient", "pathwize"], ("pathwise",)),
        (["digits", "--recipe", "fast"], ("quick", "paper", "fast")),
        (["digits", "--binarize", "always"], ("threshold", "sample", "always")),
        (["digits", "--precision", "16"], ("32", "64", "16")),
        (["digits", "--device", "tpu"], ("cpu", "gpu", "tpu")),
        (["digits", "--k", "0"], ("--k:", "0")),
        (["digits", "--k", "-1"], ("--k:", "-1")),
        (["digits", "--set", "model.latent=0"], ("model.latent", "0")),
        (["digits", "--set", "model.hidden=[0]"], ("model.hidden",)),
        (["digits", "--seed", "-1"], ("seed", "-1")),
        (["digits", "--seed", "4294967296"], ("seed", "4294967296")),
        (["digits", "--seed", "18446744073709551616"], ("seed",)),
        (["digits", "--epochs", "0"], ("--epochs:", "0")),
        (["digits", "--set", "training.batch=0"], ("training.batch", "0")),
        (["digits", "--set", "training.learning_rate=inf"], ("training.learning_rate",)),
        (["digits", "--set", "training.learning_rate=nan"], ("training.learning_rate",)),
        (["digits", "--bound", "miwae", "--k", "5"], ("=miwae needs objective.bound.m", "--set objective.bound.m=")),
        (["-c", "absent.json"], ("absent.json",)),
        (["digits", "--from", "no-such-run"], ("no-such-run",)),
        (["absent.npy"], ("absent.npy",)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_settings_are_refused_before_anything_is_made(capsys, words, says, tmp_path):
    refused(capsys, "train", *words, "--output", "out", says=says)
    assert not Path("out").exists() or not any(Path("out").iterdir())


def test_a_configuration_that_is_none_is_named(capsys):
    Path("c.json").write_text('{"objective": {"k": 5')
    refused(capsys, "train", "digits", "-c", "c.json", says=("c.json", "JSON"))
    Path("d.json").write_text('{"objective": {"k": 5, "kk": 3}}')
    refused(capsys, "train", "digits", "-c", "d.json", says=("d.json", "objective.kk", "objective.k"))


# data


@pytest.mark.parametrize(
    ("values", "dtype", "says"),
    [
        (np.full((40, 4), 0.5), np.float32, ("0.5", "--binarize")),
        (np.full((40, 4), 255), np.uint8, ("255", "--binarize")),
        (np.where(np.arange(160).reshape(40, 4) // 4 == 7, np.nan, 1.0), np.float32, ("row", "8")),
        (np.where(np.arange(160).reshape(40, 4) % 4 == 2, np.nan, 1.0), np.float32, ("column", "3")),
        (np.where(np.arange(160).reshape(40, 4) == 77, np.inf, 1.0), np.float32, ("inf",)),
        (np.zeros((0, 4)), np.float32, ("0",)),
        (np.zeros((40, 0)), np.float32, ("0",)),
        (np.zeros((1, 4)), np.float32, ("1",)),
        (np.zeros(40), np.float32, ("(40,)",)),
        (np.zeros((40, 4)), np.complex64, ("complex",)),
    ],
    ids=["half", "grey", "empty row", "empty column", "inf", "no rows", "no columns", "one row", "1-D", "complex"],
)
def test_data_that_cannot_be_trained_on_are_refused(capsys, values, dtype, says):
    path = array("x.npy", values, dtype)
    words = ["train", path, "--output", "out", "--set", "model.likelihood=bernoulli", *TINY]
    refused(capsys, *words, says=("x.npy", *says))
    assert not Path("out/checkpoints").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [("x.npy", b""), ("x.npy", b"nonsense"), ("x.npz", b"PK\x03\x04broken"), ("x.pkl", b"\x80\x04."), ("x.xyz", b"1")],
)
def test_files_that_cannot_be_read_are_refused(capsys, name, content):
    Path(name).write_bytes(content)
    refused(capsys, "train", name, "--output", "out", *TINY, says=(name,))


def test_an_array_of_objects_is_never_unpickled(capsys):
    np.save("x.npy", np.array([{"a": 1}, None], dtype=object), allow_pickle=True)
    refused(capsys, "train", "x.npy", "--output", "out", *TINY, says=("x.npy",))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_that_may_not_be_read_is_refused(capsys):
    path = array("x.npy", np.zeros((40, 4)))
    path.chmod(0)
    refused(capsys, "train", path, "--output", "out", *TINY, says=("x.npy",))


def test_spoilt_data_have_a_wrong_checksum(capsys, monkeypatch, tmp_path):
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (folder / f"{name}-ubyte.gz").write_bytes(b"not what was published")
    monkeypatch.setenv("IWAX_DATA", str(tmp_path / "data"))
    refused(capsys, "train", "mnist", "--output", "out", *TINY, code=3, says=("SHA-256", "ubyte.gz"))


def test_a_data_folder_that_is_none_is_named(capsys, monkeypatch):
    monkeypatch.setenv("IWAX_DATA", "no-such-folder")
    refused(capsys, "train", "mnist", "--output", "out", *TINY, says=("IWAX_DATA", "no-such-folder"))


# outputs


def test_outputs_are_refused_before_training(capsys):
    Path("file").write_text("mine")
    refused(capsys, "train", "digits", "--output", "file", *TINY, says=("file", "folder"))
    refused(capsys, "train", "digits", "--output", "file/below", *TINY, says=("file",))
    Path("full").mkdir()
    Path("full/mine").write_text("mine")
    refused(capsys, "train", "digits", "--output", "full", *TINY, says=("full", "not empty"))
    assert Path("file").read_text() == Path("full/mine").read_text() == "mine"


def test_a_folder_that_may_not_be_written_is_refused(capsys):
    Path("locked").mkdir(mode=0o555)
    superuser = hasattr(os, "geteuid") and os.geteuid() == 0  # may write everywhere but in the kernel's own folders
    folder = "/proc/locked" if superuser else "locked/run"
    refused(capsys, "train", "digits", "--output", folder, *TINY, says=("locked",))


LATE = """
import os, sys, time
from iwax.cli import main
for words in sys.argv[1:]:
    try:
        main(words.split())
    except SystemExit as left:
        print(left.code, "jax" in sys.modules, time.process_time() < 3.0)
"""


def test_what_cannot_be_written_is_refused_before_jax_is_loaded(tmp_path):
    """Of the verbs that make folders and files of their own; the test above has the words of each."""
    Path("file").write_text("mine")
    Path("there").mkdir()
    Path("there/config.json").write_text("{}")
    Path("link.csv").symlink_to("file")
    long, superuser = "a" * 300, hasattr(os, "geteuid") and os.geteuid() == 0
    locked = Path("/proc") if superuser else tmp_path / "locked"
    if not superuser:
        locked.mkdir(mode=0o555)
    words = [
        *(f"train digits --output {each}" for each in ("file", "file/below", "there", long, locked / "run")),
        *(f"bnn curve --output {each}" for each in ("file", long, locked / "run")),
        *(f"diagnose run -o {each}" for each in ("file", long, locked / "run")),
        *(f"reproduce burda2016 --rows mnist-1-* --results {each}" for each in ("file", long, locked / "run")),
        *(f"sample run -o {each}" for each in ("link.csv", "file/x.csv", f"{long}.csv", locked / "x.csv")),
        *(f"report run -o {each}" for each in ("file/x.html", f"{long}.html", locked / "x.html")),
    ]
    done = subprocess.run([sys.executable, "-c", LATE, *words], capture_output=True, text=True, check=True)
    assert dict(zip(words, done.stdout.splitlines(), strict=True)) == dict.fromkeys(words, "2 False True")
    message = done.stderr.splitlines()
    assert len(message) == len(words)
    assert all(line.startswith("error: ") and len(line) < 300 and "Errno" not in line for line in message), message
    assert sorted(path.name for path in tmp_path.iterdir() if path != locked) == ["file", "link.csv", "there"]


@pytest.mark.parametrize("verb", [["embed"], ["score", "--k", "3"], ["sample", "-n", "2"]], ids=lambda v: v[0])
def test_outputs_are_never_overwritten_unasked(capsys, trained, verb):
    rows = [] if verb[0] == "sample" else [array("x.npy", np.zeros((2, 64)))]
    Path("y.npy").write_text("mine")
    words = [verb[0], trained, *rows, *verb[1:], "-o"]
    refused(capsys, *words, "y.npy", says=("y.npy", "--force"))
    refused(capsys, *words, "y.txt", says=("y.txt", ".npz"))
    refused(capsys, *words, "no/y.npy", says=("no",))
    assert Path("y.npy").read_text() == "mine"
    assert call(capsys, *words, "y.npy", "--force")[0] == 0
    assert len(np.load("y.npy")) == 2


# runs


@pytest.mark.parametrize("verb", ["resume", "evaluate", "sample"])
def test_a_run_that_is_none_is_named(capsys, verb):
    refused(capsys, verb, "no-such-run", says=("no-such-run",))
    Path("empty").mkdir()
    refused(capsys, verb, "empty", says=("empty", "config.json"))


@pytest.mark.parametrize("spoil", ["flip", "truncate", "empty"])
@pytest.mark.parametrize("verb", [["evaluate", "--k", "5"], ["sample", "-n", "1"], ["resume"]], ids=lambda v: v[0])
def test_a_spoilt_checkpoint_is_noticed(capsys, run, verb, spoil):
    for path in run.glob("checkpoints/*/model.safetensors"):
        content = bytearray(path.read_bytes())
        if spoil == "flip":
            content[len(content) // 2] ^= 1
        path.write_bytes({"flip": content, "truncate": content[:-7], "empty": b""}[spoil])
    before = digest(run)
    refused(capsys, verb[0], run, *verb[1:], code=3, says=("model.safetensors",))
    after = digest(run)
    assert {name: after[name] for name in before if name.startswith("checkpoints")} == {
        name: value for name, value in before.items() if name.startswith("checkpoints")
    }


def with_a_number(run: Path, value: float) -> str:
    """Every checkpoint of a run with this as the first number of its first tensor, sealed anew; the tensor's name."""
    for path in run.glob("checkpoints/step-*"):
        tensors = dict(sorted(safetensors.numpy.load_file(path / "model.safetensors").items()))
        name = next(iter(tensors))
        tensors[name].flat[0] = value
        safetensors.numpy.save_file(tensors, path / "model.safetensors")
        names = ("model.safetensors", "train.safetensors", "state.json")
        step = int(path.name.removeprefix("step-"))
        (path / "manifest.json").write_bytes(manifest.seal(step, {n: (path / n).read_bytes() for n in names}))
    return name


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_no_verb_counts_with_a_model_that_is_not_finite(capsys, run, value):
    name = with_a_number(run, value)
    array("x.npy", np.zeros((2, 64)))
    says = ("model.safetensors", name, "finite", str(value))
    for words in ("evaluate RUN", "sample RUN", "report RUN", "resume RUN", "score RUN x.npy", "embed RUN x.npy"):
        verb, _, *more = words.split()
        refused(capsys, verb, run, *more, code=3, says=says)
    refused(capsys, "train", "digits", "--from", run, "--output", "new", *TINY, code=3, says=says)


def test_an_absurd_number_in_a_model_is_warned_of(capsys, run):
    name = with_a_number(run, 1e30)
    code, _, err = call(capsys, "evaluate", run, "--k", "5", "--limit", "20")
    assert code == 0
    assert f"{name} holds 1e+30" in err


def test_an_infinity_that_is_part_of_a_model_is_none_that_came_up():
    untrained = {"mask": np.array([0.0, -np.inf]), "w": np.zeros(2)}
    check_finite({"mask": np.array([0.0, -np.inf]), "w": np.ones(2)}, untrained, file=Path("m"))
    for wrong in ([0.0, np.inf], [-np.inf, -np.inf], [0.0, np.nan]):
        with pytest.raises(
            CorruptCheckpointError, match=r"'mask': needed finite numbers, got (nan|inf|-inf) in 1 of 2"
        ):
            check_finite({"mask": np.array(wrong), "w": np.ones(2)}, untrained, file=Path("m"))


def test_a_spoilt_configuration_is_noticed(capsys, run):
    (run / "config.json").write_text('{"seed": ')
    refused(capsys, "evaluate", run, code=3, says=("config.json",))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["evaluate", "RUN", "--k", "0"], ("0",)),
        (["evaluate", "RUN", "--limit", "0"], ("0",)),
        (["evaluate", "RUN", "--seed", "-1"], ("seed", "-1")),
        (["evaluate", "RUN", "--split", "tset"], ("tset", "test")),
        (["evaluate", "RUN", "--checkpoint", "first"], ("first", "best")),
        (["evaluate", "RUN", "--method", "guess"], ("guess", "importance", "annealed")),
        (["evaluate", "RUN", "--chains", "4"], ("chains=4", "importance", "annealed and bidirectional")),
        (["evaluate", "RUN", "--method", "annealed", "--k", "50"], ("k=50", "takes split, chains, temperatures")),
        (["evaluate", "RUN", "--method", "bidirectional", "--split", "valid"], ("split=valid", "bidirectional")),
        (["evaluate", "RUN", "--method", "annealed", "--temperatures", "0"], ("temperatures", "0")),
        (["evaluate", "RUN", "--method", "annealed", "--start", "middle"], ("middle", "posterior")),
        (["sample", "RUN", "-n", "0"], ("-n", "0")),
        (["sample", "RUN", "--seed", "4294967296"], ("seed", "4294967296")),
        (["sample", "RUN", "--checkpoint", "first"], ("first", "best")),
        (["score", "RUN", "x.npy", "--k", "0"], ("k", "0")),
        (["reconstruct", "RUN", "x.npy", "--method", "guess"], ("guess", "resample")),
        (["reconstruct", "RUN", "x.npy", "--method", "compare", "-o", "x.csv"], ("compare", "picture", ".png")),
        (["compare", "RUN"], ("two",)),
        (["compare", "RUN", "RUN", "--split", "valid"], ("valid",)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_options_of_the_verbs_on_runs(capsys, trained, words, says):
    array("x.npy", np.zeros((2, 64)))
    refused(capsys, *(trained if word == "RUN" else word for word in words), says=says)


@pytest.mark.parametrize("verb", ["embed", "score", "reconstruct"])
@pytest.mark.parametrize(
    ("values", "says"),
    [
        (np.zeros((2, 63)), ("64", "63")),
        (np.full((2, 64), 0.5), ("0.5",)),
        (np.full((2, 64), np.nan), ("nan",)),
        (np.zeros((0, 64)), ("0",)),
    ],
    ids=["width", "half", "nan", "empty"],
)
def test_rows_that_the_model_cannot_take_are_refused(capsys, trained, verb, values, says):
    refused(capsys, verb, trained, array("x.npy", values), says=("x.npy", *says))


# published tables


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["burda2015"], ("burda2016",)),
        (["burda2016", "--rows", "mnist-1-iwae-k6"], ("mnist-1-iwae-k5",)),
        (["burda2016", "--rows", "mnist-1-*", "--recipe", "slow"], ("quick", "slow")),
        (["burda2016", "--rows", "mnist-1-*", "--epochs", "0"], ("epochs", "0")),
        (["burda2016", "--rows", "mnist-1-*", "--minutes", "-1"], ("minutes", "-1")),
        (["burda2016", "--rows", "mnist-1-*", "--seeds", "0"], ("seeds", "0")),
        (["--table-into", "absent.md"], ("absent.md",)),
        (["burda2016", "--rows", "mnist-1-*", "--table-into", "absent.md"], ("--table-into", "--rows")),
        (["--rows", "mnist-1-*"], ("TABLE", "burda2016")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_words_for_a_published_table(capsys, words, says):
    refused(capsys, "reproduce", *words, says=says)
    assert not Path("runs").exists()


def test_warnings_of_libraries_stay_away_from_the_terminal(capsys, trained):
    code, out, err = call(capsys, "evaluate", trained, "--k", "5", "--limit", "20", "--json")
    assert code == 0
    assert json.loads(out)["n"] == 20
    assert not [line for line in err.splitlines() if "Warning" in line or "jax" in line.lower()]
