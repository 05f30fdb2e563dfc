"""Settings of parts: a setting of a section that has settings of its own, and the names that these had before."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, ClassVar, Literal, Self, get_args, get_origin

from pydantic import ModelWrapValidatorHandler, PrivateAttr, ValidationError, model_validator

from iwax.experiments.fields import Section

__all__ = ["Kind", "Parted", "owners", "parts_of", "words_of"]


class Kind(Section):
    """The settings of one kind of a part; ``HEAD`` is the one that may stand for the part."""

    HEAD: ClassVar[str] = "kind"

    def check(self, model: Any) -> None:
        """Raise ValueError, naming the settings, where others of the model leave nothing for these to act on."""


class Parted(Section):
    """A section some of whose settings are parts: ``posterior = {kind = "householder", steps = 10}``.

    The kind may stand for a part (``posterior = "householder"``), and the other settings beside it by their dotted
    names (``posterior.steps = 10``). Null stands for the default. ``FORMER`` has the names that settings had before
    parts had their own, each with what it is now; one of several leaves alone what is given by its own name.
    """

    FORMER: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    _unused: tuple[str, ...] = PrivateAttr(())

    @property
    def unused(self) -> tuple[str, ...]:
        """Settings that were given, by the names that were used, and that the parts chosen do not have."""
        return self._unused

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Parted) and type(self) is type(other) and dict(self) == dict(other)

    __hash__ = Section.__hash__

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, given: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(given, Mapping):
            return handler(given)
        found = cls.by_name(given)
        tree, kept = {key: _tuples(value) for key, (_, value) in found.items()}, set()
        beside = {key: tree.pop(key) for key in found if key.partition(".")[0] in parts_of(cls) and "." in key}
        for part, kinds in parts_of(cls).items():
            chosen, head = tree.pop(part, None), kinds[0].HEAD
            chosen = getattr(cls.model_fields[part].default, head, None) if chosen is None else chosen
            if chosen is not None:
                kind = next((each for each in kinds if not words_of(each) or chosen in words_of(each)), None)
                own = {key: key.partition(".")[2] for key in beside if key.startswith(f"{part}.")}
                own = {key: name for key, name in own.items() if kind and name in kind.model_fields}
                kept |= own.keys()
                tree[part] = {head: chosen} | {own[key]: beside[key] for key in own if beside[key] is not None}
        made = handler(tree)
        left = {key for key, value in beside.items() if value is not None} - kept
        for key in left:
            cls._check(key, found[key][0], beside[key])
        made._unused = tuple(sorted({found[key][0] for key in left} - {found[key][0] for key in kept}))
        return made

    @classmethod
    def by_name(cls, given: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
        """What is given by its dotted names of today: the name it was given by, and its value.

        >>> from iwax.experiments.model import Model
        >>> Model.by_name({"posterior": {"kind": "iaf"}, "posterior_steps": 5})
        {'posterior': ('posterior', 'iaf'), 'posterior.steps': ('posterior_steps', 5)}
        """
        found: dict[str, tuple[str, Any]] = {}
        for name in sorted(given, key=lambda name: len(cls.FORMER.get(name, ()))):
            for key, value in cls._settings_in(name, given[name]):
                if key in found and len(cls.FORMER.get(name, ())) < 2:
                    both = " and ".join(f"{cls.__name__.lower()}.{each}" for each in (found[key][0], name))
                    raise ValueError(f"needs every key once, got {both}")
                found.setdefault(key, (name if name in cls.FORMER else key, value))
        return found

    @classmethod
    def _settings_in(cls, name: str, value: Any) -> Iterator[tuple[str, Any]]:
        part = name.partition(".")[0]
        head = f"{part}.{parts_of(cls)[part][0].HEAD}" if part in parts_of(cls) else ""
        if name in cls.FORMER:
            yield from ((key, value) for key in cls.FORMER[name])
        elif name == part and head and isinstance(value, Kind | Mapping):
            for key, each in (value.model_dump() if isinstance(value, Kind) else value).items():
                yield part if f"{part}.{key}" == head else f"{part}.{key}", each
        else:
            yield part if name == head else name, value

    @classmethod
    def _check(cls, key: str, given: str, value: Any) -> None:
        """Refuse a value that no kind of the part could have, though the kind chosen has no use for it."""
        part, _, name = key.partition(".")
        kind = next((each for each in parts_of(cls)[part] if name in each.model_fields), None)
        section = cls.__name__.lower()
        if kind is None:
            raise ValueError(f"{section}.{given}: {section}.{part} has no {name}")
        try:
            kind.model_validate({kind.HEAD: (*words_of(kind), ())[0], name: value})
        except ValidationError as error:
            needed = kind.model_fields[name].description
            raise ValueError(f"{section}.{given}: needs {needed}, got {value!r}") from error

    def flat(self) -> dict[str, Any]:
        """Every setting by its dotted name, as JSON has it.

        >>> from iwax.experiments.model import Model
        >>> Model(posterior="planar").flat()["posterior.steps"]
        4
        """
        return {key: value for key, (_, value) in self.by_name(self.model_dump(mode="json")).items()}


@cache
def parts_of(section: type[Section]) -> Mapping[str, tuple[type[Kind], ...]]:
    """The kinds of every part of a section, by the name of its setting.

    >>> from iwax.experiments.model import Model
    >>> [kind.__name__ for kind in parts_of(Model)["network"]]
    ['Dense', 'Conv', 'ConvHvae']
    """
    found = {name: tuple(_kinds_in(field.annotation)) for name, field in section.model_fields.items()}
    return {name: kinds for name, kinds in found.items() if kinds}


def _kinds_in(annotation: Any) -> Iterator[type[Kind]]:
    if isinstance(annotation, type) and issubclass(annotation, Kind):
        yield annotation
    for each in get_args(annotation):
        yield from _kinds_in(each)


def words_of(kind: type[Kind]) -> tuple[Any, ...]:
    """The words that choose a kind; none where it is not chosen by a word."""
    annotation = kind.model_fields[kind.HEAD].annotation
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def owners(section: type[Section], key: str) -> tuple[str, ...]:
    """The kinds that have a setting, by their words.

    >>> from iwax.experiments.model import Model
    >>> owners(Model, "prior.pseudo_inputs")
    ('vamp',)
    """
    part, _, name = key.partition(".")
    kinds = parts_of(section).get(part, ())
    return tuple(word for kind in kinds if name in kind.model_fields for word in words_of(kind) or (part,))


def _tuples(value: Any) -> Any:
    """Lists as tuples: what JSON has in the place of one is its proper form."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
