"""Fuzz what reads files of others, guided by coverage: ``python tests/fuzz/run.py --seconds 60 [TARGET ...]``.

Each target (fuzz_targets.py) runs in a process of its own under a limit of memory, starting from its corpus. What it
finds is printed; an input that breaks it is kept in ``tests/fuzz/found/``, and comes into the corpus, which the tests
replay, when it is corrected. ``--grow N`` adds the N smallest inputs that reached new code to the corpus. Needs
Atheris, for releases alone: ``pip install atheris``, beside iwax itself (``pip install -e '.[test]'``).
"""

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
CORPUS, FOUND = HERE / "corpus", HERE / "found"
MEMORY = Path("/dev/shm")  # a disk would be what is fuzzed most
RESIDENT = 2048  # MiB that a target may take, JAX included; more is a find
SLOWEST = 20  # seconds that an input may take
LONGEST = 16384  # bytes of an input
CHILD = "--child"  # one target, by this script in a process of its own
SMALL = 4096  # bytes of an input that may come into the corpus


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(words: list[str]) -> int:
    """0 where nothing was found; 1 where an input broke a target; 2 where Atheris is not there."""
    if words[:1] == [CHILD]:
        fuzz(words[1], Path(words[2]), words[3:])
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    parser.add_argument("--grow", type=int, default=0, metavar="N", help="inputs to add to each corpus, at most")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all without")
    asked = parser.parse_args(words)
    try:
        import atheris  # noqa: F401
    except ImportError:
        say("atheris is needed, and is not here: pip install atheris (it has wheels for CPython on Linux)")
        return 2
    names = asked.targets or sorted(path.name for path in CORPUS.iterdir())
    results = [campaign(name, asked.seconds, asked.grow) for name in names]
    say(f"{sum(results)} of {len(names)} targets held")
    return 0 if all(results) else 1


def campaign(name: str, seconds: int, grow: int) -> bool:
    """Whether a target held for so long."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        scratch, new, words = Path(folder) / "scratch", Path(folder) / "new", Path(folder) / "words"
        scratch.mkdir()
        new.mkdir()
        words.write_text(dictionary(CORPUS / name), encoding="ascii")
        limits = [f"-max_total_time={seconds}", f"-rss_limit_mb={RESIDENT}", f"-timeout={SLOWEST}", "-len_control=0"]
        limits += [f"-max_len={LONGEST}", f"-artifact_prefix={folder}/", f"-dict={words}", "-print_final_stats=1"]
        command = [
            sys.executable,
            str(Path(__file__)),
            CHILD,
            name,
            str(scratch),
            *limits,
            str(new),
            str(CORPUS / name),
        ]
        done = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace")
        if done.returncode:
            _keep(scratch / "input", name)
        added = _grow(new, CORPUS / name, grow) if grow else 0
    log = done.stderr + done.stdout
    runs, covered, peak = (
        int((re.findall(pattern, log, re.MULTILINE) or ["0"])[-1])
        for pattern in (r"^#(\d+)", r"\bcov: (\d+)", r"\brss: (\d+)Mb")
    )
    verdict = "BROKEN" if done.returncode else "held"
    say(f"{name:12} {verdict:6} {runs:>9,} inputs, {covered:>5,} branches, {peak:,} MiB, {added} added to its corpus")
    if done.returncode:
        say("\n".join(log.splitlines()[-30:]))
    return not done.returncode


def _keep(broken: Path, name: str) -> None:
    """Keep the input at which a target broke."""
    FOUND.mkdir(exist_ok=True)
    contents = broken.read_bytes() if broken.is_file() else b""
    kept = FOUND / f"{name}-{hashlib.sha256(contents).hexdigest()[:12]}"
    kept.write_bytes(contents)
    say(f"{name}: an input that breaks it is kept in {kept}")


def dictionary(corpus: Path) -> str:
    """The words of a corpus, which mutations put together again, in libFuzzer's form."""
    found = {
        word for path in corpus.iterdir() for word in re.findall(rb"[A-Za-z_][A-Za-z0-9_.]{2,30}", path.read_bytes())
    }
    return "".join(f'"{word.decode()}"\n' for word in sorted(found))


def _grow(new: Path, corpus: Path, most: int) -> int:
    """Put the smallest new inputs into the corpus; returns how many."""
    small = sorted((path for path in new.iterdir() if path.stat().st_size <= SMALL), key=lambda p: p.stat().st_size)
    for path in small[:: max(1, len(small) // most)][:most]:
        shutil.copy(path, corpus / f"found-{path.name[:12]}")
    return min(most, len(small))


def fuzz(target: str, folder: Path, flags: list[str]) -> None:
    """Fuzz one target in this process, which libFuzzer ends."""
    import atheris

    with atheris.instrument_imports(include=["iwax", "tomllib"]):
        import fuzz_targets

    def once(contents: bytes) -> None:
        (folder / "input").write_bytes(contents)  # for whoever finds this process dead
        try:
            fuzz_targets.enter(target, contents, folder)
        finally:
            for each in ("checkpoints", "run"):
                shutil.rmtree(folder / each, ignore_errors=True)

    atheris.Setup([sys.argv[0], *flags], once)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
