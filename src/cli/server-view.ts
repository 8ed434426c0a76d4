/**
 * What the XMPP server has retained of the cluster: the window that bridges write for whoever looks in. Servers cap it and
 * writers are behind now and then, so it is for the time when no bridge runs.
 */
import type { MemberItem } from '../bridge/messages.js'
import type { Kind, StateEntry } from '../bridge/state.js'
import type { Config } from '../config/config.js'
import { membersNode, windowNode } from '../nodes/names.js'
import { readMembers, readWindow } from '../pubsub/read-nodes.js'
import { Refusals } from '../pubsub/refusals.js'
import type { PubsubService } from '../pubsub/service.js'
import { openSession, requestTimeoutMs } from './session.js'

/** What is said of an answer that comes from there. */
export const serverNote =
  'no bridge runs here: this is what the XMPP server has retained, for inspection. It may be behind, or cut off at the ' +
  "server's limit of items, and who is alive is not known. Start it with 'systemctl start hintbridge'."

export interface ServerMember {
  readonly item: MemberItem
  /** Missing where the nodes were not asked for. */
  readonly entries?: readonly StateEntry[]
  /** Why its nodes could not be read. */
  readonly failure?: string
}

const ignore = (): void => undefined
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore }

/** Reads the members that `trust` names, with what is retained of those kinds; throws an Error where the server does not let in. */
export async function readServer(config: Config, asked: readonly Kind[]): Promise<ServerMember[]> {
  const session = await openSession(config)
  try {
    const at = (service: string): PubsubService => ({
      iq: session,
      service,
      timeoutMs: requestTimeoutMs,
    })
    const refusals = new Refusals(silent, ignore)
    const node = membersNode(config.cluster)
    const items = await readMembers(at(config.xmpp.pubsub), node, refusals)
    const members: ServerMember[] = []
    for (const item of items.filter(({ id }) => config.isTrusted(id))) {
      members.push(await readMember(config, item, asked, at(item.service), refusals))
    }
    return members.sort((one, other) => (one.item.name < other.item.name ? -1 : 1))
  } finally {
    await session.close()
  }
}

async function readMember(
  { cluster }: Config,
  item: MemberItem,
  asked: readonly Kind[],
  service: PubsubService,
  refusals: Refusals,
): Promise<ServerMember> {
  const { id: member, eid } = item
  const entries: StateEntry[] = []
  try {
    for (const kind of asked) {
      const node = windowNode(cluster, eid, kind)
      const found = await readWindow(service, { node, member, eid, kind }, refusals)
      entries.push(...found.entries)
    }
    return { item, entries }
  } catch (error) {
    return { item, entries, failure: error instanceof Error ? error.message : String(error) }
  }
}
