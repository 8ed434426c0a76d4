/** What is published to Asterisk: injections go only to an Asterisk that has shown its password. */
import type { Failure } from '../../bridge/events.js'
import type { Kind } from '../../bridge/state.js'
import type { SipAgent } from './agent.js'
import { eventPackages } from './body.js'
import type { Clock } from './clock.js'
import type { Challenge } from './digest.js'
import type { Health } from './foreign-entity-id.js'
import type { Liveness } from './liveness.js'
import { Publication, type OnPublished, type PublicationPorts } from './publication.js'
import { tellRefusal } from './refusals.js'

export interface SipSecrets {
  /** The password that Asterisk shows the bridge, and its realm. */
  readonly toBridge: { readonly realm: string; readonly password: string }
  /** The password that the bridge shows Asterisk: in that realm only, or, without one, in any but the bridge's own. */
  readonly toAsterisk: { readonly realm?: string; readonly password: string }
}

export interface PublicationsPorts {
  readonly clock: Clock
  readonly uri: string
  readonly user: string
  readonly secrets: SipSecrets
  /** Did this side give that nonce? */
  readonly hasGiven: (nonce: string) => boolean
  readonly isRunning: () => boolean
  readonly liveness: Pick<Liveness, 'isHeard' | 'isProven'>
  readonly agent: () => Pick<SipAgent, 'request' | 'requestByDatagram'>
  readonly health: Health
}

/** `control`: refresh and fence, which never wait behind injections. `proof`: what the edge sends for itself. Else a lane. */
export type Use = 'control' | 'proof' | `lane-${number}`

/** Un-publishing may take this long at a stop. */
const farewellMs = 1_000

const unproven = 'Asterisk has not shown its password'

export class Publications {
  private readonly publications = new Map<string, Publication>()

  constructor(private readonly ports: PublicationsPorts) {}

  /** What all publications have in common. */
  get common(): Omit<PublicationPorts, 'send'> {
    const { clock, uri, user, secrets } = this.ports
    const isAnswerable = (challenge: Challenge): boolean => this.isAsterisks(challenge)
    return {
      clock,
      uri,
      credentials: { user, password: secrets.toAsterisk.password },
      isAnswerable,
    }
  }

  /** Sends a body. `onEnd` is called at once where Asterisk does not answer; of an injection, also where it is not proven. */
  publish(use: Use, kind: Kind, body: string, onEnd: OnPublished): void {
    const { liveness, isRunning, health } = this.ports
    const mayBeSent = isInjection(use) ? liveness.isProven : liveness.isHeard
    if (!isRunning() || !mayBeSent) {
      onEnd(lost(liveness.isHeard ? unproven : 'Asterisk does not answer'))
      return
    }
    this.take(use, kind).publish(body, (failure) => {
      if (!isInjection(use)) tellRefusal(health, failure)
      onEnd(failure)
    })
  }

  /** How many publishes Asterisk had taken before the last one of this publication, where its entity tag tells. */
  taken(use: Use, kind: Kind): Publication['taken'] {
    return this.publications.get(`${use}/${kind}`)?.taken
  }

  /** Asterisk is gone, and what it held; what waits fails. */
  reset(reason: string): void {
    for (const publication of this.publications.values()) publication.reset(lost(reason))
  }

  /** Un-publishes all, for at most 1 s. */
  async remove(): Promise<void> {
    const removals = [...this.publications.values()].map(
      (publication) => new Promise<void>((resolve) => publication.remove(() => resolve())),
    )
    let expire = (): void => undefined
    const bound = new Promise<void>((resolve) => {
      expire = resolve
    })
    const timer = this.ports.clock.after(farewellMs, () => expire())
    await Promise.race([Promise.all(removals), bound])
    timer.cancel()
  }

  private take(use: Use, kind: Kind): Publication {
    const key = `${use}/${kind}`
    const known = this.publications.get(key)
    if (known) return known
    const publication = new Publication(eventPackages[kind], {
      ...this.common,
      // A state that an injection gives may be another by then.
      isPatient: use === 'control',
      send: this.sender(use),
    })
    this.publications.set(key, publication)
    return publication
  }

  private sender(use: Use): PublicationPorts['send'] {
    const { liveness, agent } = this.ports
    if (use === 'proof') return (...request) => agent().requestByDatagram(...request)
    if (!isInjection(use)) return (...request) => agent().request(...request)
    return (request, onOutcome) => {
      // Also what is sent again: who holds Asterisk's port may be another by then.
      if (request.body === undefined || liveness.isProven) agent().request(request, onOutcome)
      else onOutcome({ type: 'abandoned', reason: unproven })
    }
  }

  /** Can that challenge be Asterisk's? A program on its port could pass on one of the bridge's own, to use the answer there. */
  private isAsterisks({ realm, nonce }: Challenge): boolean {
    const { secrets, hasGiven } = this.ports
    const { toBridge, toAsterisk } = secrets
    if (realm === toBridge.realm || hasGiven(nonce)) return false
    return toAsterisk.realm === undefined || realm === toAsterisk.realm
  }
}

function isInjection(use: Use): boolean {
  return use.startsWith('lane-')
}

function lost(reason: string): Failure {
  return { condition: 'asterisk-lost', reason, isTemporary: true }
}
