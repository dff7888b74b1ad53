"""Serve with gunicorn: ``gunicorn wsgi:app`` reads this file; what it says stands in the package."""

from imgpipe.serving import *  # noqa: F403
