"""The door for every server: ``gunicorn wsgi:app``, ``flask --app wsgi …``, ``python wsgi.py``."""

import os
import sys

from imgpipe import create_app, shutdown
from imgpipe.errors import ConfigError

try:
    app = create_app()
except ConfigError as error:
    sys.exit(str(error))

if app.extensions["imgpipe"].settings.jobs == "celery":  # else Celery would find nothing, and try any broker
    celery = app.extensions["imgpipe"].jobs.celery  # celery -A wsgi.celery worker -Q render,caption

if not shutdown.under_gunicorn():  # which has signals, and hooks, of its own
    shutdown.on_signals(app)

if __name__ == "__main__":
    import init_db

    if status := init_db.main():
        sys.exit(status)
    settings = app.extensions["imgpipe"].settings
    app.run(settings.host, settings.port, threaded=True, debug=os.environ.get("FLASK_DEBUG") == "1")
