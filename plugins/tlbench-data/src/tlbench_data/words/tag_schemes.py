"""Recognises how tags mark entities (BIO, IOB1, IOBES, BMES, BILOU, IO), and converts them to BIO.

IOB1 and BIO are compared by Tjong Kim Sang and Veenstra (EACL 1999), BILOU and BIO by Ratinov and Roth (CoNLL 2009).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tlbench import DataError
from tlbench_data.name_lists import as_map
from tlbench_data.readers.rows import listed

_LETTERS = {"bio": "BI", "iobes": "BIES", "bmes": "BMESW", "bilou": "BILU"}
"""Maps each scheme that marks the beginning of entities to its letters without O; IOB1 has those of BIO."""
SCHEMES = ("bio", "iob1", "iobes", "bmes", "bilou", "io", "plain")
"""Values of `tag_scheme=`; plain tags are classes of single words, such as parts of speech."""
_INSIDE, _END, _SINGLE = "IM", "EL", "SUW"
# If more than this share of the tags breaks the order that a scheme prescribes, the tags are not in that scheme.
_OUT_OF_ORDER = 0.05
_FORMS = (("-", True), ("_", True), ("-", False), ("_", False), ("", True))
"""The ways to write a tag: separator of letter and type ("" if there is no type), and whether the letter is first."""


@dataclass(frozen=True)
class TagScheme:
    """A tag scheme, with the way in which letter and type are written."""

    name: str
    separator: str = "-"
    letter_first: bool = True

    @property
    def is_converted(self) -> bool:
        """Whether tags change when they are converted to BIO."""
        if self.name == "bio":
            return (self.separator, self.letter_first) not in _BIO
        return self.name != "plain"

    def parsed(self, tag: str) -> tuple[str, str] | None:
        """Returns the letter and type of a tag other than O, or None if the tag does not belong to the scheme."""
        if self.name == "io":
            # Some files write I- before every tag of IO; a B- means that the scheme is another one.
            return None if tag.startswith("B-") else ("I", tag.removeprefix("I-"))
        form = self.separator, self.letter_first
        letter, kind = _split(tag, *form) or ("", "")
        return (letter, kind) if letter and letter in _LETTERS["bio" if self.name == "iob1" else self.name] else None

    def to_bio(self, tags: Sequence[str]) -> tuple[str, ...]:
        """Returns the tags of a sentence in BIO.

        Raises:
            ValueError: A tag does not belong to the scheme; the argument is that tag.
        """
        if not self.is_converted:
            return tuple(tags)
        bio = []
        # Type of the entity that the next word may continue; None outside entities.
        open_type: str | None = None
        for tag in tags:
            if tag == "O":
                bio.append(tag)
                open_type = None
                continue
            parsed = self.parsed(tag)
            if parsed is None:
                raise ValueError(tag)
            letter, kind = parsed
            # An I without a B before it stays as it is in BIO, since all metrics take it as the beginning of an entity.
            goes_on = letter in _INSIDE + _END and (open_type == kind or self.name == "bio")
            mark = "I" if goes_on else "B"
            bio.append(f"{mark}-{kind}" if kind else mark)
            open_type = None if letter in _END + _SINGLE else kind
        return tuple(bio)


_BIO = (("-", True), ("", True))
"""The ways to write BIO tags that metrics read without conversion."""
PLAIN = TagScheme("plain")


def recognise(sentences: Sequence[Sequence[str]], declared: Sequence[str], given: str, where: str) -> TagScheme:
    """Returns the scheme of the tags, which is `given` unless that is empty.

    Args:
        sentences: The tags of the training sentences.
        declared: Tags that the user declares, some of which may not occur in these sentences.
        given: The value of the option `tag_scheme=`, or "".
        where: The file, for messages.

    Raises:
        DataError: No scheme is given and the tags are ambiguous or inconsistent, or they do not fit the given scheme.
    """
    tags = {*declared, *(tag for sentence in sentences for tag in sentence)}
    has_outside = "O" in tags
    tags -= {"O"}
    if given == "plain" or not tags:
        return PLAIN
    if given:
        schemes = [TagScheme(given, *form) for form in _FORMS]
        fitting = [scheme for scheme in schemes if all(scheme.parsed(tag) for tag in tags)]
        if not fitting:
            raise DataError(f"{where}: tag_scheme={given} does not fit the tags {listed(sorted(tags))}")
        return fitting[0]
    for form in _FORMS:
        name = _scheme_of(tags, *form)
        if name == "bio":
            return TagScheme("iob1" if _is_iob1(sentences, *form) else "bio", *form)
        if name:
            scheme = TagScheme(name, *form)
            _check_order(sentences, scheme, where)
            return scheme
    _refuse_small_letters(tags, where)
    if stray := _without_scheme(tags):
        raise DataError(
            f"{where}: most tags are of the BIO scheme, but {listed(stray)} are not: "
            "correct them, or set tag_scheme=plain to learn a class for each word"
        )
    if has_outside:
        raise DataError(
            f"{where}: the tags O, {listed(sorted(tags))} do not mark where entities begin: set tag_scheme=io to read "
            "neighbouring words of one tag as one entity, or tag_scheme=plain to learn a class for each word"
        )
    return PLAIN


def note(scheme: TagScheme, tags: Sequence[str]) -> str:
    """Returns a note on the conversion to BIO with one of `tags` (without O) as an example; "" if there is none."""
    if not scheme.is_converted:
        return ""
    examples = []
    for tag in tags:
        letter, kind = scheme.parsed(tag) or ("", "")
        ends = letter in _END or (letter in _INSIDE and scheme.name not in ("io", "iob1"))
        bio = "-".join(filter(None, ("I" if ends else "B", kind)))
        # Tags with letters that BIO lacks, such as E and S, are the best examples.
        examples.append((letter not in _END + _SINGLE, bio == tag, tag, bio))
    _, _, tag, bio = min(examples)
    kind_of_tags = "tags" if scheme.name == "bio" else f"{scheme.name.upper()} tags"
    return f"{kind_of_tags} are read as BIO ({tag} as {bio})"


def _split(tag: str, separator: str, letter_first: bool) -> tuple[str, str] | None:
    if not separator:
        return (tag, "") if len(tag) == 1 else None
    if len(tag) < 3:
        return None
    letter, between, kind = (tag[0], tag[1], tag[2:]) if letter_first else (tag[-1], tag[-2], tag[:-2])
    return (letter, kind) if between == separator else None


def _scheme_of(tags: set[str], separator: str, letter_first: bool) -> str:
    """Returns the scheme that all tags belong to when split at this separator, or "" if there is none."""
    letters_of: dict[str, set[str]] = {}
    for tag in tags:
        letter, kind = _split(tag, separator, letter_first) or ("", "")
        letters_of.setdefault(kind, set()).add(letter)
    letters = set().union(*letters_of.values())
    name = next((name for name, known in _LETTERS.items() if letters <= set(known)), "")
    if name == "bio" and (separator, letter_first) == ("-", True):
        return name
    if tags == {"B"}:
        return "" if separator else name
    # Other tags may look like this by chance: letters mark positions in entities only if some type has two of them.
    return name if "B" in letters and any(len(found) > 1 for found in letters_of.values()) else ""


def _is_iob1(sentences: Sequence[Sequence[str]], separator: str, letter_first: bool) -> bool:
    """Returns whether entities begin with I, and B only occurs between adjacent entities of one type."""
    begins_inside = False
    for sentence in sentences:
        previous = None
        for tag in sentence:
            letter, kind = _split(tag, separator, letter_first) or ("O", None)
            if tag == "O":
                letter, kind = "O", None
            if letter == "B" and kind != previous:
                return False
            begins_inside = begins_inside or (letter == "I" and kind != previous)
            previous = kind
    return begins_inside


def _check_order(sentences: Sequence[Sequence[str]], scheme: TagScheme, where: str) -> None:
    """Checks that nearly all tags follow each other in an order that the scheme allows.

    Raises:
        DataError: More tags than the share `_OUT_OF_ORDER` do not.
    """
    total = wrong = 0
    for sentence in sentences:
        open_type: str | None = None
        for tag in (*sentence, "O"):
            letter, kind = ("O", None) if tag == "O" else scheme.parsed(tag) or ("O", None)
            total += letter != "O"
            # Wrong are a continuation outside an entity, a new beginning inside one, and a change of type inside one.
            wrong += (letter in _INSIDE + _END) != (open_type is not None) or (open_type not in (None, kind))
            open_type = kind if letter == "B" or letter in _INSIDE else None
    if wrong > _OUT_OF_ORDER * total:
        raise DataError(
            f"{where}: the tags look like {scheme.name.upper()}, but {wrong} of {total} are out of order: "
            f"set tag_scheme={scheme.name} to read them as entities, or tag_scheme=plain to learn a class for each word"
        )


def _refuse_small_letters(tags: set[str], where: str) -> None:
    """Refuses tags that would mark entities if they were written in capitals, such as b-per and o.

    Raises:
        DataError: The tags would mark entities in capitals.
    """
    capitals = {tag.upper() for tag in tags} - {"O"}
    if "o" not in tags or not any(_scheme_of(capitals, separator, True) for separator in "-_"):
        return
    example = as_map((tag, tag.upper()) for tag in sorted(tags)[:3])
    raise DataError(
        f"{where}: the tags {listed(sorted(tags))} mark entities in small letters: rename all of them to capitals, as "
        f"{example}, or set tag_scheme=plain to learn a class for each word"
    )


def _without_scheme(tags: set[str]) -> list[str]:
    """Returns the tags that are not in BIO, if others are: some type occurs with both B- and I-; otherwise []."""
    begins = {tag[2:] for tag in tags if tag.startswith("B-")}
    inside = {tag[2:] for tag in tags if tag.startswith("I-")}
    return sorted(tag for tag in tags if tag[:2] not in ("B-", "I-")) if begins & inside else []
