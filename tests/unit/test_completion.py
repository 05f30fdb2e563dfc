"""The words that a shell completes: the scripts are read by the shells themselves."""

import contextlib
import shutil
import subprocess

import pytest
import typer

from iwax.cli import completion, main
from iwax.cli.app import app

TYPED = [  # a line up to the cursor, and words that must be, and must not be, among those offered
    ("iwax tr", {"train"}, {"reproduce"}),
    ("iwax data get mnist-st", {"mnist-static"}, {"mnist-grey"}),
    ("iwax train mnist --preset iwae-2", {"iwae-2-k5"}, {"vae-1", "mnist"}),
    ("iwax train --set objective.g", {"objective.gradient="}, {"objective.k="}),
    ("iwax train --bound c", {"ciwae", "cubo"}, {"iwae"}),
    ("iwax evaluate runs/x --method a", {"annealed"}, {"importance"}),
    ("iwax evaluate runs/x --ch", {"--chains", "--checkpoint"}, {"--method"}),
    ("iwax reproduce m", {"mem-vae"}, {"jvi"}),
    ("iwax completion z", {"zsh"}, {"bash"}),
]


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """A file for each shell."""
    folder, files = tmp_path_factory.mktemp("scripts"), {}
    for shell in completion.SHELLS:
        files[shell] = folder / f"iwax.{shell}"
        with files[shell].open("w") as file, contextlib.redirect_stdout(file), pytest.raises(SystemExit, match="0"):
            main(["completion", shell])
    return files


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_offers_what_fits(scripts):
    lines = [f"source {scripts['bash']}"]
    for typed, _, _ in TYPED:
        words = " ".join(f"'{word}'" for word in typed.split())
        lines.append(
            f"COMP_WORDS=({words}); COMP_CWORD={len(typed.split()) - 1}; COMPREPLY=(); _iwax; echo ${{COMPREPLY[*]}}"
        )
    done = subprocess.run(["bash", "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    for line, (typed, there, absent) in zip(done.stdout.splitlines(), TYPED, strict=True):
        assert there <= set(line.split()), typed
        assert not absent & set(line.split()), typed


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish")
def test_fish_offers_what_fits(scripts):
    for typed, there, absent in TYPED:
        asked = f"source {scripts['fish']}; complete -C '{typed}'"
        done = subprocess.run(["fish", "--no-config", "-c", asked], capture_output=True, text=True, check=True)
        offered = {line.split("\t")[0] for line in done.stdout.splitlines()}
        assert there <= offered, typed
        assert not absent & offered, typed


@pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh")
def test_zsh_reads_its_script(scripts):
    asked = f"autoload -Uz compinit; compinit -D -u; source {scripts['zsh']}; whence -w _iwax"
    done = subprocess.run(["zsh", "-f", "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["_iwax:", "function"]


def test_every_verb_and_option_is_in_every_script(scripts):
    for verb, command in typer.main.get_group(app).commands.items():
        for shell, file in scripts.items():
            text = file.read_text()
            assert verb in text
            for option in (name for each in command.params for name in each.opts if name.startswith("--")):
                assert (option if shell != "fish" else f"-l {option[2:]}") in text, (shell, verb, option)


def test_a_shell_that_is_not_known(capsys):
    with pytest.raises(SystemExit) as left:
        main(["completion", "csh"])
    assert left.value.code == 2
    assert "bash, zsh, fish" in capsys.readouterr().err
