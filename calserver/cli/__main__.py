"""``python -m calserver.cli``: the same as ``calserver``."""

from calserver.cli import main

if __name__ == "__main__":
    main()
