/** A bridge as `src/daemon.ts` composes it, with a scripted Asterisk, and without HTTP, control socket and metrics. */
import { randomBytes } from 'node:crypto'
import { Bridge } from '../../src/bridge/bridge.js'
import type { Command } from '../../src/bridge/commands.js'
import type { BridgeEvent } from '../../src/bridge/events.js'
import type { Overview } from '../../src/bridge/overview.js'
import { DeadlineTimer } from '../../src/deadline.js'
import { Journal } from '../../src/journal/journal.js'
import { ClusterEdge } from '../../src/pubsub/cluster.js'
import { XmppConnection } from '../../src/xmpp/connection.js'
import type { MemberPlan } from './messages.js'
import { ScriptedAsterisk } from './scripted-asterisk.js'

const ignore = (): void => undefined
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore }
const anything = { publish: true, subscribe: true, isShared: () => true }

/** The defaults of `liveness`. */
const liveness = {
  heartbeatMs: 10_000,
  deadAfterMs: 30_000,
  graceMs: 5_000,
  staleAfterMs: 60_000,
  membersMs: 60_000,
  auditMs: 300_000,
}

export class SwarmMember {
  readonly asterisk: ScriptedAsterisk
  /** How often a peer was taken for dead, or its states for stale. */
  deaths = 0
  readonly #bridge: Bridge
  readonly #cluster: ClusterEdge
  readonly #connection: XmppConnection
  readonly #journal: Journal
  readonly #events: BridgeEvent[] = []
  #isOwned = false
  readonly #deadline = new DeadlineTimer({
    onPassed: () => this.#post({ type: 'DeadlinePassed' }),
    onStall: ignore,
  })

  constructor(readonly plan: MemberPlan) {
    const { jid, eid, service, pubsub, caFile, password, stateDir, devices } = plan
    const post = (event: BridgeEvent): void => this.#post(event)
    this.asterisk = new ScriptedAsterisk(devices, post)
    this.#journal = new Journal(stateDir, { warn: ignore, lost: ignore, failed: ignore })
    this.#journal.write()
    this.#bridge = new Bridge({
      settings: {
        jid,
        eid,
        name: eid,
        version: 'bench',
        service: pubsub,
        share: { device_state: anything, message_waiting: anything },
        sharesUncachable: false,
        isClaimed: () => false,
        inspectors: [],
        isTrusted: () => true,
        liveness,
        limits: { namesPerMember: 20_000, names: 200_000 },
        lanes: 32,
      },
      journal: [],
      nowMs: performance.now(),
      random: Math.random,
      newEpoch: () => randomBytes(16).toString('hex'),
    })
    this.#connection = new XmppConnection({
      services: [service],
      jid,
      resource: eid,
      password: () => password,
      tls: { mode: 'required', caFile },
      silenceLimitMs: liveness.heartbeatMs,
      conflictWaitMs: liveness.staleAfterMs,
      log: silent,
    })
    this.#cluster = new ClusterEdge({
      connection: this.#connection,
      root: 'asterisk',
      service: pubsub,
      entityId: eid,
      jid,
      requestTimeoutMs: liveness.heartbeatMs,
      post,
      log: silent,
      count: ignore,
    })
  }

  get overview(): Overview {
    return this.#bridge.overview()
  }

  start(): void {
    this.#cluster.start()
    this.#connection.start()
    this.asterisk.start()
  }

  async stop(): Promise<void> {
    this.#deadline.stop()
    await this.#connection.stop()
    this.#journal.close()
  }

  #post(event: BridgeEvent): void {
    this.#events.push(event)
    if (this.#isOwned) return
    this.#isOwned = true
    for (let next = this.#events.shift(); next; next = this.#events.shift()) {
      this.#perform(this.#bridge.handle(next, performance.now()))
    }
    this.#isOwned = false
    this.#deadline.arm(this.#bridge.deadlineMs)
  }

  #perform(commands: readonly Command[]): void {
    for (const command of commands) {
      switch (command.to) {
        case 'asterisk':
          this.asterisk.perform(command)
          break
        case 'cluster':
          this.#cluster.perform(command)
          break
        case 'journal':
          if (command.do === 'add')
            this.#journal.add(command.eid, command.kind, command.id, command.isUncachable)
          else if (command.do === 'remove')
            this.#journal.remove(command.eid, command.kind, command.id)
          break
        case 'observe':
          if (command.do === 'log' && /^member is dead|are stale/.test(command.message)) {
            this.deaths++
          }
      }
    }
  }
}
