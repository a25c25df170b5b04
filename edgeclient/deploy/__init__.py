"""Projects that put the proxy logic at the edge: token check, exact cache, forwarding, in a vendor's own form.

A project is a folder below `projects/`, copied as it is: what differs between users stands in the vendor's settings and
secrets, never in the code. Writes files; sends nothing.
"""

from .writing import PROJECTS, DeployError, Project, write

__all__ = ["PROJECTS", "DeployError", "Project", "write"]
