"""imgpipe: pictures in; thumbnails, metadata and a sentence of description out."""
