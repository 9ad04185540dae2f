"""Documents, the jobs that read them and the watched folders, for every store that speaks SQL."""
