import { bareJid } from '../xmpp/jid.js'
import type { PubsubService } from './service.js'
import { RequestTimeout, StanzaError } from '../xmpp/errors.js'
import { subscribe } from './subscribe.js'
import { subscriptions } from './subscriptions.js'

/**
 * The subscriptions of this stream's full JID, by service: read once a stream, as they outlive it on both servers, and
 * each subscribe makes Prosody rewrite the node (rule 17).
 */
export class HeldSubscriptions {
  private readonly byService = new Map<string, Promise<Set<string>>>()
  /** What was subscribed to on this stream, or tried to be. */
  private readonly wanted = new Set<string>()
  /** Of what is or was held: known to be gone, whatever the service lists. */
  private readonly gone = new Set<string>()
  /** Subscribes unless it is so already; throws as `subscribe` and `subscriptions` do. */
  async ensure(service: PubsubService, node: string, jid: string): Promise<void> {
    this.wanted.add(keyOf(service.service, node))
    const held = await this.read(service, jid)
    if (held.has(node) && !this.gone.has(keyOf(service.service, node))) return
    await this.renew(service, node, jid)
  }

  /**
   * Subscribes whatever the service says is held. COMPAT: Prosody goes on listing the subscriptions of a node that was
   * deleted, also when there is a new node of that name.
   */
  async renew(service: PubsubService, node: string, jid: string): Promise<void> {
    this.wanted.add(keyOf(service.service, node))
    await subscribe(service, node, jid)
    this.gone.delete(keyOf(service.service, node))
    const held = await this.byService.get(service.service)?.catch(() => undefined)
    held?.add(node)
  }

  /** Drops what is known of a service, so that it is read anew. */
  doubt(service: string): void {
    this.byService.delete(service)
  }

  /** Is this a service where something was subscribed, or tried to be? */
  knows(service: string): boolean {
    return this.byService.has(service)
  }

  /** The subscription is gone, or not to be relied on. */
  async forget(service: string, node: string): Promise<void> {
    const key = keyOf(service, node)
    // A service may name any number of nodes: only those that concern this stream are remembered.
    if (this.wanted.has(key)) this.gone.add(key)
    const held = await this.byService.get(service)?.catch(() => undefined)
    if (held?.delete(node)) this.gone.add(key)
  }

  /** The stream has ended. */
  clear(): void {
    this.byService.clear()
    this.wanted.clear()
    this.gone.clear()
  }

  private read(service: PubsubService, jid: string): Promise<Set<string>> {
    const known = this.byService.get(service.service)
    if (known !== undefined) return known
    const reading = readHeld(service, jid)
    this.byService.set(service.service, reading)
    reading.catch(() => {
      if (this.byService.get(service.service) === reading) this.byService.delete(service.service)
    })
    return reading
  }
}

function keyOf(service: string, node: string): string {
  return `${service}\0${node}`
}

/** Empty where the service does not tell: what is needed there is subscribed to anew. */
async function readHeld(service: PubsubService, jid: string): Promise<Set<string>> {
  try {
    const all = await subscriptions(service)
    return new Set(all.filter((each) => isSpelledAlike(each.jid, jid)).map(({ node }) => node))
  } catch (error) {
    // COMPAT: Prosody does not answer at all while a node that was subscribed to is deleted.
    if (error instanceof RequestTimeout) return new Set()
    if (error instanceof StanzaError && !error.isTemporary) return new Set()
    throw error
  }
}

/** Services fold the case of the bare JID, never of the resource. */
function isSpelledAlike(a: string, b: string): boolean {
  const isSameBare = bareJid(a).toLowerCase() === bareJid(b).toLowerCase()
  return isSameBare && a.slice(bareJid(a).length) === b.slice(bareJid(b).length)
}
