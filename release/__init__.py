"""A release, tried dry: everything but the upload (`make release`)."""
