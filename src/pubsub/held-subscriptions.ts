import { bareJid } from '../xmpp/jid.js'
import type { PubsubService } from './service.js'
import { StanzaError } from '../xmpp/errors.js'
import { subscribe } from './subscribe.js'
import { subscriptions } from './subscriptions.js'

/**
 * The subscriptions of this stream's full JID, by service: read once a stream, as they outlive it on both servers, and
 * each subscribe makes Prosody rewrite the node (rule 17).
 */
export class HeldSubscriptions {
  private readonly byService = new Map<string, Promise<Set<string>>>()
  /** What was held where it is now in doubt. */
  private readonly doubted = new Map<string, Promise<Set<string>>>()

  /** `onVanished` is told of a subscription that was held and is gone without a word. */
  constructor(private readonly onVanished: (service: string, node: string) => void) {}

  /** Subscribes unless it is so already; throws as `subscribe` and `subscriptions` do. */
  async ensure(service: PubsubService, node: string, jid: string): Promise<void> {
    const held = await this.read(service, jid)
    if (held.has(node)) return
    await subscribe(service, node, jid)
    held.add(node)
  }

  /** Drops what is known of a service, so that it is read anew. */
  doubt(service: string): void {
    const held = this.byService.get(service)
    if (held === undefined) return
    this.doubted.set(service, held)
    this.byService.delete(service)
  }

  /** Is this a service where something was subscribed, or tried to be? */
  knows(service: string): boolean {
    return this.byService.has(service)
  }

  /** The subscription is gone, or not to be relied on. */
  async forget(service: string, node: string): Promise<void> {
    const held = await this.byService.get(service)?.catch(() => undefined)
    held?.delete(node)
  }

  /** The stream has ended. */
  clear(): void {
    this.byService.clear()
    this.doubted.clear()
  }

  private read(service: PubsubService, jid: string): Promise<Set<string>> {
    const known = this.byService.get(service.service)
    if (known !== undefined) return known
    const before = this.doubted.get(service.service)
    this.doubted.delete(service.service)
    const reading = readHeld(service, jid).then(async (held) => {
      for (const node of await vanished(before, held)) this.onVanished(service.service, node)
      return new Set(held)
    })
    this.byService.set(service.service, reading)
    reading.catch(() => {
      if (this.byService.get(service.service) === reading) this.byService.delete(service.service)
    })
    return reading
  }
}

/** What was held before and is not now; nothing where the service does not tell. */
async function vanished(
  before: Promise<Set<string>> | undefined,
  held: ReadonlySet<string> | undefined,
): Promise<string[]> {
  if (held === undefined) return []
  return [...((await before?.catch(() => undefined)) ?? [])].filter((node) => !held.has(node))
}

/** `undefined` where the service does not tell: what is needed there is subscribed to anew. */
async function readHeld(
  service: PubsubService,
  jid: string,
): Promise<ReadonlySet<string> | undefined> {
  try {
    const all = await subscriptions(service)
    return new Set(all.filter((each) => isSpelledAlike(each.jid, jid)).map(({ node }) => node))
  } catch (error) {
    if (error instanceof StanzaError && !error.isTemporary) return undefined
    throw error
  }
}

/** Services fold the case of the bare JID, never of the resource. */
function isSpelledAlike(a: string, b: string): boolean {
  const isSameBare = bareJid(a).toLowerCase() === bareJid(b).toLowerCase()
  return isSameBare && a.slice(bareJid(a).length) === b.slice(bareJid(b).length)
}
