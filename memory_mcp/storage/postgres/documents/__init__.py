"""Documents, jobs and watched folders."""
