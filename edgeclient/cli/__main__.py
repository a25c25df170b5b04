"""`python -m edgeclient.cli`: the same as the command `edgeclient`."""

import sys

from . import main

sys.exit(main())
