"""The guarded child that decodes: `python -m toprock._decoder`, started by `toprock.video` alone.

It imports PyAV and the standard library only, so that it starts fast. It reads one job (a line of JSON) from
standard input, bounds itself by kernel limits, and writes messages to standard output: a kind (one byte), a
length (uint32) and a body. Kinds: I info, F frame, S sound, M media, P progress, D done, E error; I, D and E are JSON.
Standard input stays open as a leash: when the parent lets go of it, the kernel ends the child.
"""
