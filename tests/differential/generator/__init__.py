"""Generates apps for the differential test: graphs of every supported node type, with their inputs."""
