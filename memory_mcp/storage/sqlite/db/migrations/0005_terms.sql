-- The index keeps the terms that it was given: a common word scores the memories that rare ones found by reading them.
DROP TABLE keyword_terms;
DROP TABLE keywords;
CREATE VIRTUAL TABLE keywords USING fts5 (terms, tokenize = "ascii tokenchars ':'");
CREATE VIRTUAL TABLE keyword_terms USING fts5vocab ('keywords', 'row');
