"""``python -m pipeline`` is ``manyheads``."""

import sys

from pipeline.cli import main

sys.exit(main())
