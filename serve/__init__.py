"""A local web page and REST service around prediction."""
