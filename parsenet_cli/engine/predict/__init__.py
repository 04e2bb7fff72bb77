"""What a trained network is used for: pictures of one's own, and the archive for VOC's evaluation server."""

from __future__ import annotations
