"""Installs the daemon (interpreter, packages, model, service) and the entries in clients' configuration files."""
