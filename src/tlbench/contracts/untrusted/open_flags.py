"""Flags of `os.open` for files that may come from somebody else; 0 on systems that have no such flag."""

from __future__ import annotations

import os

BINARY = getattr(os, "O_BINARY", 0)
"""Windows would change line ends."""
NOT_INHERITED = getattr(os, "O_CLOEXEC", 0)
WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0)
"""A named pipe would block until it has another end."""
NO_LINK = getattr(os, "O_NOFOLLOW", 0)
"""A symbolic link is refused."""
READ = os.O_RDONLY | BINARY | NOT_INHERITED | WITHOUT_WAITING
APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | BINARY | NOT_INHERITED | WITHOUT_WAITING | NO_LINK
