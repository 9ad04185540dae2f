"""Reads untrusted files in a boxed child process: no network, no writing, bounded memory, time and output.

`client.Sandbox` is the door. The front imports it and `readers.model`, never a reader: those live in `reader_process`.
"""
