"""``python -m calserver.cli``: the same as ``calserver``."""

from calserver.cli import main

main()
