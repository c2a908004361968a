"""The schema's history, one file a step; `lti_server.migrate` runs it."""
