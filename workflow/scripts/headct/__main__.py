"""``python -m headct STEP …``, the same as ``headct STEP …``."""

from headct.run.command import main

main()
