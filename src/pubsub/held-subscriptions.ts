import { bareJid } from '../xmpp/jid.js'
import { RequestTimeout, StanzaError } from '../xmpp/errors.js'
import type { Log } from '../xmpp/connection.js'
import type { PubsubService } from './service.js'
import { subscribe } from './subscribe.js'
import { subscriptions } from './subscriptions.js'

/**
 * What is known of a subscription. `gone`: known to have ended, whatever the service lists; `released`: this bridge has ended it.
 * A symbol stands for one subscribe that is under way: its answer counts only while nothing else has come.
 */
type Standing = 'unknown' | 'held' | 'gone' | 'released' | symbol

/** To ask saves the service a write: it is not worth a longer wait, ms. */
const mostWaitMs = 2_000

/**
 * The subscriptions of this stream's full JID, by service and node. They outlive the stream on both servers, and each subscribe makes
 * Prosody rewrite the node: so each is asked for once a stream, and made where it is missing (rule 17).
 */
export class HeldSubscriptions {
  /** Only what was wanted on this stream: a service may name any number of nodes. */
  private readonly standings = new Map<string, Map<string, Standing>>()

  constructor(private readonly log: Log) {}

  /** Subscribes unless it is so already, or is released meanwhile; throws as `subscribe` and `subscriptions` do. */
  async ensure(service: PubsubService, node: string, jid: string): Promise<void> {
    const ofService = this.of(service.service)
    if (!ofService.has(node)) ofService.set(node, 'unknown')
    if (ofService.get(node) === 'unknown') {
      const isSubscribed = await this.isSubscribed(service, node, jid)
      // The unsubscribe has gone out: what were subscribed to after it would stay behind.
      if (ofService.get(node) === 'released') return
      // Meanwhile it may have gone.
      if (isSubscribed && ofService.get(node) === 'unknown') ofService.set(node, 'held')
    }
    if (ofService.get(node) !== 'held') await this.renew(service, node, jid)
  }

  /**
   * Subscribes whatever the service says is held. COMPAT: Prosody goes on listing the subscriptions of a node that was
   * deleted, also when there is a new node of that name.
   */
  async renew(service: PubsubService, node: string, jid: string): Promise<void> {
    const ofService = this.of(service.service)
    const asked = Symbol('asked')
    ofService.set(node, asked)
    await subscribe(service, node, jid)
    if (ofService.get(node) === asked) ofService.set(node, 'held')
  }

  /** What is held at a service is asked for anew. */
  doubt(service: string): void {
    const ofService = this.of(service)
    for (const [node, standing] of ofService) {
      if (standing === 'held') ofService.set(node, 'unknown')
    }
  }

  /** Is this a service where something was subscribed, or tried to be? */
  knows(service: string): boolean {
    return this.standings.has(service)
  }

  /** The subscription is gone, or not to be relied on. */
  forget(service: string, node: string): void {
    // The service says so of what was unsubscribed from, too.
    if (this.standings.get(service)?.get(node) !== 'released') this.change(service, node, 'gone')
  }

  /** It is not wanted any more, and the unsubscribe goes out now. */
  release(service: string, node: string): void {
    this.change(service, node, 'released')
  }

  /** The stream has ended. */
  clear(): void {
    this.standings.clear()
  }

  private change(service: string, node: string, standing: Standing): void {
    const ofService = this.standings.get(service)
    if (ofService?.has(node) === true) ofService.set(node, standing)
  }

  private of(service: string): Map<string, Standing> {
    const known = this.standings.get(service) ?? new Map<string, Standing>()
    this.standings.set(service, known)
    return known
  }

  /** `false` where the service does not tell: it is subscribed to anew then. */
  private async isSubscribed(
    { iq, service, timeoutMs }: PubsubService,
    node: string,
    jid: string,
  ): Promise<boolean> {
    const patient = { iq, service, timeoutMs: Math.min(timeoutMs, mostWaitMs) }
    try {
      const held = await subscriptions(patient, node)
      return held.some((each) => isSpelledAlike(each, jid))
    } catch (error) {
      if (error instanceof RequestTimeout) {
        this.log.info({ node, service }, 'not told whether subscribed: subscribing')
        return false
      }
      if (error instanceof StanzaError && !error.isTemporary) return false
      throw error
    }
  }
}

/** Services fold the case of the bare JID, never of the resource. */
function isSpelledAlike(a: string, b: string): boolean {
  const isSameBare = bareJid(a).toLowerCase() === bareJid(b).toLowerCase()
  return isSameBare && a.slice(bareJid(a).length) === b.slice(bareJid(b).length)
}
