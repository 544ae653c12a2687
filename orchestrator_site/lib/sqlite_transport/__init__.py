"""A kombu transport over one SQLite file: `sqlitebroker://` is known once this is imported.

The file is named by `transport_options={"path": …}` or by the URL, which wins:
`sqlitebroker:////var/lib/site/broker.sqlite3`. Further options, all in seconds: `polling_interval`
(0.1; how often a consumer looks when no doorbell rang), `visibility_timeout` (30; after so long
the messages of a dead consumer are given to another) and `busy_timeout` (5; how long to wait for
another process's write). All processes on one file must give the same `visibility_timeout`.
"""

from __future__ import annotations

from kombu.transport import TRANSPORT_ALIASES

from orchestrator_site.lib.sqlite_transport.file import BrokerFileError

__all__ = ["BrokerFileError"]

TRANSPORT_ALIASES["sqlitebroker"] = "orchestrator_site.lib.sqlite_transport.transport:Transport"
