/** A server with the page and the inspection API of a cluster that never was: eight members, any number of devices. */
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type {
  ApiEvents,
  DevicePart,
  DeviceView,
  ExplainAnswer,
  MailboxView,
  MemberView,
  OverviewAnswer,
  RefusedAnswer,
  StateView,
} from '../../../src/observe/api.js'
import type { DeviceState } from '../../../src/bridge/state.js'
import { sumStates } from '../../../src/bridge/sum.js'
import { guard } from '../../../src/observe/guard.js'
import { pageRoutes } from '../../../src/observe/page-files.js'
import { respondFrom } from '../../../src/observe/respond.js'

const builtPage = join(import.meta.dirname, '../../../dist/observe/page')
const started = Date.parse('2026-11-21T09:30:00Z')
const at = (seconds: number): string => new Date(started + seconds * 1_000).toISOString()
const sites = ['berlin', 'bremen', 'essen', 'halle', 'jena', 'kiel', 'mainz', 'ulm'] as const

const origin = (index: number) => ({
  eid: `02:00:00:00:00:${(index + 10).toString(16).padStart(2, '0')}`,
  jid: `pbx-${sites[index] ?? 'x'}@example.org`,
  name: `${sites[index] ?? 'x'}.pbx.example.org`,
})

export class FixtureServer {
  readonly devices: DeviceView[]
  readonly mailboxes: MailboxView[]
  /** What was asked of `/api/states`, in order. */
  readonly asked: URLSearchParams[] = []
  readonly #streams = new Set<ServerResponse>()
  readonly #server = createServer(guard({}, this.#listener()))

  constructor(count: number) {
    this.devices = Array.from({ length: count }, (_, index) => deviceView(index))
    this.mailboxes = Array.from({ length: Math.ceil(count / 40) }, (_, index) => mailboxView(index))
  }

  async start(): Promise<string> {
    await new Promise<void>((listening) => this.#server.listen(0, '127.0.0.1', listening))
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((closed) => this.#server.close(closed))
  }

  /** Changes a device of its first origin, and tells whoever listens. */
  change(id: string, state: DeviceState): void {
    const index = this.devices.findIndex((device) => device.id === id)
    const device = this.devices[index]
    const [first, ...others] = device?.parts ?? []
    if (!device || !first) throw new Error(`no device ${id}`)
    const parts = [{ ...first, state, changedAt: at(5_400) }, ...others]
    const sum = sumStates(parts.map((part) => part.state))
    this.devices[index] = { ...device, parts, sum, changedAt: at(5_400) }
    const { eid, isOwn } = first
    this.#send('change', {
      ...{ at: at(5_400), kind: 'device_state', id, eid, isOwn },
      ...{ before: first.state, after: state, sum },
    })
  }

  /** Ends the streams of events, as a restart does. */
  disconnect(): void {
    for (const stream of this.#streams) stream.destroy()
  }

  #send<Name extends keyof ApiEvents>(name: Name, event: ApiEvents[Name]): void {
    for (const stream of this.#streams) {
      stream.write(`event: ${name}\ndata: ${JSON.stringify(event)}\n\n`)
    }
  }

  #listener(): RequestListener {
    const page = respondFrom({ GET: pageRoutes(builtPage) })
    return (request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://fixture')
      const answer = (body: unknown): void => {
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
      }
      if (pathname === '/api/overview') answer(overview(this.devices.length))
      else if (pathname === '/api/refused') answer(refused)
      else if (pathname === '/api/states') answer(this.#states(searchParams))
      else if (pathname === '/api/explain') answer(this.#explain(searchParams.get('id') ?? ''))
      else if (pathname === '/ready') answer({ ready: true, reasons: [] })
      else if (pathname === '/api/events') {
        this.#streams.add(response)
        response.on('close', () => this.#streams.delete(response))
        response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
      } else page(request, response)
    }
  }

  #states(asked: URLSearchParams): unknown {
    this.asked.push(asked)
    const all: readonly StateView[] =
      asked.get('kind') === 'message_waiting' ? this.mailboxes : this.devices
    const match = (asked.get('match') ?? '').toLowerCase()
    const found = all.filter(({ id }) => id.toLowerCase().includes(match))
    if (asked.get('order') !== 'name') found.sort((a, b) => rank(b) - rank(a))
    const offset = Number(asked.get('offset'))
    const limit = Math.min(200, Number(asked.get('limit')))
    const states = found.slice(offset, offset + limit)
    return { total: all.length, matched: found.length, states }
  }

  #explain(id: string): ExplainAnswer {
    const device = this.devices.find((each) => each.id === id)
    if (!device) throw new Error(`no device ${id}`)
    const told: DeviceState[] = []
    const steps = device.parts.map(({ eid, name = eid, state }) => {
      const before = sumStates(told)
      told.push(state)
      const after = sumStates(told)
      const weaker = before === after ? state : before
      const why = told.length === 1 ? 'the first that counts' : `stronger than ${weaker}`
      return { eid, name, state, sumSoFar: after, why }
    })
    const injections = device.parts
      .filter(({ isOwn }) => !isOwn)
      .map(({ eid, state }) => ({
        ...{ eid, state, sentAt: at(5_300), acknowledgedAt: at(5_300.004), status: '200' },
      }))
    const remarks = [
      {
        severity: 'note' as const,
        text: `${id} is ${device.sum} because ${cause(device)} says so`,
        remedy: 'if that is wrong, it is wrong there: core show channels on its console',
      },
    ]
    return { ...device, isKnown: true, leftovers: [], steps, injections, remarks }
  }
}

