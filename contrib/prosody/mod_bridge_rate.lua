-- Prosody 0.12 and 13: holds bridges to a rate of their own, in place of the one that mod_limits holds all clients to.
-- Put this file into /var/lib/prosody/custom_plugins/, "bridge_rate" beside "limits" into modules_enabled, and set:
--
--   bridge_rate_jids = { "pbx-a@example.org" }  -- the bridges' accounts
--   bridge_rate = 3000000                       -- octets a second; this is the default
--
-- A change of the list takes a restart of Prosody.

local jids = module:get_option_set("bridge_rate_jids", {})
local rate = module:get_option_number("bridge_rate", 3000000)

-- After mod_limits, which knows a rate for all clients, and none for some (unlimited_jids).
module:hook("authentication-success", function (event)
	local session = event.session
	if jids:contains(session.username .. "@" .. session.host) and session.conn and session.conn.setlimit then
		session.conn:setlimit(rate)
	end
end, -1)
