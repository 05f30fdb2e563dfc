"""Run folders changed by hand, as one that somebody made so: with a seal that is true of what it holds now."""

from pathlib import Path

from iwax.storage.sealed import FILE, Sealed


def changed(path: Path, data: bytes) -> None:
    """Change a file of a run folder, and its seal with it."""
    path.write_bytes(data)
    sealed_again(path.parent if (path.parent / "config.json").exists() else path.parent.parent)


def sealed_again(run: Path) -> Path:
    """Seal whatever a run folder holds, checkpoints aside."""
    (run / FILE).unlink(missing_ok=True)
    files = [each for each in sorted(run.rglob("*")) if each.is_file()]
    names = [str(each.relative_to(run)) for each in files if each.relative_to(run).parts[0] != "checkpoints"]
    Sealed(run).write({name: (run / name).read_bytes() for name in names})
    return run
