-- A Prosody (0.12 or 13) that serves hintbridge and nothing else: /etc/prosody/prosody.cfg.lua.
-- Debian: `apt-get install prosody lua-dbi-sqlite3`. Change the names, put mod_bridge_rate.lua, which lies beside this file, into
-- /var/lib/prosody/custom_plugins/ (make the folder), and the certificate into certs/ beside prosody.cfg.lua
-- (`prosodyctl --root cert import example.org FOLDER`), `prosodyctl check config`, restart, and
-- `prosodyctl adduser pbx-a@example.org` for each bridge. More, and a Prosody that serves others too: docs/xmpp-servers.md.

local domain = "example.org"
-- All bridges, those of servers to come too: a change of this list takes a restart.
local bridges = { "pbx-a@example.org", "pbx-b@example.org" }

pidfile = "/run/prosody/prosody.pid"
certificates = "certs"
log = { { levels = { min = "info" }, to = "console" } } -- systemd's journal

modules_enabled = { "disco", "saslauth", "tls", "ping", "time", "limits", "bridge_rate", "admin_shell", "posix" }
-- Bridges of one domain do not speak to other servers. Take it out where sites federate.
modules_disabled = { "s2s" }

authentication = "internal_hashed"
c2s_require_encryption = true

-- Strangers are held to Debian's usual rate. A bridge needs more, or lamps are late; without any limit one broken bridge could
-- stall the server for all.
limits = { c2s = { rate = "10kb/s" } }
bridge_rate_jids = bridges
bridge_rate = 1000000 -- octets a second, and so many at once

-- By default a change waits for the client's ACK of the one before.
network_settings = { nagle = false }
-- By default garbage is collected all the time (threshold 105), which is half of what a busy Prosody does.
gc = { mode = "incremental", threshold = 200 }

VirtualHost (domain)

Component ("pubsub." .. domain) "pubsub"
	admins = bridges -- who may create nodes
	expose_publisher = true -- peers check who published an item
	pubsub_max_items = 10000 -- how many devices of a server can be inspected
	-- The default store writes a whole node for each item, and all wait for it. Debian: lua-dbi-sqlite3.
	storage = "sql"
	sql = { driver = "SQLite3", database = "pubsub.sqlite" }
