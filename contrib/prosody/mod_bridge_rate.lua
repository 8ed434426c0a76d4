-- Prosody 0.12 and 13: holds bridges to a rate of their own, in place of the one that mod_limits holds all clients to.
-- Put this file into /var/lib/prosody/custom_plugins/, "bridge_rate" beside "limits" into modules_enabled, and set:
--
--   bridge_rate_jids = { "pbx-a@example.org" }  -- the bridges' accounts
--   bridge_rate = 1000000                       -- octets a second, and so many at once; this is the default
--
-- A change of the list takes a restart of Prosody.

local add_filter = require "util.filters".add_filter
local now = require "util.time".now

local jids = module:get_option_set("bridge_rate_jids", {})
local rate = module:get_option_number("bridge_rate", 1000000)

-- Octets a read. All others wait while it is worked off, but what a read leaves over waits for a moment in which nothing comes of
-- anybody, which a busy server may not have for long. So of a bridge within its rate all is read that is usually there ...
local free_read = 262144
-- ... and little of one that sends more, until it has kept to its rate for so many seconds.
local held_read, held_for = 4096, 60
-- A stanza is work, however short it is: it counts as so many octets more.
local stanza_cost = 2048

local function hold_to_rate(session)
	local conn = session.conn
	local held_at
	local function hold(since)
		held_at = since
		conn:setlimit(since and rate or 0)
		conn:set_mode(since and held_read or free_read)
	end
	hold(nil)

	-- A bucket that fills at the rate, up to the octets of a second.
	local left, at = rate, now()
	local function spend(octets)
		local before = at
		at = now()
		left = math.min(rate, left + math.max(0, at - before) * rate)
		left = math.max(-rate, left - octets)
		if left < 0 then
			hold(at)
		elseif held_at and math.abs(at - held_at) > held_for then
			hold(nil)
		end
	end
	add_filter(session, "bytes/in", function (bytes)
		spend(#bytes)
		return bytes
	end)
	add_filter(session, "stanzas/in", function (stanza)
		spend(stanza_cost)
		return stanza
	end)
end

-- After mod_limits, which knows a rate for all clients, and none for some (unlimited_jids).
module:hook("authentication-success", function (event)
	local session = event.session
	local conn = session.conn
	if jids:contains(session.username .. "@" .. session.host) and conn and conn.setlimit and conn.set_mode then
		hold_to_rate(session)
	end
end, -1)
