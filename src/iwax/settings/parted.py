"""Settings of parts: a setting of a section that has settings of its own, some for each kind of the part."""

import difflib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, ClassVar, Literal, NoReturn, Self, get_args, get_origin

from pydantic import ModelWrapValidatorHandler, PrivateAttr, ValidationError, model_validator

from iwax.settings.fields import Section, complaint
from iwax.settings.former import FORMER, paths

__all__ = ["Kind", "Parted", "heads", "kind_of", "owners", "parts_of", "words", "words_of"]


class Kind(Section):
    """The settings of one kind of a part; ``HEAD`` is the one that may stand for the part."""

    HEAD: ClassVar[str] = "kind"

    def __str__(self) -> str:
        """The kind, and the settings that are not the usual ones.

        >>> from iwax.settings.objective import Objective
        >>> print(Objective(bound={"kind": "renyi", "alpha": 0.5}).bound)
        renyi alpha=0.5
        """
        usual = {name: field.default for name, field in type(self).model_fields.items()}
        own = dict(self)
        return " ".join([str(own.pop(self.HEAD)), *(f"{name}={own[name]}" for name in own if own[name] != usual[name])])

    def check(self, settings: Any, /) -> None:
        """Raise ValueError, naming the settings, where others of the section leave nothing for these to act on."""


class Parted(Section):
    """A section some of whose settings are parts: ``posterior = {kind = "householder", steps = 10}``.

    The kind may stand for a part (``posterior = "householder"``), and every name that a setting ever had
    (`former`) for the one of today. Null stands for the default. What other kinds of a part have, and the chosen one
    has not, is remembered as ``unused``, or refused where the section is ``exact``.
    """

    exact: ClassVar[bool] = False
    _unused: tuple[str, ...] = PrivateAttr(())

    @property
    def unused(self) -> tuple[str, ...]:
        """Settings of parts that were given, that are not the usual ones, and that the parts chosen do not have."""
        return self._unused

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Parted) and type(self) is type(other) and dict(self) == dict(other)

    __hash__ = Section.__hash__

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, given: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(given, Mapping):
            return handler(given)
        section = cls.__name__.lower()
        found = paths({section: given}, heads(section, cls))
        values = {path.partition(".")[2]: _tuples(value) for path, (_, value) in found.items()}
        of_parts = [path for path in values if "." in path and path.partition(".")[0] in parts_of(cls)]
        inner = {path: values.pop(path) for path in of_parts}
        for path in inner:
            if not _having(cls, path):
                _refuse_unknown(cls, path)
        used = set()
        for part, kinds in parts_of(cls).items():
            chosen, head, default = values.pop(part, None), kinds[0].HEAD, cls.model_fields[part].default
            if chosen is None and default is None:
                continue
            chosen = dict(default)[head] if chosen is None else chosen
            kind = next((each for each in kinds if not words_of(each) or chosen in words_of(each)), None)
            own = {f"{part}.{name}": name for name in (kind.model_fields if kind else ()) if f"{part}.{name}" in inner}
            used |= own.keys()
            values[part] = {head: chosen} | {own[path]: inner[path] for path in own if inner[path] is not None}
        made = handler(values)
        unused = cls._unused_in({path: value for path, value in inner.items() if value is not None}, used)
        if unused and cls.exact:
            made._refuse_unused(unused[0], inner[unused[0]])
        made._unused = tuple(f"{section}.{path}" for path in unused)
        return made

    @classmethod
    def _unused_in(cls, inner: Mapping[str, Any], used: set[str]) -> list[str]:
        """What the kinds chosen do not have, but for what is usual, and what two parts were given by one name."""
        several = [[name.partition(".")[2] for name in names] for names in FORMER.values() if len(names) > 1]
        found = []
        for path in (each for each in inner if each not in used):
            usual = cls._usual(path, inner[path])
            usual += [inner.get(each) for names in several if path in names for each in names if each in used]
            if inner[path] not in usual:
                found.append(path)
        return found

    @classmethod
    def _usual(cls, path: str, value: Any) -> list[Any]:
        """What a setting is by default, by kinds; ValueError where no kind could have such a value."""
        name, having = path.partition(".")[2], _having(cls, path)
        kind = having[0]
        try:
            kind.model_validate({kind.HEAD: (*words_of(kind), ())[0], name: value})
        except ValidationError as error:
            key, needed = f"{cls.__name__.lower()}.{path}", kind.model_fields[name].description or ""
            raise ValueError(complaint(key, "", needed, value)) from error
        return [each.model_fields[name].default for each in having]

    def _refuse_unused(self, path: str, value: Any) -> NoReturn:
        section = type(self).__name__.lower()
        part, _, name = path.partition(".")
        raise ValueError(
            f"{section}.{path} needs {section}.{part}={' or '.join(map(str, owners(type(self), path)))}, got "
            f"{dict(self)[part]} with {name}={value}; take it away with --set {section}.{path}=null"
        )


