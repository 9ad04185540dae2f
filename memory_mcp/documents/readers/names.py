"""Media types of text by the names of files; other formats are told by their content alone."""

from __future__ import annotations

from typing import Final

SOURCE: Final = "text/x-source"
"""Our name for code of any language."""

_SUFFIXES: Final = {
    "text/markdown": ".md .markdown .mdown .mkd .mdx .qmd .rmd",
    "text/html": ".html .htm .xhtml .xht .shtml",
    "text/csv": ".csv .tsv .psv",
    "application/json": ".json .geojson .jsonc .webmanifest",
    "application/jsonl": ".jsonl .ndjson",
    "application/x-ipynb+json": ".ipynb",
    "message/rfc822": ".eml",
    "application/mbox": ".mbox .mbx",
    "text/plain": ".txt .text .rst .adoc .org .tex .log .srt .vtt .xml .yaml .yml .toml .ini .cfg .conf .po",
    SOURCE: (
        ".py .pyi .pyx .js .mjs .cjs .jsx .ts .tsx .mts .vue .svelte .java .kt .kts .scala .groovy .c .h .cc .cpp .cxx "
        ".hpp .hh .m .mm .cs .fs .vb .go .rs .swift .dart .rb .php .pl .pm .lua .r .jl .ex .exs .erl .hrl .hs .ml .mli "
        ".clj .cljs .el .lisp .scm .sh .bash .zsh .fish .ps1 .bat .sql .proto .graphql .css .scss .sass .less .zig "
        ".nim .sol .tf .cmake .mk .gradle .asm .s .v .sv .vhd .f90 .pas .d"
    ),
}
BY_SUFFIX: Final = {suffix: kind for kind, suffixes in _SUFFIXES.items() for suffix in suffixes.split()}
BY_NAME: Final = {
    "makefile": SOURCE,
    "dockerfile": SOURCE,
    "rakefile": SOURCE,
    "gemfile": SOURCE,
    "jenkinsfile": SOURCE,
    "cmakelists.txt": SOURCE,
}
TEXTS: Final = frozenset(_SUFFIXES)
"""What a sender's word is taken for, where neither content nor name tells."""
