"""Servers: each request a session of its own, with middleware for ASGI and WSGI applications.

The request is the session's first event, each message that is received and sent is one more. At replay the application
is imported again and called with the recorded request: what it is told comes from the recording, and what it sends is
compared with it, as with any other crossing.
"""
