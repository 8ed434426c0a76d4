/**
 * Who may read the own nodes: brings the affiliations, the access model and the subscriptions of each to what is wanted. One
 * request is under way at a time, and it carries all that has come up meanwhile: where many members start at once they cost few.
 */
import type { Failure } from '../bridge/events.js'
import { bareJid } from '../xmpp/jid.js'
import { StanzaError } from '../xmpp/errors.js'
import { type Affiliation, affiliations } from './affiliations.js'
import { configureNode } from './configure-node.js'
import { dismissSubscribers } from './dismiss-subscribers.js'
import { toFailure } from './failure.js'
import { NodeMisconfigured } from './make-node.js'
import { nodeConfiguration } from './node-configuration.js'
import type { OwnNode } from './own-nodes.js'
import type { PubsubService } from './service.js'
import { setAffiliations } from './set-affiliations.js'
import { subscribers } from './subscribers.js'

/** Bare JIDs in lower case, as services fold them. */
export interface FoundReaders {
  /** May read the feed. */
  readonly readers: readonly string[]
  /** Are subscribed to one of the nodes. */
  readonly subscribers: readonly string[]
}

export interface OwnReadersOptions {
  readonly service: PubsubService
  /** Bare JID of the own account, which owns the nodes. */
  readonly jid: string
  /** These may read the feed, and with `isWhole` the other nodes too, and nobody else. */
  readonly onSet: (readers: readonly string[], isWhole: boolean) => void
  readonly onFailed: (failure: Failure) => void
}

/** What a node was last seen with. */
interface NodeReaders {
  readonly own: OwnNode
  isOpen: boolean
  /** Bare JIDs that are affiliated as `member`. */
  affiliated: ReadonlySet<string>
  /** Bare JIDs that are affiliated otherwise, as owners are: they are left alone. */
  readonly settled: ReadonlySet<string>
  /** Full or bare JIDs; `undefined` where they have to be asked for. */
  subscribed: readonly string[] | undefined
}

/** The access model of a node that only those read who are named (XEP-0060 §4.5). */
const closed = 'whitelist'

/** How a service says of a subscription to be ended that it is not there: Prosody 0.12, ejabberd 23.01. */
const notSubscribed: ReadonlySet<string> = new Set(['unexpected-request', 'bad-request'])

export class OwnReaders {
  /** The feed first: it is what members wait for. */
  #nodes: NodeReaders[] = []
  #wanted: readonly string[] = []
  /** What was last told. */
  #told: readonly string[] | undefined
  #draining: Promise<void> = Promise.resolve()
  #isDraining = false
  /** Counts looks and ends of streams: what was under way for an earlier one says nothing any more. */
  #run = 0

  constructor(private readonly options: OwnReadersOptions) {}

