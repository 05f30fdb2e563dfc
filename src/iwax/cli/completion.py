"""`iwax completion`: the script by which a shell asks this program what may be typed next."""

from typing import Annotated

import typer
from typer.completion import get_completion_script

from iwax.cli.arguments import argument
from iwax.cli.terminal import Terminal

__all__ = ["COMPLETING", "completion"]

COMPLETING = "_IWAX_COMPLETE"  # where a shell says in the environment that it asks
SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")
Shell = Annotated[str, argument("bash|zsh|fish", "The shell that runs the script.")]


def completion(
    context: typer.Context,
    shell: Shell,
) -> None:
    """Print a script by which the shell completes verbs, options, presets, settings, data and tables.

    For bash, `iwax completion bash > ~/.local/share/bash-completion/completions/iwax`; for zsh, put
    `source <(iwax completion zsh)` after compinit in ~/.zshrc; for fish, `iwax completion fish >
    ~/.config/fish/completions/iwax.fish`. `iwax --install-completion` installs it in the shell that is in use.

    Example: iwax completion bash
    """
    terminal: Terminal = context.obj
    if shell not in SHELLS:
        raise ValueError(f"completion knows the shells {', '.join(SHELLS)}; got {shell!r}")
    script = get_completion_script(prog_name="iwax", complete_var=COMPLETING, shell=shell)
    terminal.data(script)
    terminal.document({"shell": shell, "script": script})
