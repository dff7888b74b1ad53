"""Create the database or bring it up to date; safe to run twice, and by several at once."""

from imgpipe.__main__ import main

if __name__ == "__main__":
    main(["db", "upgrade"])