  /** Looks at nodes that were just made or found, the feed first; `set` is to follow. Throws as the verbs do. */
  async look(nodes: readonly OwnNode[]): Promise<FoundReaders> {
    this.clear()
    const run = this.#run
    // Its request may still be changing what is read here.
    await this.#draining
    const found = await Promise.all(nodes.map((own) => this.#read(own)))
    if (run === this.#run) this.#nodes = found
    return {
      readers: [...(found[0]?.affiliated ?? []), ...(found[0]?.settled ?? [])],
      subscribers: [...new Set(found.flatMap((node) => (node.subscribed ?? []).map(foldedBare)))],
    }
  }

  /** These bare JIDs may read the own nodes from now on, and nobody else but their owner. */
  set(readers: readonly string[]): void {
    this.#wanted = readers
    this.#told = undefined
    if (!this.#isDraining) this.#draining = this.#drain()
  }

  /** The stream has ended, or the nodes are looked at anew. */
  clear(): void {
    this.#run += 1
    this.#nodes = []
  }

  async #read(own: OwnNode): Promise<NodeReaders> {
    const { service } = this.options
    const isOpen = own.accessModel !== closed
    if (own.isNew) {
      return { own, isOpen, affiliated: new Set(), settled: new Set(), subscribed: [] }
    }
    const [named, subscribed] = await Promise.all([
      affiliations(service, own.node),
      subscribers(service, own.node),
    ])
    const [affiliated, settled] = [true, false].map(
      (isMember) =>
        new Set(
          named
            .filter(({ affiliation }) => (affiliation === 'member') === isMember)
            .map(({ jid }) => foldedBare(jid)),
        ),
    ) as [Set<string>, Set<string>]
    return { own, isOpen, affiliated, settled, subscribed }
  }

  async #drain(): Promise<void> {
    const run = this.#run
    this.#isDraining = true
    try {
      while (run === this.#run && this.#nodes.length > 0) {
        const node = this.#nodes.find((each) => this.#isDue(each))
        this.#tell(node)
        if (!node) return
        await this.#mend(node)
      }
    } catch (error) {
      if (run !== this.#run) return
      // What was done of it is seen when the nodes are looked at again.
      this.clear()
      this.options.onFailed(toFailure('set who may read the own pubsub nodes', error))
    } finally {
      // At once, so that what is wanted from now on is not left to a loop that has ended.
      this.#isDraining = false
    }
  }

  /** Once for what is wanted when the feed is as wanted, and once when all are. */
  #tell(due: NodeReaders | undefined): void {
    const isWhole = due === undefined
    if (due === this.#nodes[0] || (this.#told === this.#wanted && !isWhole)) return
    this.#told = this.#wanted
    this.options.onSet(this.#wanted, isWhole)
  }

  #isDue(node: NodeReaders): boolean {
    return (
      node.isOpen ||
      this.#changes(node).length > 0 ||
      node.subscribed === undefined ||
      this.#strangers(node, node.subscribed).length > 0
    )
  }

  /** Who may read is named before the node is closed, so that no subscription of theirs ends with it. */
  async #mend(node: NodeReaders): Promise<void> {
    const { service } = this.options
    const name = node.own.node
    const changes = this.#changes(node)
    if (changes.length > 0) {
      await setAffiliations(service, name, changes)
      node.affiliated = changed(node.affiliated, changes)
      // Both servers go on telling whose affiliation was taken away.
      if (changes.some(({ affiliation }) => affiliation === 'none')) node.subscribed = undefined
    } else if (node.isOpen) {
      await close(service, name)
      node.isOpen = false
      node.subscribed = undefined
    } else {
      await this.#dismissStrangers(node)
    }
  }

  async #dismissStrangers(node: NodeReaders): Promise<void> {
    const { service } = this.options
    const name = node.own.node
    const subscribed = await subscribers(service, name)
    const strangers = this.#strangers(node, subscribed)
    if (strangers.length > 0) await dismiss(service, name, strangers)
    node.subscribed = subscribed.filter((jid) => !strangers.includes(jid))
  }

  #changes({ affiliated, settled }: NodeReaders): Affiliation[] {
    const wanted = new Set(this.#wanted)
    return [
      ...this.#wanted
        .filter((jid) => !affiliated.has(jid) && !settled.has(jid))
        .map((jid) => ({ jid, affiliation: 'member' })),
      ...[...affiliated]
        .filter((jid) => !wanted.has(jid))
        .map((jid) => ({ jid, affiliation: 'none' })),
    ]
  }

  #strangers({ settled }: NodeReaders, subscribed: readonly string[]): string[] {
    const readers = new Set([...this.#wanted, ...settled, this.options.jid])
    return subscribed.filter((jid) => !readers.has(foldedBare(jid)))
  }
}

/** Throws `NodeMisconfigured` where the service leaves it open. */
async function close(service: PubsubService, node: string): Promise<void> {
  await configureNode(service, node, { 'pubsub#access_model': closed })
  const accessModel = (await nodeConfiguration(service, node)).get('pubsub#access_model')
  if (accessModel !== closed) {
    throw new NodeMisconfigured(node, [`pubsub#access_model=${accessModel ?? ''}`])
  }
}

/** One by one where one of them was gone already: the service stops at that one. */
async function dismiss(
  service: PubsubService,
  node: string,
  jids: readonly string[],
): Promise<void> {
  try {
    await dismissSubscribers(service, node, jids)
  } catch (error) {
    if (!isNotSubscribed(error)) throw error
    if (jids.length === 1) return
    for (const jid of jids) await dismiss(service, node, [jid])
  }
}

function isNotSubscribed(error: unknown): boolean {
  return error instanceof StanzaError && notSubscribed.has(error.condition)
}

function changed(
  affiliated: ReadonlySet<string>,
  changes: readonly Affiliation[],
): ReadonlySet<string> {
  const after = new Set(affiliated)
  for (const { jid, affiliation } of changes) {
    if (affiliation === 'none') after.delete(jid)
    else after.add(jid)
  }
  return after
}

function foldedBare(jid: string): string {
  return bareJid(jid).toLowerCase()
}
