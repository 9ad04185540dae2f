"""What was found in a file, as the store is told of it: documents, their sections, and the chunks of the new ones."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import overload

from memory_mcp.documents.spool import Spool, Spooled
from memory_mcp.domain.documents import DocumentChange, KnownSection, PlacedSection, matched
from memory_mcp.domain.models import Embedded

_KEPT = -1


class FoundDocuments(Sequence[DocumentChange]):
    """The documents of a file; nothing of them stays in memory but where they lie."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._documents = Spooled[DocumentChange](spool)
        self._ends = array("Q", [0])
        """Where the sections of each document end, after a 0."""
        self._sections = Spooled[PlacedSection](spool)
        self._numbers = array("q")
        """Of each section among the new ones."""
        self._embedded = Spooled[Embedded](spool)
        self._written = 0
        """Sections at the beginning that need not be written ahead any more."""
        self._ahead = 0
        """New sections that were written ahead."""
        self.new = 0
        """Sections."""

    @property
    def sections(self) -> int:
        """Return how many there are."""
        return len(self._sections)

    def add(self, document: DocumentChange, placed: Iterable[PlacedSection]) -> None:
        """Add a document; its sections are those that are given here."""
        for section in placed:
            self._sections.append(section)
            self._numbers.append(_KEPT if section.kept is not None else self.new)
            self.new += section.kept is None
        self._ends.append(len(self._sections))
        self._documents.append(document)

    def new_texts(self) -> Iterator[str]:
        """Yield the contents of the new sections, in order."""
        for section in self._sections:
            if section.kept is None:
                yield section.draft.content

    def embed(self, made: Embedded) -> None:
        """Take the chunks of the next new section."""
        self._embedded.append(made)

    def written_ahead(self, limit: int) -> list[DocumentChange]:
        """Return so many new sections in their documents, each once; fewer only at the end."""
        ready = len(self._embedded) - self._ahead
        if ready < limit and len(self._embedded) < self.new:
            return []
        self._ahead += min(ready, limit)
        taken: dict[int, list[PlacedSection]] = {}
        count = 0
        while count < limit and self._written < len(self._sections):
            if self._numbers[self._written] >= len(self._embedded):
                break  # it has no chunks yet
            if self._numbers[self._written] != _KEPT:
                owner = bisect_right(self._ends, self._written) - 1
                taken.setdefault(owner, []).append(self.section(self._written))
                count += 1
            self._written += 1
        return [replace(self._documents[owner], sections=sections) for owner, sections in taken.items()]

    def compared_anew(self, known: Mapping[str, Sequence[KnownSection]]) -> tuple[FoundDocuments, set[str]]:
        """Compare with the sections that there are now, by part; return that, and the ids of those that are kept."""
        found, kept = FoundDocuments(self._spool), set[str]()

        def noted(placed: Iterable[PlacedSection]) -> Iterator[PlacedSection]:
            for section in placed:
                if section.kept is not None:
                    kept.add(section.kept)
                yield section

        for document in self:
            drafts = (section.draft for section in document.sections or ())
            placed = noted(matched(known.get(document.part, ()), drafts))
            found.add(document if document.sections is None else replace(document, sections=()), placed)
        return found, kept

    def section(self, number: int) -> PlacedSection:
        """Return a section, with its chunks as far as they are made."""
        placed, new = self._sections[number], self._numbers[number]
        return placed if new == _KEPT or new >= len(self._embedded) else replace(placed, embedded=self._embedded[new])

    @overload
    def __getitem__(self, index: int) -> DocumentChange: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[DocumentChange]: ...
    def __getitem__(self, index: int | slice) -> DocumentChange | Sequence[DocumentChange]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        document = self._documents[index]
        if document.sections is None:
            return document
        first, end = self._ends[index : index + 2]
        return replace(document, sections=_Sections(self, range(first, end)))

    def __len__(self) -> int:
        return len(self._documents)


class _Sections(Sequence[PlacedSection]):
    """The sections of one document."""

    def __init__(self, found: FoundDocuments, numbers: range) -> None:
        self._found = found
        self._numbers = numbers

    @overload
    def __getitem__(self, index: int) -> PlacedSection: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[PlacedSection]: ...
    def __getitem__(self, index: int | slice) -> PlacedSection | Sequence[PlacedSection]:
        if isinstance(index, slice):
            return _Sections(self._found, self._numbers[index])
        return self._found.section(self._numbers[index])

    def __len__(self) -> int:
        return len(self._numbers)
