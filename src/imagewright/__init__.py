"""Build, judge and push container images: the digest that was judged is the digest that is pushed."""

__version__ = "0.1.0"
