"""``python -m pipeline`` is ``manyheads``."""

import sys

from pipeline.cli.main import main

sys.exit(main())
