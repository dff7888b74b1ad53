"""The door for every server: ``gunicorn wsgi:app``, ``flask --app wsgi …``, ``python wsgi.py``."""

import os
import sys

from imgpipe import startup, wsgi
from imgpipe.wsgi import app

if hasattr(wsgi, "celery"):
    celery = wsgi.celery  # celery -A wsgi.celery worker -Q render,caption

if __name__ == "__main__":
    with app.app_context():
        if status := app.cli.main(["db", "upgrade"], standalone_mode=False):
            sys.exit(status)
    settings = app.extensions["imgpipe"].settings
    print("imgpipe serves", startup.link(settings.host, settings.port))
    print(*startup.describe(settings), sep="\n")
    app.run(settings.host, settings.port, threaded=True, debug=os.environ.get("FLASK_DEBUG") == "1")
