"""`python -m benchmarks.speed`."""

import signal
import sys

from benchmarks.speed.driver import main

# As an exit, it passes through whoever waits for a side, and that side ends too.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
sys.exit(main())
