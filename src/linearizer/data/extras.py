"""The old place of `needs_extra`."""

from linearizer._extras import needs_extra

__all__ = ["needs_extra"]
