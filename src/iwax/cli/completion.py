"""`iwax completion`: a script by which a shell completes what is typed, made once and run without this program."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, NamedTuple

import typer

from iwax.cli.terminal import Terminal

__all__ = ["SHELLS", "completion"]

_BASH = """\
# iwax: completion for {shell}
{before}_iwax() {{
    local word verb="" cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} words=""
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case $word in -*) ;; *) verb=${{verb:+$verb }}$word ;; esac
    done
    case $verb in
{verbs}
        *) words="{first}" ;;
    esac
    case $verb:$prev in
{values}
    esac
    case $words in *=) compopt -o nospace 2>/dev/null ;; esac
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}}
complete -o default -F _iwax iwax
"""


class _Option(NamedTuple):
    names: tuple[str, ...]
    values: tuple[str, ...]  # what may follow, where that is known
    takes: bool
    help: str


class _Verb(NamedTuple):
    words: str  # "train", "data info"
    help: str
    options: tuple[_Option, ...]
    first: tuple[str, ...]  # what its first argument may be, where that is known


def completion(
    context: typer.Context,
    shell: Annotated[str, typer.Argument(metavar="bash|zsh|fish", help="Whose words the script is in.")],
) -> None:
    """Print a script by which the shell completes verbs, options, presets, settings, data and tables.

    For bash, `iwax completion bash > ~/.local/share/bash-completion/completions/iwax`; for zsh, put
    `source <(iwax completion zsh)` after compinit in ~/.zshrc; for fish, `iwax completion fish >
    ~/.config/fish/completions/iwax.fish`. Names are those of the day it was made: make it anew after an update.
    """
    terminal: Terminal = context.obj
    if shell not in SHELLS:
        raise ValueError(f"completion knows the shells {', '.join(SHELLS)}; got {shell!r}")
    verbs = tuple(_verbs(context.find_root().command, _known()))
    script = SHELLS[shell](verbs)
    terminal.data(script.rstrip())
    terminal.document({"shell": shell, "script": script})


def _known() -> dict[str, tuple[str, ...]]:
    """Names that options and arguments take, by the word that stands for them in the help."""
    from iwax.data import registry
    from iwax.experiments import bnn, catalogue, named, parted, published
    from iwax.experiments.parts import bounds, gradients

    data, settings = tuple(registry.names()), tuple(f"{key}=" for key in list(named.keys()))
    return {
        "train": data,
        "data info": data,
        "data get": data,
        "reproduce": (*published.table_names(), bnn.NAME),
        "train --preset": tuple(catalogue.names()),
        "train --set": settings,
        "diagnose --set": settings,
        "--bound": parted.words(bounds.Bound),
        "--gradient": parted.words(gradients.Gradient),
    }


def _verbs(group: Any, known: dict[str, tuple[str, ...]], above: str = "") -> Iterator[_Verb]:
    for name, command in group.commands.items():
        words = f"{above}{name}"
        below = getattr(command, "commands", None)
        options = tuple(_option(each, known, words) for each in command.params if each.param_type_name == "option")
        first = tuple(below) if below else known.get(words) or _choices(_first(command.params))
        yield _Verb(words, command.short_help or command.help.split(".")[0] + ".", options, first)
        if below:
            yield from _verbs(command, known, f"{words} ")


def _first(parameters: Sequence[Any]) -> str | None:
    arguments = [each.metavar for each in parameters if each.param_type_name == "argument"]
    return arguments[0] if arguments else None


def _option(option: Any, known: dict[str, tuple[str, ...]], verb: str) -> _Option:
    names, name = (*option.opts, *option.secondary_opts), option.opts[-1]
    values = known.get(f"{verb} {name}") or known.get(name) or _choices(option.metavar)
    return _Option(names, values, not option.is_flag, (option.help or "").split("\n")[0])


def _choices(metavar: str | None) -> tuple[str, ...]:
    """The words of ``best|last``.

    >>> _choices("best|last"), _choices("FILE")
    (('best', 'last'), ())
    """
    return tuple(metavar.split("|")) if metavar and "|" in metavar else ()


def _of_bash(verbs: Sequence[_Verb], *, name: str = "bash", before: str = "") -> str:
    """One function, without a call of any program; zsh has bash's words after `bashcompinit`."""
    inner = sorted(verbs, key=lambda verb: -verb.words.count(" "))  # `data info` before `data`
    lines = [
        f'        "{verb.words}"|"{verb.words} "*) words="{" ".join((*verb.first, *_names(verb)))}" ;;'
        for verb in inner
    ]
    followed = [
        f'        {_after(verb, option)}) words="{" ".join(option.values)}" ;;'
        for verb in verbs
        for option in verb.options
        if option.values
    ]
    return _BASH.format(
        shell=name,
        before=before,
        verbs="\n".join(lines),
        values="\n".join(followed),
        first=" ".join((*(verb.words for verb in verbs if " " not in verb.words), "--help", "--version")),
    )


def _after(verb: _Verb, option: _Option) -> str:
    return "|".join(f'"{verb.words}"*:{name}' for name in option.names)


def _names(verb: _Verb) -> tuple[str, ...]:
    return tuple(name for option in verb.options for name in option.names if name.startswith("--"))


def _of_zsh(verbs: Sequence[_Verb]) -> str:
    return _of_bash(verbs, name="zsh", before="autoload -Uz bashcompinit && bashcompinit\n")


def _of_fish(verbs: Sequence[_Verb]) -> str:
    """A line for each verb and option."""
    lines = ["# iwax: completion for fish"]
    for verb in verbs:
        *above, name = verb.words.split()
        here = f"__fish_seen_subcommand_from {above[0]}" if above else "__fish_use_subcommand"
        lines.append(f"complete -c iwax -n '{here}' -f -a {name} -d {_quoted(verb.help)}")
        inside = " ".join(f"; and __fish_seen_subcommand_from {word}" for word in verb.words.split())[6:]
        if verb.first and not any(other.words.startswith(f"{verb.words} ") for other in verbs):
            lines.append(f"complete -c iwax -n '{inside}' -a {_quoted(' '.join(verb.first))}")
        for option in verb.options:
            flags = " ".join(f"-l {n[2:]}" if n.startswith("--") else f"-s {n[1:]}" for n in option.names)
            needs = f" -x -a {_quoted(' '.join(option.values))}" if option.values else " -r" * option.takes
            lines.append(f"complete -c iwax -n '{inside}' {flags}{needs} -d {_quoted(option.help)}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


SHELLS = {"bash": _of_bash, "zsh": _of_zsh, "fish": _of_fish}
