"""Tokens of an organisation's identity provider (OpenID Connect): their keys, their checks, what their claims grant."""
