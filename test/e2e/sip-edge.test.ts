/** The SIP edge against a real Asterisk 22: what only that can judge. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createAsterisk, type Asterisk } from '../../lab/asterisk.js'
import { claimPort, createScratch, type Scratch } from '../../lab/scratch.js'
import { SipEdge } from '../../src/asterisk/sip/edge.js'
import { TcpTransport } from '../../src/asterisk/sip/tcp-transport.js'
import type { AsteriskEvent } from '../../src/bridge/events.js'
import { kinds, type Kind, type StateEntry } from '../../src/bridge/state.js'
import { realms, renderAsteriskSide } from '../../src/config/asterisk-side.js'

const eid = '02:00:00:00:00:0a'
const peerEid = '02:00:00:00:00:0b'
const passwords = { password: 'e2e-secret', asteriskPassword: 'of-asterisk' }
/** The edge with that guess for what one side shows the other, or both. */
const secretsWith = (guess?: string) => ({
  toBridge: { realm: realms.bridge, password: guess ?? passwords.asteriskPassword },
  toAsterisk: { realm: realms.asterisk, password: guess ?? passwords.password },
})

type Way = 'TCP' | 'UDP'

let scratch: Scratch
let asterisk: Asterisk
let ends: { asterisk: { host: string; port: number }; listen: { host: string; port: number } }
/** What this Asterisk has a transport for. */
let bestWay: Way

async function startFixture(way: Way): Promise<void> {
  scratch = createScratch('sip-edge')
  bestWay = way
  ends = {
    asterisk: { host: '127.0.0.1', port: await claimPort() },
    listen: { host: '127.0.0.1', port: await claimPort() },
  }
  asterisk = await createAsterisk({
    scratch,
    name: 'a',
    eid,
    sipPort: ends.asterisk.port,
    hintbridgeConf: renderAsteriskSide({ resource: 'hintbridge', ...passwords, ...ends }),
    hints: { night: 'Custom:night', nobody: 'PJSIP/nobody' },
    isUdpOnly: way === 'UDP',
    modules: ['res_pjsip_history'],
    pjsip: '#include pjsip_later.conf\n',
    files: { 'pjsip_later.conf': '' },
  })
  await asterisk.start()
}

async function endFixture(): Promise<void> {
  await asterisk.stop()
  scratch.remove()
}

/** By which ways Asterisk received a PUBLISH meanwhile: as datagrams from the bridge's own port, else by a connection. */
async function waysDuring(action: () => Promise<void>): Promise<Way[]> {
  await asterisk.cli('pjsip set history clear')
  await asterisk.cli('pjsip set history on')
  await action()
  const shown = await asterisk.cli('pjsip show history')
  await asterisk.cli('pjsip set history off')
  const senders = [...shown.matchAll(/<== 127\.0\.0\.1:(\d+) +PUBLISH /g)]
  const ways = senders.map(([, port]) => (Number(port) === ends.listen.port ? 'UDP' : 'TCP'))
  return [...new Set(ways)]
}

/** An edge with all that it posted, which can be awaited. */
class Observed {
  readonly events: AsteriskEvent[] = []
  readonly counts: string[] = []
  readonly learnt: string[] = []
  /** All that there were. */
  readonly problems = new Map<string, string>()
  readonly edge: SipEdge
  /** What the log said last. */
  way: Way = 'UDP'
  private waiting: (() => void)[] = []

  constructor({ guess, ...options }: { guess?: string; entityId?: string } = { entityId: eid }) {
    const silent = () => undefined
    this.edge = new SipEdge({
      ...ends,
      resource: 'hintbridge',
      secrets: secretsWith(guess),
      stream: new TcpTransport(ends.asterisk),
      onEntityIdLearnt: (learnt) => this.learnt.push(learnt),
      onEntityIdMoved: silent,
      health: (key, text) => {
        if (text !== undefined) this.problems.set(key, text)
        this.wake()
      },
      post: (event) => {
        this.events.push(event)
        this.wake()
      },
      log: { debug: silent, info: (_, text) => this.hear(text), warn: silent, error: silent },
      count: (counter, labels) => {
        this.counts.push(`${counter} ${Object.values(labels ?? {}).join(' ')}`)
        this.wake()
      },
      ...options,
    })
  }

  /** Resolves when what was posted and counted makes the condition true; the test's own time limit bounds it. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.waiting.push(resolve))
  }

  private hear(text: string): void {
    const [, way] = /^Asterisk is given states by (TCP|UDP)$/.exec(text) ?? []
    if (way === undefined) return
    this.way = way as Way
    this.wake()
  }

  /** Resolves when Asterisk is found, and is given states by the best way that it has. */
  async found(): Promise<void> {
    await this.event('AsteriskFound')
    await this.until(() => this.way === bestWay)
  }

  private wake(): void {
    for (const resolve of this.waiting.splice(0)) resolve()
  }

