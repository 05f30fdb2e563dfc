"""The program `iwax`: its verbs, its switches, and the one place where an error ends."""

import importlib
import logging
import os
import sys
import traceback
import warnings
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from iwax.cli.completion import COMPLETING
from iwax.cli.failure import DONE, exit_code, one_line
from iwax.cli.later import later
from iwax.cli.terminal import Terminal
from iwax.cli.welcome import welcome

with later():
    from importlib import metadata

__all__ = ["VERBS", "app", "imported", "main"]

VERBS = {  # verb x is what iwax.cli.x calls x
    "train": "Train a model, measure it, and draw what it has learned.",
    "resume": "Continue a run that was stopped, bit for bit.",
    "evaluate": "Estimate log p(x), with its error.",
    "diagnose": "Show where a model falls short, and how noisy its gradients are.",
    "sample": "Draw new data.",
    "reconstruct": "Pass data through the model and back.",
    "embed": "Find where rows of data lie in the latent space.",
    "links": "Find links that a graph lacks.",
    "impute": "Fill missing cells of a file, or hidden pixels.",
    "denoise": "Restore noisy binary images.",
    "score": "Compute log p(x) of each row of a file.",
    "compare": "Compare runs side by side, with paired differences.",
    "report": "Write one page to look at, explore, and send.",
    "verify": "Check whether a run folder is as it was written.",
    "bnn": "Train a classifier or regression with a distribution over its weights.",
    "reproduce": "Reproduce published tables: obtained next to published.",
    "settings": "List what can be set, and the presets.",
    "doctor": "Show versions, devices and data, and run a self-test.",
    "completion": "Print a script by which your shell completes words.",
    "data": "List, describe and get data sets.",
}
INTERRUPTED = 130
SWITCHES = ("--json", "--quiet", "--debug")
FORMER = {"--sweeps": "--iterations"}  # options by their former names, for one release


class _Verbs(TyperGroup):
    """Verbs that are listed by name, and imported one at a time, when one is typed."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, list[str]]:
        name, _, rest = super().resolve_command(ctx, args)
        return name, name and imported(name), rest


def imported(verb: str) -> Any:
    """The command, or group of commands, of a verb."""
    found = vars(importlib.import_module(f"iwax.cli.{verb}"))[verb]
    if not isinstance(found, typer.Typer):
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.command(verb, short_help=VERBS[verb])(found)
        found = alone
    return typer.main.get_command(found)


app = typer.Typer(
    name="iwax",
    cls=_Verbs,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _verb, _words in VERBS.items():
    app.command(_verb, short_help=_words)(lambda: None)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"iwax {metadata.version('iwax')}")
        raise typer.Exit


def _begin(context: typer.Context) -> None:
    number, terminal = metadata.version("iwax"), context.obj
    terminal.data(welcome(number).rstrip())
    terminal.document({"version": number, "verbs": list(VERBS)})


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress and no words, only data.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="The whole traceback of an error.")] = False,
) -> None:
    """Train, measure and use deep latent-variable models with importance-weighted bounds.

    `iwax train` alone trains an IWAE on scikit-learn's digits and measures it: start there.
    --json, --quiet and --debug may stand before or after the verb.
    """
    if context.invoked_subcommand is None:
        _begin(context)


def main(arguments: list[str] | None = None) -> None:
    """Run the program and leave with its exit code.

    Args:
        arguments: the words after `iwax`; those of the process when None.

    Raises:
        SystemExit: always, with 0, 1, 2, 3, 4, 130 or 143.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    words, switches = _hoist(words)
    _keep_to_own_fonts()
    terminal = Terminal(json="--json" in switches, quiet="--quiet" in switches, debug="--debug" in switches)
    code = _run(_renamed(words, terminal), terminal)
    if code and (processes := sys.modules.get("iwax.processes")) is not None:
        processes.end(code)
    sys.exit(code)


def _run(words: list[str], terminal: Terminal) -> int:
    command = typer.main.get_command(app)
    with warnings.catch_warnings():
        if not terminal.debug:
            _hush()
        _speak(terminal)
        try:
            code = command.main(args=words, prog_name="iwax", standalone_mode=False, obj=terminal)
        except SystemExit as left:  # completion has answered; or a reader of our output has gone, as `head` does
            if COMPLETING in os.environ or not left.code:
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return DONE
        except (Exception, KeyboardInterrupt) as error:
            if type(error).__name__ == "NoArgsIsHelpError":
                typer.echo(str(error))
                return DONE
            if terminal.debug:
                traceback.print_exc()
            terminal.fail(one_line(error))
            return exit_code(error)
    if code == INTERRUPTED:  # Ctrl-C outside training, which Typer turns into an exit code
        terminal.fail("interrupted")
    return code if isinstance(code, int) else DONE


def _hoist(words: list[str]) -> tuple[list[str], set[str]]:
    """Take the switches out of the words, wherever they stand before a bare `--`."""
    end = words.index("--") if "--" in words else len(words)
    rest = [word for word in words[:end] if word not in SWITCHES]
    return rest + words[end:], set(words[:end]) & set(SWITCHES)


def _renamed(words: list[str], terminal: Terminal) -> list[str]:
    """The words with options by their names of today, and a warning for each that was given by its former name."""
    parts = [word.partition("=") for word in words]
    for old in {name for name, _, _ in parts if name in FORMER}:
        terminal.warn(f"{old} is now {FORMER[old]}")
    return ["".join((FORMER.get(name, name), *rest)) for name, *rest in parts]


def _speak(terminal: Terminal) -> None:
    """Warnings of a run folder are ours: known by their beginning, for their class would load JAX."""
    usual = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *rest: Any) -> None:
        if category.__name__ == "RunFolderWarning":
            terminal.warn(str(message))
        else:
            usual(message, category, *rest)

    warnings.filterwarnings("default", message="run folder ")
    warnings.showwarning = show


def _keep_to_own_fonts() -> None:
    """Have Matplotlib look at the fonts it brings along alone, else it starts `fc-list`; and keep that list apart."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if os.path.isabs(cache):  # other programs of this person share the usual place, and want their fonts
        os.environ["MPLCONFIGDIR"] = os.path.join(cache, "iwax", "matplotlib")
    os.environ["MPL_IGNORE_SYSTEM_FONTS"] = "1"


def _hush() -> None:
    """Keep the noise of libraries from the terminal: it is neither data nor a message of ours."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.simplefilter("ignore")
    for library in ("jax", "jax._src.xla_bridge", "matplotlib", "absl"):
        logging.getLogger(library).setLevel(logging.ERROR)
