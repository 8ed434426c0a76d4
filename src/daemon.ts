/** The composition root: puts the bridge between its edges, starts them in order and stops them in reverse. */
import { randomBytes } from 'node:crypto'
import { SipEdge } from './asterisk/sip/edge.js'
import { TcpTransport } from './asterisk/sip/tcp-transport.js'
import { Bridge } from './bridge/bridge.js'
import type { Command } from './bridge/commands.js'
import type { BridgeSettings } from './bridge/context.js'
import type { BridgeEvent } from './bridge/events.js'
import type { EntityId } from './bridge/state.js'
import { readVersion } from './version.js'
import { sipSecrets } from './config/asterisk-side.js'
import type { Config } from './config/config.js'
import { oneSecretKey, oneSecretRemedy, oneSecretText } from './config/one-secret.js'
import { DeadlineTimer } from './deadline.js'
import { Mechanisms } from './journal/mechanisms.js'
import { StateDir } from './journal/state-dir.js'
import { membersNode } from './nodes/names.js'
import type { ForgetAnswer } from './observe/api.js'
import { ControlServer } from './observe/control.js'
import { Events } from './observe/events.js'
import { nothingKept, whomToForget } from './observe/forget.js'
import { gaugesOf } from './observe/gauges.js'
import { Health } from './observe/health.js'
import { HttpServer } from './observe/http.js'
import type { Log } from './observe/logger.js'
import { Inspector } from './observe/inspector.js'
import { Metrics } from './observe/metrics.js'
import { Observer } from './observe/observer.js'
import { RefusalLog } from './observe/refusal-log.js'
import { BadRequest } from './observe/respond.js'
import { apiRoutes } from './observe/routes.js'
import type { Pulse } from './observe/service-manager.js'
import { ClusterEdge } from './pubsub/cluster.js'
import { XmppConnection } from './xmpp/connection.js'

/** What is due may be late by this, ms: a process that stood still reads what came meanwhile first. */
const overdueLimitMs = 5_000
/** Whoever asks to `forget` waits for this, ms, until the server has retracted the item. */
const retractMs = 3_000