  /** Resolves with the first event of that type, from now on or kept. */
  async event<T extends AsteriskEvent['type']>(
    type: T,
    match: (event: Extract<AsteriskEvent, { type: T }>) => boolean = () => true,
  ): Promise<Extract<AsteriskEvent, { type: T }>> {
    const find = () =>
      this.events.find((event): event is Extract<AsteriskEvent, { type: T }> => {
        return event.type === type && match(event as Extract<AsteriskEvent, { type: T }>)
      })
    await this.until(() => find() !== undefined)
    const found = find()
    if (!found) throw new Error('no event')
    return found
  }

  /** Refresh, then fence: everything that Asterisk has of its own. */
  async dump(kind: Kind, nonce: number): Promise<StateEntry[]> {
    this.events.length = 0
    this.edge.perform({ to: 'asterisk', do: 'refresh', kind, token: 1 })
    const { failure } = await this.event('RefreshAnswered')
    expect(failure).toBeUndefined()
    this.edge.perform({ to: 'asterisk', do: 'fence', kind, nonce })
    await this.event('FenceReturned', (event) => event.kind === kind && event.nonce === nonce)
    return this.events.flatMap((event) => (event.type === 'StateReported' ? [event.entry] : []))
  }

  async inject(entry: StateEntry, lane = 0): Promise<void> {
    this.events.length = 0
    this.edge.perform({ to: 'asterisk', do: 'inject', lane, eid: peerEid, entry })
    expect(await this.event('InjectionAnswered')).toEqual({ type: 'InjectionAnswered', lane })
  }
}

const started: Observed[] = []

async function startEdge(options?: ConstructorParameters<typeof Observed>[0]): Promise<Observed> {
  const observed = new Observed(options)
  started.push(observed)
  await observed.edge.start()
  return observed
}

afterEach(async () => {
  for (const { edge } of started.splice(0)) await edge.stop()
})

const device = (id: string, state: 'INUSE' | 'RINGING' | 'INVALID' | 'UNKNOWN'): StateEntry => ({
  kind: 'device_state',
  id,
  state,
  cachable: true,
})

