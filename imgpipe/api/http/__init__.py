"""Do what no single route owns: bodies, files, links, errors, keys."""
