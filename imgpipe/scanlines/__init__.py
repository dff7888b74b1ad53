"""Turn CSV bytes into rows of grey, and rows into pictures; nothing of Flask, database or disk."""
