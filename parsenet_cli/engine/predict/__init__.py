"""What a trained network is used for: images of one's own, and the archive for VOC's evaluation server."""

from __future__ import annotations
