"""Pure pixels: bytes and Pillow in, bytes and plain values out. No web, database, disk or settings."""
