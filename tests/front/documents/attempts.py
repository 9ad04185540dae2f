"""Readers for the tests of the sandbox."""
from memory_mcp.documents.readers.model import *
import os
def read(source):
    yield Header(title=source.name)
    yield Block(source.file.read().decode())
