-- Documents are counted, indexed and searched apart from the other memories of their namespace (partitions.py): a row is a
-- partition, and `namespace` its name. What is there is moved by writes.py. The table has a new name so that an earlier
-- version that has the file open fails and says so: it would find no documents any more, in silence.
ALTER TABLE namespaces RENAME TO partitions;
