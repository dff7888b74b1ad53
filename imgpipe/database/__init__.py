"""Keep rows: the engine, the models, pages and walks through them."""
