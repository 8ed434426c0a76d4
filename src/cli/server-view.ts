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
import type { IqSender, PubsubService } from '../pubsub/service.js'
import { StanzaError, XmppError } from '../xmpp/errors.js'
import type { Output } from './inspect.js'
import { openSession, requestTimeoutMs } from './session.js'

/** What is said of an answer that comes from there. */
const serverNote =
  'no bridge runs here: this is what the XMPP server has retained, for inspection. It may be behind, or cut off at the ' +
  "server's limit of items, and who is alive is not known. Start it with 'systemctl start hintbridge'."

export interface ServerMember {
  readonly item: MemberItem
  /** Missing where the nodes could not be read. */
  readonly entries?: readonly StateEntry[]
  /** Why its nodes could not be read. */
  readonly failure?: string
}

/** A member whose states are not known, as it is told to a script. */
export interface ServerFailure {
  /** Bare JID. */
  readonly member: string
  readonly failure: string
}

/** The members that an answer leaves out. */
export function failuresOf(members: readonly ServerMember[]): ServerFailure[] {
  return members.flatMap(({ item, failure }) =>
    failure === undefined ? [] : [{ member: item.id, failure }],
  )
}

/** Says where the answer comes from, and whom it leaves out. */
export function noteServer(members: readonly ServerMember[], { note }: Pick<Output, 'note'>): void {
  note(serverNote)
  for (const { item, failure } of members) {
    if (failure !== undefined) note(`${item.name} is left out: ${failure}`)
  }
}

const ignore = (): void => undefined
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore }

/** Reads the members that `trust` names, with what is retained of those kinds; throws an Error where the server does not let in. */
export async function readServer(config: Config, asked: readonly Kind[]): Promise<ServerMember[]> {
  const session = await openSession(config).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(
      `no bridge runs on ${config.stateDir} (start it with 'systemctl start hintbridge'), and the XMPP server cannot be asked ` +
        `in its place: ${reason}`,
      { cause: error },
    )
  })
  try {
    return await readCluster(config, asked, session)
  } finally {
    await session.close()
  }
}

/** The same over a session that is there. */
export async function readCluster(
  config: Pick<Config, 'cluster' | 'isTrusted'> & {
    readonly xmpp: Pick<Config['xmpp'], 'pubsub'>
  },
  asked: readonly Kind[],
  iq: IqSender,
): Promise<ServerMember[]> {
  const at = (service: string): PubsubService => ({ iq, service, timeoutMs: requestTimeoutMs })
  const refusals = new Refusals(silent, ignore)
  const { pubsub } = config.xmpp
  const node = membersNode(config.cluster)
  const items = await readMembers(at(pubsub), node, refusals).catch((error: unknown) => {
    throw explained(error, pubsub, node)
  })
  const members: ServerMember[] = []
  for (const item of items.filter(({ id }) => config.isTrusted(id))) {
    members.push(await readMember(config, item, asked, at(item.service), refusals))
  }
  return members.sort((one, other) => (one.item.name < other.item.name ? -1 : 1))
}

/** Why there is no list of members, in words for who has just set the first one up. */
function explained(error: unknown, pubsub: string, node: string): unknown {
  if (error instanceof StanzaError && error.condition === 'item-not-found') {
    return new Error(
      `no bridge has joined the cluster yet: ${pubsub} has no node ${node}. Start this one with 'systemctl start ` +
        `hintbridge'; where others run already, 'cluster' and 'xmpp.pubsub' must be the same as theirs`,
    )
  }
  return error instanceof XmppError
    ? new Error(`failed to read ${node} of ${pubsub}: ${error.message}`)
    : error
}

async function readMember(
  { cluster }: Pick<Config, 'cluster'>,
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
    return { item, failure: error instanceof Error ? error.message : String(error) }
  }
}
