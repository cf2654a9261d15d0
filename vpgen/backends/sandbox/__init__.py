"""Look-alikes of the vendors' APIs on loopback: same paths, fields, states, errors and bills, with drawn media.

`vpgen sandbox` serves them; in a test, `with Sandbox(speed=200) as sandbox: ... sandbox.url`. Nothing here ever
opens a connection, but for webhooks to this machine.
"""

from vpgen.backends.sandbox.serve import Sandbox, bound, serve
from vpgen.backends.sandbox.settings import SandboxSettings

__all__ = ["Sandbox", "SandboxSettings", "bound", "serve"]
