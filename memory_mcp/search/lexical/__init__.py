"""From texts to terms: words, stems, spellings and stop words; nothing here knows a database."""
