"""Looks into a cluster with slixmpp and its XEP-0060 plugin, as an administrator would: lists the nodes, reads an item by
its device name, subscribes, and shows what comes. One JSON object a line; ends when standard input does.

Usage: look.py HOST PORT CA_FILE JID PASSWORD SERVICE ROOT EID DEVICE
"""
import asyncio
import json
import sys

from slixmpp import ClientXMPP

host, port, ca_file, jid, password, service, root, eid, device = sys.argv[1:]
device_states = f"{root}/{eid}/device_state"
feed = f"{root}/{eid}/feed"


def say(**fields):
    print(json.dumps(fields), flush=True)


def payload_of(item):
    payload = item["payload"]
    return {
        "id": item["id"],
        "name": payload.tag,
        "attributes": dict(payload.attrib),
        "text": payload.text or "",
        "children": [[child.tag, dict(child.attrib), child.text] for child in payload],
    }


class Looker(ClientXMPP):
    def __init__(self):
        super().__init__(jid, password)
        self.ca_certs = ca_file
        self.register_plugin("xep_0030")
        self.register_plugin("xep_0060")
        self.add_event_handler("session_start", self.look)
        self.add_event_handler("failed_all_auth", lambda _: sys.exit("not let in"))
        self.add_event_handler("pubsub_publish", self.show)

    async def look(self, _event):
        self.send_presence()
        pubsub = self["xep_0060"]
        nodes = await pubsub.get_nodes(service)
        say(nodes=[node for _jid, node, _name in nodes["disco_items"]["items"]])
        found = await pubsub.get_item(service, device_states, device)
        say(found=[payload_of(item) for item in found["pubsub"]["items"]["substanzas"]])
        for node in (device_states, feed):
            await pubsub.subscribe(service, node)
        say(subscribed=[device_states, feed])

    def show(self, message):
        items = message["pubsub_event"]["items"]
        for item in items["substanzas"]:
            say(node=items["node"], item=payload_of(item))


async def until_stdin_ends():
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


looker = Looker()
looker.connect((host, int(port)))
looker.loop.run_until_complete(until_stdin_ends())
looker.disconnect()
looker.loop.run_until_complete(looker.disconnected)
