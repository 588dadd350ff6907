"""What app.py puts around Streamlit."""

from starlette.middleware import Middleware

from bnviz.live.address import ServerAddress
from bnviz.live.admission import Admission, most_pages
from bnviz.live.owner import OwnerCookie
from bnviz.live.preload import Preload


def middleware() -> list[Middleware]:
    """The outermost first: who is not let in needs no cookie."""
    return [
        Middleware(Admission, most_pages=most_pages()),
        Middleware(OwnerCookie),
        Middleware(Preload),
        Middleware(ServerAddress),
    ]