const cause = ({ parts, sum }: DeviceView): string =>
  parts.find(({ state }) => state === sum)?.name ?? 'nobody'

const rank = (state: StateView): number => {
  if (state.kind === 'message_waiting') return state.sum.newMessages
  return ['INUSE', 'BUSY', 'RINGING', 'RINGINUSE', 'ONHOLD'].includes(state.sum) ? 1 : 0
}

/** The same each time: one in forty is in a call, and so on. */
function stateOf(index: number, member: number): DeviceState {
  const dice = (index * 7919 + member * 104_729) % 400
  if (dice < 6) return 'INUSE'
  if (dice < 8) return 'RINGING'
  if (dice < 9) return 'ONHOLD'
  if (dice < 10) return 'BUSY'
  if (dice < 40) return 'UNAVAILABLE'
  return member === index % 8 ? 'NOT_INUSE' : 'UNAVAILABLE'
}

function deviceView(index: number): DeviceView {
  const home = index % 8
  const members = index % 5 === 0 ? [home, (home + 3) % 8] : [home]
  const changedAt = at((index * 37) % 5_400)
  const parts = members
    .sort((a, b) => a - b)
    .map((member): DevicePart => {
      const isOwn = member === 0
      const standing = isOwn ? 'own' : index % 97 === 5 ? 'pending' : 'injected'
      const state = stateOf(index, member)
      return { ...origin(member), isOwn, state, cachable: true, changedAt, standing }
    })
  const sum = sumStates(parts.map(({ state }) => state))
  return { kind: 'device_state', id: `PJSIP/${1_000 + index}`, sum, changedAt, parts }
}

function mailboxView(index: number): MailboxView {
  const counts = { newMessages: index % 6 === 0 ? (index % 4) + 1 : 0, oldMessages: index % 3 }
  const changedAt = at((index * 91) % 5_400)
  const isOwn = index % 8 === 0
  const standing = isOwn ? 'own' : 'injected'
  const part = { ...origin(index % 8), ...counts, isOwn, changedAt, standing } as const
  const id = `${1_000 + index}@default`
  return { kind: 'message_waiting', id, sum: counts, changedAt, parts: [part] }
}

function memberView(index: number, count: number): MemberView {
  const life = index === 5 ? 'dead' : 'alive'
  return {
    ...origin(index),
    version: '0.1.0',
    pbxVersion: 'Asterisk PBX 22.5.2',
    life,
    ...(life === 'dead' && { reason: 'its stream ended' }),
    isBelieved: true,
    isSynced: life === 'alive',
    isStale: false,
    aliveSince: at(index * 60),
    lastHeardAt: at(5_380 + index),
    sequence: 4_211 + index * 97,
    states: Math.ceil(count / 8) + Math.ceil(count / 320),
    devices: Math.ceil(count / 8),
    mailboxes: Math.ceil(count / 320),
    ...(life === 'alive' && { delayMs: 2 + index * 1.5 }),
  }
}

function overview(count: number): OverviewAnswer {
  const members = [1, 2, 3, 4, 5, 6, 7].map((index) => memberView(index, count))
  const perMember = members.map(({ jid, name, devices }) => ({ jid, name, states: devices }))
  const share = { publish: true, subscribe: true, include: ['.*'], exclude: [] }
  const [own, injected] = [Math.ceil(count / 8), count - Math.ceil(count / 8)]
  return {
    at: at(5_400),
    self: {
      ...origin(0),
      ...{ version: '0.1.0', asterisk: 'Asterisk PBX 22.5.2', phase: 'ready', epoch: 'e' },
      ...{ sequence: 8_123, startedAt: at(0), isAsteriskFound: true, isStreamUp: true },
      ...{ isFenced: true, hasOwnNodes: true },
      ...{ ownStates: own, ownDevices: own, ownMailboxes: 63 },
      ...{ injected, injectionPending: 0, injectionLagMs: 3.4, feedPending: 0, feedLagMs: 2.1 },
      windowPending: 0,
    },
    members,
    channels: [
      { kind: 'device_state', ...share, own, injected, perMember },
      { kind: 'message_waiting', ...share, own: 63, injected: 437, perMember: [] },
    ],
    problems: [
      {
        key: 'feed-lag',
        severity: 'warning',
        text: 'the server takes own changes slowly (1.8 s): raise its rate limit for pbx-berlin@example.org (Prosody bridge_rate, ejabberd c2s_shaper)',
        since: at(5_100),
      },
    ],
    readiness: { ready: true, reasons: [] },
  }
}

const refused: RefusedAnswer = {
  refused: [
    {
      at: at(5_000),
      reason: 'trust does not name this JID',
      from: 'pbx-oslo@example.net',
      what: 'members',
    },
    { at: at(4_100), reason: 'wrong password', from: 'Asterisk', what: 'PUBLISH' },
  ],
}
