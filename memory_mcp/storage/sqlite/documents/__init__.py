"""Documents, the jobs that read them and the watched folders, in the tables that no memory knows of."""
