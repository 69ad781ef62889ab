"""Tries to break the product, and writes down what came of it: `python -m hardening` makes docs/reliability.md.

Each chapter is a module of `chapters/` with `run(scale)`; tests/hardening runs most of them on a small scale. See
`__main__.py`.
"""
