"""`python -m toprock`: the command line."""

from toprock.cli import main

if __name__ == "__main__":
    main()