export class Daemon {
  /** Settles when the service has left for good, whatever it could not withdraw; rejects where it failed. */
  readonly finished: Promise<void>
  #config: Config
  readonly #log: Log
  readonly #health = new Health()
  readonly #metrics: Metrics
  readonly #refusals = new RefusalLog()
  readonly #inspector: Inspector
  readonly #watchers: Events
  #isWatched = false
  readonly #observer: Observer
  #stateDir: StateDir | undefined
  #sip: SipEdge | undefined
  #connection: XmppConnection | undefined
  #cluster: ClusterEdge | undefined
  #bridge: Bridge | undefined
  #http: HttpServer | undefined
  #control: ControlServer | undefined
  readonly #events: BridgeEvent[] = []
  #isOwned = false
  #isStopped = false
  readonly #deadline = new DeadlineTimer({
    onPassed: () => this.#post({ type: 'DeadlinePassed' }),
    onStall: (lateMs) =>
      this.#log.logger.warn({ lateMs: Math.round(lateMs) }, 'this process stood still'),
  })
  #finish: () => void = () => undefined
  #fail: (error: unknown) => void = () => undefined
  /** What `leave` could not withdraw. */
  #failures: readonly string[] = []

  constructor(config: Config, _file: string | undefined, log: Log) {
    this.#config = config
    this.#log = log
    this.#metrics = new Metrics({
      snapshot: () =>
        gaugesOf(this.#health.problems(), this.#bridge?.overview(), performance.now()),
    })
    this.#inspector = new Inspector({
      bridge: () => this.#bridge,
      self: { jid: config.xmpp.jid, name: config.name, version: readVersion() },
      share: () => this.#config.share,
      health: this.#health,
      refusals: this.#refusals,
    })
    this.#watchers = new Events({
      overview: () => this.#inspector.overview(),
      sum: (kind, id) => this.#inspector.sum(kind, id),
      onWatched: (isWatched) => this.#watch(isWatched),
    })
    this.#observer = new Observer({
      logger: log.logger,
      health: this.#health,
      metrics: this.#metrics,
      refusals: this.#refusals,
      changed: (change) => this.#watchers.changed(change),
      left: (failures) => {
        this.#failures = failures
        this.#finish()
      },
    })
    this.finished = new Promise((resolve, reject) => {
      this.#fail = reject
      this.#finish = resolve
    })
    // Whoever waits for it is told; nobody has to.
    this.finished.catch(() => undefined)
  }

  /** Starts all that does not need the other side; Asterisk and the XMPP server may come up in any order, later. */
  async start(): Promise<void> {
    const stateDir = await this.#openStateDir()
    await this.#startObservation(stateDir)
    const configured = this.#config.asterisk.eid
    if (configured !== undefined) stateDir.keepEid(configured)
    const eid = configured ?? stateDir.eid
    await this.#startSip(eid)
    if (eid !== undefined) this.#join(eid)
  }

  /** Ends without a word to the peers, so that a restart within `grace` is invisible to them (rule 24). */
  async stop(): Promise<void> {
    if (this.#isStopped) return
    this.#isStopped = true
    this.#deadline.stop()
    await this.#connection?.stop()
    await this.#sip?.stop()
    this.#watchers.stop()
    await this.#http?.stop()
    // Last of the sockets: `leave` takes its end for that of the bridge.
    await this.#control?.stop()
    const injected = this.#bridge?.overview().injected ?? 0
    if (injected > 0) {
      this.#log.logger.info({ injected }, 'stopped; Asterisk keeps the states that it was given')
    }
    this.#stateDir?.close()
  }

  /** Takes what may change at run time: trust, filters, durations, passwords. */
  reload(config: Config): void {
    this.#config = config
    // Also where the fault was mended on the server: whoever reloads wants it tried.
    this.#connection?.retryNow({ evenInConflict: true })
    if (!this.#bridge) return
    const settings = this.#settings(this.#bridge.overview().eid)
    const bridge = this.#bridge
    this.#own(() => this.#perform(bridge.reconfigure(settings, performance.now())))
    this.#drain()
  }

  /** How it stands. It moves while no event waits and nothing that is due was left undone. */
  pulse(): Pulse {
    const bridge = this.#bridge
    const overdueMs = bridge ? performance.now() - bridge.deadlineMs : 0
    const reasons = this.#inspector.readiness()
    const problems = this.#health.problems().length
    return {
      isMoving: !bridge || (this.#events.length === 0 && overdueMs < overdueLimitMs),
      status:
        (reasons.length === 0 ? 'in sync' : `not in sync: ${reasons.join(', ')}`) +
        (problems === 0 ? '' : `; ${problems} problems, see /health`),
    }
  }

  /** Leaves in place of a bridge that does not run; throws an Error that says what could not be withdrawn. */
  async leave(): Promise<void> {
    try {
      await this.start()
      if (!this.#bridge) {
        throw new Error(
          'failed to leave: the EID of this Asterisk was never learnt, so nothing was ever shared; ' +
            'set asterisk.eid if that is wrong',
        )
      }
      await this.#depart()
    } finally {
      await this.stop()
    }
  }

  /** Leaves for good; throws an Error that says what could not be withdrawn. */
  async #depart(): Promise<void> {
    // A server that is back is not known before the next attempt, and that may be half a minute away.
    this.#connection?.retryNow()
    this.#post({ type: 'LeaveRequested' })
    await this.finished
    if (this.#failures.length > 0) throw new Error(this.#failures.join('; '))
  }

  async #openStateDir(): Promise<StateDir> {
    const stateDir = await StateDir.open(this.#config.stateDir, {
      warn: (message) => this.#log.logger.warn({}, message),
      problem: (text) => this.#tell('journal', text),
    })
    this.#stateDir = stateDir
    return stateDir
  }

  async #startObservation(stateDir: StateDir): Promise<void> {
    const control = new ControlServer({
      path: this.#config.controlSocket,
      leave: () => this.#depart(),
      forget: (name) => this.#forget(name),
      status: () => this.#bridge?.overview() ?? { phase: 'waiting for the EID of Asterisk' },
      api: apiRoutes(this.#inspector, this.#watchers, 'control'),
    })
    this.#control = control
    await stateDir.attempt({
      perform: () => control.start(),
      tell: (error) =>
        this.#tell(
          'control-socket',
          error &&
            `hintbridge members, explain, leave and the like cannot ask this bridge: ${error.message}; it is tried again`,
        ),
    })
    const { password } = this.#config.http
    this.#http = new HttpServer({
      listen: this.#config.http.listen,
      ...(password !== undefined && { password: password.reveal() }),
      onRefused: (reason) => this.#metrics.count('refused_http_requests', { reason }),
      health: this.#health,
      metrics: this.#metrics,
      readiness: () => this.#inspector.readiness(),
      api: apiRoutes(this.#inspector, this.#watchers, 'http'),
    })
    await this.#http.start()
  }

  async #startSip(eid: EntityId | undefined): Promise<void> {
    const { sip } = this.#config.asterisk
    const { asterisk, listen, transport, resource, insecure } = sip
    this.#sip = new SipEdge({
      asterisk,
      listen,
      ...(transport === 'tcp' && { stream: new TcpTransport(asterisk) }),
      resource,
      secrets: sipSecrets(sip),
      allowNonLoopback: insecure,
      ...(eid !== undefined && { entityId: eid }),
      isEntityIdConfigured: this.#config.asterisk.eid !== undefined,
      onEntityIdLearnt: (learnt) => {
        this.#stateDir?.keepEid(learnt)
        this.#join(learnt)
      },
      onEntityIdMoved: (to) => this.#moved(to),
      health: (key, text) => this.#tell(key, text),
      post: (event) => this.#post(event),
      log: this.#log.logger.child({ edge: 'asterisk' }),
      count: (counter, labels, by) => this.#metrics.count(counter, labels, by),
      refused: (refused) => this.#refusals.note(refused),
    })
    await this.#sip.start()
    if (sip.asteriskPassword === undefined) {
      this.#tell(oneSecretKey, `${oneSecretText}: ${oneSecretRemedy}`, 'warning')
    }
  }

  /** Asterisk has another EID than the one that was learnt. Only a new start can take it, as all that is own names it. */
  #moved(to: EntityId): void {
    const moved = `Asterisk's EID is now ${to} (was ${this.#sip?.entityId ?? 'unknown'})`
    try {
      if (this.#stateDir?.keepMovedEid(to) === true) {
        const remedy = 'restart the bridge to take it, or set asterisk.eid if two EIDs come in turn'
        this.#tell('foreign-eid', `${moved}, which it had minutes ago: ${remedy}`)
        return
      }
      this.#log.logger.error({ to }, "Asterisk's EID has changed: ending, to start again under it")
      this.#fail(new Error(`${moved}: restart the bridge to take it`))
    } catch (error) {
      // It would start again under the old EID, and end again, without end.
      const reason = error instanceof Error ? error.message : String(error)
      this.#tell(
        'foreign-eid',
        `${moved}, and state_dir cannot keep that (${reason}): repair it, then restart the bridge`,
      )
    }
  }

  #tell(key: string, text: string | undefined, severity: 'warning' | 'error' = 'error'): void {
    this.#observer.perform({
      to: 'observe',
      do: 'health',
      key,
      severity,
      ...(text !== undefined && { text }),
    })
  }

  /** The EID is known: the bridge can stand up and connect. */
  #join(eid: EntityId): void {
    const { xmpp, liveness, cluster } = this.#config
    this.#bridge = new Bridge({
      settings: this.#settings(eid),
      journal: this.#stateDir?.injected() ?? [],
      forgotten: this.#stateDir?.forgotten() ?? [],
      names: this.#stateDir?.names() ?? [],
      nowMs: performance.now(),
      random: Math.random,
      newEpoch: () => randomBytes(16).toString('hex'),
    })
    this.#bridge.watch(this.#isWatched)
    const log = this.#log.logger.child({ edge: 'xmpp' })
    this.#connection = new XmppConnection({
      services: xmpp.services,
      jid: xmpp.jid,
      resource: eid,
      password: () => this.#config.xmpp.password.reveal(),
      tls: xmpp.tls,
      sasl: {
        mode: xmpp.sasl,
        memory: new Mechanisms(this.#config.stateDir, (error) =>
          log.warn({ err: error }, 'failed to keep by which mechanism the XMPP server lets in'),
        ),
      },
      silenceLimitMs: liveness.heartbeatMs,
      conflictWaitMs: liveness.staleAfterMs,
      log,
    })
    this.#cluster = new ClusterEdge({
      connection: this.#connection,
      root: cluster,
      service: xmpp.pubsub,
      entityId: eid,
      jid: xmpp.jid,
      requestTimeoutMs: liveness.heartbeatMs,
      post: (event) => this.#post(event),
      log,
      count: (counter, labels) => this.#metrics.count(counter, labels),
      refused: (refused) => this.#refusals.note(refused),
    })
    this.#cluster.start()
    this.#connection.start()
    this.#drain()
  }

  /** Somebody watches the changes, or nobody does any more. */
  #watch(isWatched: boolean): void {
    this.#isWatched = isWatched
    this.#bridge?.watch(isWatched)
  }

  #settings(eid: EntityId): BridgeSettings {
    const { xmpp, share, isTrusted, inspectors, liveness, limits } = this.#config
    const formerEid = this.#stateDir?.formerEid
    return {
      jid: xmpp.jid,
      eid,
      ...(formerEid !== undefined && { formerEid }),
      name: this.#config.name,
      version: readVersion(),
      service: xmpp.pubsub,
      share,
      sharesUncachable: share.device_state.uncachable,
      isClaimed: (mailbox) => share.message_waiting.isClaimed(mailbox),
      isTrusted,
      inspectors,
      liveness,
      limits,
      lanes: this.#sip?.lanes ?? 1,
    }
  }

  /** One queue, one owner: events that come while others are handled wait their turn. */
  #post(event: BridgeEvent): void {
    if (this.#isStopped) return
    this.#events.push(event)
    this.#drain()
  }

  #drain(): void {
    const bridge = this.#bridge
    if (this.#isOwned || !bridge) return
    this.#own(() => {
      for (let event = this.#events.shift(); event; event = this.#events.shift()) {
        this.#perform(bridge.handle(event, performance.now()))
      }
    })
    this.#deadline.arm(bridge.deadlineMs)
  }

  /** Runs what changes the bridge's state; what edges post meanwhile waits in the queue. */
  #own(task: () => void): void {
    this.#isOwned = true
    try {
      task()
    } catch (error) {
      // A fault in the domain: what it holds cannot be trusted any more. A restart resyncs.
      this.#fail(error)
    } finally {
      this.#isOwned = false
    }
  }

  #perform(commands: readonly Command[]): void {
    for (const command of commands) {
      switch (command.to) {
        case 'asterisk':
          this.#stateDir?.writeNames()
          this.#sip?.perform(command)
          break
        case 'cluster':
          this.#cluster?.perform(command)
          break
        case 'journal':
          this.#stateDir?.perform(command)
          break
        case 'observe':
          this.#observer.perform(command)
          break
      }
    }
    this.#stateDir?.writeNames()
  }

  /** Drops what is kept of a member that is gone for good, and retracts its item where the account may. */
  async #forget(name: string): Promise<ForgetAnswer> {
    const bridge = this.#bridge
    if (!bridge) throw new BadRequest('the EID of Asterisk is not known yet, so nothing is kept')
    const overview = bridge.overview()
    const { jid } = this.#config.xmpp
    const member = whomToForget(overview, name, { jid, name: this.#config.name })
    const id = bridge.itemIdOf(member)
    if (!bridge.keeps(member) && id === undefined) throw nothingKept(overview, member, name)
    this.#post({ type: 'ForgetRequested', member })
    if (id === undefined) return { member }
    const failure = await this.#cluster?.retractItemOf(id, retractMs)
    const { cluster, xmpp } = this.#config
    const item = { id, node: membersNode(cluster), service: xmpp.pubsub }
    return { member, item: { ...item, ...(failure && { failure: failure.reason }) } }
  }
}
