-- For tests: when a file appears, the pubsub component forgets its nodes and subscriptions without a word to anybody, as
-- after the loss of its store. Whoever makes the file has deleted the store's own files.
local modulemanager = require "core.modulemanager";

local host = module.host;
local file = module:get_option_string("lose_pubsub_store_when");

module:add_timer(0.1, function ()
	if os.remove(file) then
		-- A reload would carry the nodes over.
		modulemanager.unload(host, "pubsub");
		modulemanager.load(host, "pubsub");
		module:log("info", "the pubsub store is lost");
	end
	return 0.1;
end);
