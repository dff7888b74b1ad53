"""Create the database or bring it up to date; safe to run twice, and by several at once."""

import sys

from flask_migrate import upgrade
from sqlalchemy.exc import OperationalError

from imgpipe import create_app
from imgpipe.database.engine import db
from imgpipe.errors import ConfigError


def main() -> int:
    """Upgrade to the newest schema; a faulty configuration is told in one line a fault."""
    try:
        app = create_app()
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    with app.app_context():
        try:
            db.engine.connect().close()
        except OperationalError as error:
            reason = str(error.orig).splitlines()[0]
            print(f"DATABASE_URL=(hidden): expected a database that answers ({reason})", file=sys.stderr)
            return 1
        upgrade()
    return 0


if __name__ == "__main__":
    sys.exit(main())
