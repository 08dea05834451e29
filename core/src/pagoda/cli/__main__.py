"""``python -m pagoda.cli``: the `pagoda` command."""

import sys

from pagoda.cli import main

sys.exit(main())
