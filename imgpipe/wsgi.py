"""Build the app for a server: ``gunicorn imgpipe.wsgi:app``, or by the checkout's door, ``wsgi:app``."""

import gc
import sys

from imgpipe import create_app, shutdown
from imgpipe.errors import ConfigError

gc.disable()  # an app stays as well
try:
    app = create_app()
except ConfigError as error:
    sys.exit(str(error))

if app.extensions["imgpipe"].settings.jobs == "celery":  # else Celery would find nothing, and try any broker
    celery = app.extensions["imgpipe"].jobs.celery

if not shutdown.under_gunicorn():  # which has signals, and hooks, of its own
    shutdown.on_signals(app)

gc.freeze()
gc.enable()
