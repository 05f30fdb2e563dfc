"""The words that a shell completes: asked for as a shell asks, without JAX, and once by bash itself."""

import contextlib
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from iwax.cli import main
from iwax.cli.app import VERBS
from iwax.cli.arguments import NAMES
from iwax.cli.completion import COMPLETING

TYPED = [  # a line up to the cursor, and words that must be, and must not be, among those offered
    ("iwax tr", {"train"}, {"reproduce"}),
    ("iwax ", set(VERBS), set()),
    ("iwax data ", {"list", "info", "get"}, set()),
    ("iwax data get mnist-st", {"mnist-static"}, {"mnist-grey"}),
    ("iwax train mn", {"mnist"}, {"digits"}),
    ("iwax train mnist --preset iwae-2", {"iwae-2-k5"}, {"vae-1", "mnist"}),
    ("iwax train --set objective.g", {"objective.gradient="}, {"objective.k="}),
    ("iwax train --bound c", {"ciwae", "cubo"}, {"iwae"}),
    ("iwax diagnose runs/x --gradient sticking", {"sticking_the_landing"}, {"pathwise"}),
    ("iwax train --rec", {"--recipe"}, {"--seed"}),
    ("iwax train --recipe ", {"quick", "paper"}, set()),
    ("iwax evaluate runs/x --method a", {"annealed"}, {"importance"}),
    ("iwax evaluate runs/x --ch", {"--chains", "--checkpoint"}, {"--method"}),
    ("iwax reproduce m", {"mem-vae"}, {"jvi"}),
    ("iwax completion z", {"zsh"}, {"bash"}),
]


def known() -> dict[str, list[str]]:
    """The names that iwax knows, by their kind."""
    from iwax.data import registry
    from iwax.reproduction import published
    from iwax.settings import catalogue, named, parted
    from iwax.settings.parts import bounds, gradients

    return {
        "bounds": list(parted.words(bounds.Bound)),
        "data": list(registry.names()),
        "gradients": list(parted.words(gradients.Gradient)),
        "presets": list(catalogue.names()),
        "settings": [f"{key}=" for key in list(named.keys())],
        "tables": published.table_names(),
    }


def test_the_copy_of_the_names_is_theirs():
    assert json.loads(NAMES.read_text(encoding="utf-8")) == known(), f"write it anew: python {Path(__file__).name}"


def offered(typed: str, monkeypatch) -> set[str]:
    """What the program answers a shell that asks, as fish does."""
    for name, value in {COMPLETING: "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", typed)
    with contextlib.redirect_stdout(io.StringIO()) as out, pytest.raises(SystemExit) as left:
        main([])
    assert not left.value.code
    return {line.split("\t")[0] for line in out.getvalue().splitlines()}


@pytest.mark.parametrize(("typed", "there", "absent"), TYPED, ids=[typed for typed, _, _ in TYPED])
def test_what_fits_is_offered(typed, there, absent, monkeypatch):
    found = offered(typed, monkeypatch)
    assert there <= found
    assert not absent & found


def test_every_verb_offers_its_options(monkeypatch):
    for verb in VERBS:
        assert "--help" in offered(f"iwax {verb} --", monkeypatch)


def test_completing_loads_no_array_library():
    program = (
        "import sys; from iwax.cli import main\n"
        "try: main([])\n"
        "finally: print([m for m in ('jax', 'numpy') if m in sys.modules], file=sys.stderr)"
    )
    asked = {COMPLETING: "complete_zsh", "_TYPER_COMPLETE_ARGS": "iwax train mnist --preset iwae-2"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={**os.environ, **asked}
    )
    assert "iwae-2-k5" in done.stdout
    assert done.stderr == "[]\n"


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_asks_by_the_script(tmp_path, capfd):
    with pytest.raises(SystemExit, match="0"):
        main(["completion", "bash"])
    script = tmp_path / "script"
    script.write_text(capfd.readouterr().out)
    program = tmp_path / "iwax"
    program.write_text(f"#!/bin/sh\nexec {shlex.quote(sys.executable)} -c 'from iwax.cli import main; main()' \"$@\"\n")
    program.chmod(0o755)
    lines = [f"source {script}", "COMP_WORDS=(iwax train --preset iwae-2); COMP_CWORD=3; COMPREPLY=()"]
    lines += ["_iwax_completion iwax; echo ${COMPREPLY[*]}"]
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", "\n".join(lines)], capture_output=True, text=True, check=True, env=environment)
    assert "iwae-2-k5" in done.stdout.split()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_a_script_for_every_shell(shell, capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["completion", shell])
    assert COMPLETING in capsys.readouterr().out


def test_a_shell_that_is_not_known(capsys):
    with pytest.raises(SystemExit) as left:
        main(["completion", "csh"])
    assert left.value.code == 2
    assert "bash, zsh, fish" in capsys.readouterr().err


if __name__ == "__main__":
    NAMES.write_text(json.dumps(known(), indent=1) + "\n", encoding="utf-8")
