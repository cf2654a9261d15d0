"""The page on which people compare clips: `Page` serves it in a notebook, `serve` from the command line.

booth.py    who is rating, and what each of them is being shown
app.py      HTTP: the page, its calls, the clips; only for this machine
serve.py    the socket and the server
static/     the page itself, without anything from elsewhere
"""

from vpgen.errors import MissingDependency

try:
    from vpgen.lab.rating.serve import Page, serve
except ImportError as error:
    raise MissingDependency(f"the rating page needs {error.name}", remedy="pip install 'vpgen[lab]'") from error

__all__ = ["Page", "serve"]
