import { randomInt } from 'node:crypto'
import { SipEdge } from '../asterisk/sip/edge.js'
import { TcpTransport } from '../asterisk/sip/tcp-transport.js'
import { fenceNonces } from '../bridge/commands.js'
import type { AsteriskEvent } from '../bridge/events.js'
import { kinds, type EntityId, type Kind } from '../bridge/state.js'
import { sipSecrets } from '../config/asterisk-side.js'
import type { SipConfig } from '../config/config.js'

/** What Asterisk did with a bridge that stood in for the one that does not run. */
export interface SipTrial {
  /** Why the port could not be had; nothing else is known then. */
  readonly bindFailure?: string
  readonly isFound: boolean
  readonly eid?: EntityId
  /** From the fence to its return, ms, of the kinds that came back (rule 1). */
  readonly fencesMs: Readonly<Partial<Record<Kind, number>>>
  /** What the edge complains of, with the remedy, by the key of the health problem. */
  readonly complaints: ReadonlyMap<string, string>
  /** Why a `refresh` was not taken, by kind. */
  readonly refusals: Readonly<Partial<Record<Kind, string>>>
}

/** Longer than whoever answers is given to prove to be Asterisk. */
const trialMs = 10_000
const ignore = (): void => undefined
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore }

/**
 * Listens where the bridge would, asks Asterisk for its states and sends each fence once, as the bridge does at its start. Asterisk's
 * states are not changed; the bridge asks for them again when it starts.
 */
export async function trySip(sip: SipConfig, eid: EntityId | undefined): Promise<SipTrial> {
  const trial = new Trial(sip, eid)
  try {
    await trial.start()
  } catch (error) {
    const bindFailure = error instanceof Error ? error.message : String(error)
    return { bindFailure, isFound: false, fencesMs: {}, complaints: new Map(), refusals: {} }
  }
  try {
    return await trial.outcome()
  } finally {
    await trial.stop()
  }
}

class Trial {
  readonly #edge: SipEdge
  readonly #complaints = new Map<string, string>()
  readonly #sent: Partial<Record<Kind, { readonly nonce: number; readonly atMs: number }>> = {}
  readonly #fencesMs: Partial<Record<Kind, number>> = {}
  readonly #refusals: Partial<Record<Kind, string>> = {}
  #isFound = false
  #settle: () => void = ignore

  constructor(sip: SipConfig, eid: EntityId | undefined) {
    this.#edge = new SipEdge({
      asterisk: sip.asterisk,
      listen: sip.listen,
      ...(sip.transport === 'tcp' && { stream: new TcpTransport(sip.asterisk) }),
      resource: sip.resource,
      secrets: sipSecrets(sip),
      allowNonLoopback: sip.insecure,
      ...(eid !== undefined && { entityId: eid }),
      onEntityIdLearnt: ignore,
      onEntityIdMoved: ignore,
      post: (event) => this.#take(event),
      health: (key, text) => {
        if (text === undefined) this.#complaints.delete(key)
        else this.#complaints.set(key, text)
      },
      log: silent,
      count: ignore,
    })
  }

  start(): Promise<void> {
    return this.#edge.start()
  }

  stop(): Promise<void> {
    return this.#edge.stop()
  }

  /** What is known when all fences are back, or time is up. */
  async outcome(): Promise<SipTrial> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, trialMs)
      this.#settle = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    const eid = this.#edge.entityId
    return {
      isFound: this.#isFound,
      ...(eid !== undefined && { eid }),
      fencesMs: this.#fencesMs,
      complaints: this.#complaints,
      refusals: this.#refusals,
    }
  }

  #take(event: AsteriskEvent): void {
    switch (event.type) {
      case 'AsteriskFound':
        this.#isFound = true
        this.#ask()
        return
      case 'RefreshAnswered':
        if (event.failure) this.#refusals[event.kind] = event.failure.reason
        else this.#sendFence(event.kind)
        return
      case 'FenceReturned': {
        const sent = this.#sent[event.kind]
        if (sent?.nonce !== event.nonce) return
        this.#fencesMs[event.kind] = performance.now() - sent.atMs
        if (kinds.every((kind) => this.#fencesMs[kind] !== undefined)) this.#settle()
        return
      }
      case 'StateReported':
      case 'RefreshRequested':
      case 'FenceFailed':
      case 'InjectionAnswered':
      case 'AsteriskVersionLearnt':
      case 'AsteriskLost':
        return
    }
  }

  #ask(): void {
    for (const kind of kinds) this.#edge.perform({ to: 'asterisk', do: 'refresh', kind, token: 1 })
  }

  #sendFence(kind: Kind): void {
    const nonce = randomInt(fenceNonces)
    this.#sent[kind] = { nonce, atMs: performance.now() }
    this.#edge.perform({ to: 'asterisk', do: 'fence', kind, nonce })
  }
}