@cache
def parts_of(section: type[Section]) -> Mapping[str, tuple[type[Kind], ...]]:
    """The kinds of every part of a section, by the name of its setting.

    >>> from iwax.settings.model import Model
    >>> [kind.__name__ for kind in parts_of(Model)["network"]]
    ['Dense', 'Conv', 'ConvHvae', 'Graph']
    """
    found = {name: tuple(_kinds_in(field.annotation)) for name, field in section.model_fields.items()}
    return {name: kinds for name, kinds in found.items() if kinds}


def _kinds_in(annotation: Any) -> Iterator[type[Kind]]:
    if isinstance(annotation, type) and issubclass(annotation, Kind):
        yield annotation
    for each in get_args(annotation):
        yield from _kinds_in(each)


def heads(name: str, section: type[Section]) -> dict[str, str]:
    """Of every part of the section of that name, the setting that may stand for it.

    >>> from iwax.settings.objective import Objective
    >>> heads("objective", Objective)["objective.bound"]
    'kind'
    """
    return {f"{name}.{part}": kinds[0].HEAD for part, kinds in parts_of(section).items()}


def words_of(kind: type[Kind]) -> tuple[Any, ...]:
    """The words that choose a kind; none where it is not chosen by a word."""
    annotation = kind.model_fields[kind.HEAD].annotation
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def words(part: Any) -> tuple[str, ...]:
    """The words of all kinds of a part.

    >>> from iwax.settings.parts.bounds import Bound
    >>> words(Bound)[:4]
    ('elbo', 'iwae', 'vr_max', 'miwae')
    """
    return tuple(word for kind in _kinds_in(part) for word in words_of(kind) if word is not None)


def kind_of(part: Any, or_null: str = "") -> str:
    """The description of a part: one of the words of its kinds, or null, which stands for ``or_null``."""
    return f"one of {', '.join(words(part))}{f', or null ({or_null})' if or_null else ''}"


def owners(section: type[Section], key: str) -> tuple[str, ...]:
    """The kinds that have a setting, by their words.

    >>> from iwax.settings.model import Model
    >>> owners(Model, "prior.pseudo_inputs")
    ('vamp',)
    """
    part = key.partition(".")[0]
    return tuple(word for kind in _having(section, key) for word in words_of(kind) or (part,) if word is not None)


def _having(section: type[Section], key: str) -> list[type[Kind]]:
    """The kinds that have a setting."""
    part, _, name = key.partition(".")
    return [kind for kind in parts_of(section).get(part, ()) if name in kind.model_fields]


def _refuse_unknown(section: type[Section], key: str) -> NoReturn:
    """Refuse a setting that no kind of the part has, and name the nearest that one has."""
    part, _, name = key.partition(".")
    above, kinds = f"{section.__name__.lower()}.{part}", parts_of(section)[part]
    names = dict.fromkeys(each for kind in kinds for each in kind.model_fields if each != kind.HEAD)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    hint = f"{above} has {', '.join(names)}"
    if near:
        of = ", ".join(owners(section, f"{part}.{near[0]}"))
        hint = f"did you mean {above}.{near[0]}{f' (of {of})' if of != part else ''}?"
    raise ValueError(f"{above}.{name}: needs to be a key of the configuration; {hint}")


def _tuples(value: Any) -> Any:
    """Lists as tuples: what JSON has in the place of one is its proper form."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
