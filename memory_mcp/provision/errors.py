"""Errors of provisioning."""

from __future__ import annotations

from memory_mcp.domain.errors import Code, MemoryMcpError


class ProvisionError(MemoryMcpError):
    """A step of the installation failed; the message names the step and the fix."""

    code = Code.PROVISION