describe.each(['TCP', 'UDP'] as const)('the SIP edge beside Asterisk 22, by %s', (way) => {
  beforeAll(() => startFixture(way))
  afterAll(endFixture)

  it.each(kinds)('gets the fence back after a refresh of %s, as often as it asks', async (kind) => {
    const observed = await startEdge()
    await observed.found()
    for (const nonce of [101, 102]) await observed.dump(kind, nonce)
    expect(observed.counts).toEqual([])
  })

  it('hears a change, without the bridge’s own endpoint or fences among the states', async () => {
    const observed = await startEdge()
    await observed.found()
    await asterisk.setDevice('Custom:night', 'RINGING')
    await observed.event(
      'StateReported',
      ({ entry }) =>
        entry.kind === 'device_state' && entry.id === 'Custom:night' && entry.state === 'RINGING',
    )
    const dumped = await observed.dump('device_state', 7)
    expect(dumped).toContainEqual(device('Custom:night', 'RINGING'))
    expect(dumped.filter(({ id }) => /hintbridge/.test(id))).toEqual([])
  })

  it('moves a hint by an injection and back by its withdrawal (rule 8), and hears no echo', async () => {
    const observed = await startEdge()
    await observed.found()
    const before = await asterisk.hint('nobody')
    await observed.inject(device('PJSIP/nobody', 'INUSE'))
    await asterisk.awaitHint('nobody', 'InUse')
    expect((await asterisk.cli('core show hints')).match(/nobody@default.*State:(\w+)/)?.[1]).toBe(
      'InUse',
    )
    const dumped = await observed.dump('device_state', 8)
    expect(dumped.filter(({ id }) => id === 'PJSIP/nobody')).toEqual([])
    await observed.inject(device('PJSIP/nobody', 'INVALID'))
    await asterisk.awaitHint('nobody', before)
  })

  it('lights the lamp of a mailbox by an injection', async () => {
    const observed = await startEdge()
    await observed.found()
    const mailbox = { kind: 'message_waiting', id: '2000@default', oldMessages: 0 } as const
    await observed.inject({ ...mailbox, newMessages: 2 })
    await asterisk.awaitDeviceState('MWI:2000@default', 'INUSE')
    await observed.inject({ ...mailbox, newMessages: 0 })
    await asterisk.awaitDeviceState('MWI:2000@default', 'NOT_INUSE')
  })

  it('injects 1,000 states over four lanes, each answered', async () => {
    const observed = await startEdge()
    await observed.found()
    const waiting = Array.from({ length: 1_000 }, (_, index) => device(`PJSIP/i${index}`, 'INUSE'))
    await Promise.all(
      [0, 1, 2, 3].map(async (lane) => {
        const isMine = (event: AsteriskEvent) =>
          event.type === 'InjectionAnswered' && event.lane === lane
        for (let sent = 1, entry = waiting.pop(); entry; sent++, entry = waiting.pop()) {
          observed.edge.perform({ to: 'asterisk', do: 'inject', lane, eid: peerEid, entry })
          await observed.until(() => observed.events.filter(isMine).length >= sent)
        }
      }),
    )
    const answers = observed.events.filter(({ type }) => type === 'InjectionAnswered')
    expect(answers).toHaveLength(1_000)
    expect(answers.filter((answer) => 'failure' in answer)).toEqual([])
    expect(await asterisk.deviceState('PJSIP/i999')).toBe('INUSE')
  })

  it('gives all states that way, refreshes and fences too', async () => {
    const observed = await startEdge()
    await observed.found()
    const ways = await waysDuring(async () => {
      await observed.inject(device('PJSIP/nobody', 'INUSE'))
      await observed.dump('device_state', 13)
    })
    expect(ways).toEqual([way])
  })

  it('takes a dump of 2,000 states, all before the fence', async () => {
    for (let index = 0; index < 2_000; index++) {
      await asterisk.setDevice(`Custom:d${index}`, 'INUSE')
    }
    const observed = await startEdge()
    await observed.found()
    const dumped = await observed.dump('device_state', 9)
    const names = new Set(dumped.map(({ id }) => id))
    expect([...names].filter((name) => /^Custom:d\d+$/.test(name))).toHaveLength(2_000)
    expect(observed.counts).toEqual([])
  })

  it('with another password fails both ways and says so, and does not wedge Asterisk (rule 6)', async () => {
    const guessing = await startEdge({ entityId: eid, guess: 'guess' })
    await guessing.until(() => guessing.problems.has('asterisk-refuses'))
    expect(guessing.problems.get('asterisk-refuses')).toContain('refuses the bridge (401)')
    for (let index = 0; index < 10; index++) await asterisk.setDevice(`Custom:w${index}`, 'BUSY')
    const refusals = () => guessing.counts.filter((count) => /credentials$/.test(count)).length
    // One a state, and one more for the second chance.
    await guessing.until(() => refusals() >= 11)
    await guessing.until(() => guessing.problems.has('asterisk-unproven'))
    expect(guessing.events).toEqual([])
    await guessing.edge.stop()
    const right = await startEdge()
    await right.found()
    const dumped = await right.dump('device_state', 10)
    expect(dumped.map(({ id }) => id)).toContain('Custom:w9')
  })

  it('refuses an Asterisk of another EID than the configured one', async () => {
    const observed = await startEdge({ entityId: peerEid })
    await asterisk.setDevice('Custom:night', 'INUSE')
    await observed.until(() => observed.counts.includes('refused_publishes foreign-eid'))
    expect(observed.events).toEqual([])
  })

  it('learns the EID of an idle Asterisk', async () => {
    const observed = await startEdge({})
    await observed.until(() => observed.learnt.length > 0)
    expect(observed.learnt).toEqual([eid])
  })

  it('sees Asterisk die and return, is asked for a refresh, and goes on', async () => {
    const observed = await startEdge()
    await observed.found()
    await observed.inject(device('PJSIP/nobody', 'INUSE'))
    await asterisk.kill()
    await observed.event('AsteriskLost')
    observed.events.length = 0
    await asterisk.start()
    await observed.found()
    for (const kind of kinds) {
      await observed.event('RefreshRequested', (event) => event.kind === kind)
    }
    const ways = await waysDuring(() => observed.inject(device('PJSIP/nobody', 'RINGING')))
    expect(ways).toEqual([way])
    await asterisk.awaitHint('nobody', 'Ringing')
    await observed.dump('message_waiting', 11)
  })

  it('waits for an Asterisk that starts after it', async () => {
    await asterisk.stop()
    const observed = await startEdge({})
    observed.edge.perform({ to: 'asterisk', do: 'refresh', kind: 'device_state', token: 1 })
    const { failure } = await observed.event('RefreshAnswered')
    expect(failure).toMatchObject({ condition: 'asterisk-lost', isTemporary: true })
    await asterisk.start()
    await observed.found()
    await observed.until(() => observed.learnt.length > 0)
    await observed.dump('device_state', 12)
  })

  it.runIf(way === 'UDP')('takes to TCP when a reload brings a transport for it', async () => {
    const observed = await startEdge()
    await observed.found()
    const transport = `[tcp]\ntype=transport\nprotocol=tcp\nbind=${asterisk.sipAddress}\n`
    asterisk.writeConfiguration('pjsip_later.conf', transport)
    await asterisk.reload('res_pjsip.so')
    await observed.until(() => observed.way === 'TCP')
    const ways = await waysDuring(() => observed.inject(device('PJSIP/nobody', 'INUSE')))
    expect(ways).toEqual(['TCP'])
    await asterisk.awaitHint('nobody', 'InUse')
  })
})
