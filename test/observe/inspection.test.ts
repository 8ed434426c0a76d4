import { EventEmitter } from 'node:events'
import { request } from 'node:http'
import { join } from 'node:path'
import type { ServerResponse } from 'node:http'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Change } from '../../src/bridge/commands.js'
import type { Kind } from '../../src/bridge/state.js'
import { askControl } from '../../src/observe/control-client.js'
import { followControl, type ServerSentEvent } from '../../src/observe/control-events.js'
import { ControlServer } from '../../src/observe/control.js'
import { Events } from '../../src/observe/events.js'
import { nothingKept, whomToForget } from '../../src/observe/forget.js'
import { Health } from '../../src/observe/health.js'
import { Inspector } from '../../src/observe/inspector.js'
import { matcher } from '../../src/observe/pattern.js'
import { RefusalLog } from '../../src/observe/refusal-log.js'
import type { Stream } from '../../src/observe/respond.js'
import { apiRoutes } from '../../src/observe/routes.js'
import { scratchFolder } from '../config/scratch.js'
import { Dialogue, memberItem } from '../bridge/harness.js'
import { device, eidOf, jidOf, mailbox } from '../bridge/settings.js'
import { onSeed } from '../search/seed.js'

const shareOf = { publish: true, subscribe: true, include: ['.*'], exclude: ['^Queue:'] }
const share: Readonly<Record<Kind, typeof shareOf>> = {
  device_state: shareOf,
  message_waiting: shareOf,
}

/** An inspector over a bridge on fake time, of which 1970 is the beginning. */
function inspect(dialogue: Dialogue | undefined) {
  const health = new Health(() => new Date(0))
  const refusals = new RefusalLog(() => new Date(0))
  const inspector = new Inspector({
    bridge: () => dialogue?.bridge,
    self: { jid: jidOf(1), name: 'pbx-1', version: '0.1.0' },
    share: () => share,
    health,
    refusals,
    clock: {
      wallMs: () => (dialogue?.nowMs ?? 0) - 1_000_000,
      monotonicMs: () => dialogue?.nowMs ?? 0,
    },
  })
  return { inspector, health, refusals }
}

function pair(): Dialogue {
  const dialogue = new Dialogue().ready([device('PJSIP/1', 'NOT_INUSE')])
  dialogue.answerPublishes()
  dialogue.joined(2, [device('PJSIP/1', 'INUSE'), mailbox('1@x', 2, 1)])
  dialogue.answerInjections()
  return dialogue
}

describe('the inspector', () => {
  it('dates what stands in the bridge', () => {
    const dialogue = pair()
    const { inspector } = inspect(dialogue)
    dialogue.pass(2_000)
    const { at, self, members, channels, readiness } = inspector.overview()
    expect(at).toBe('1970-01-01T00:00:02.000Z')
    expect(self).toMatchObject({ eid: eidOf(1), phase: 'ready', ownDevices: 1, ownMailboxes: 0 })
    expect(members).toEqual([
      expect.objectContaining({
        jid: jidOf(2),
        life: 'alive',
        aliveSince: '1970-01-01T00:00:00.000Z',
        lastHeardAt: '1970-01-01T00:00:00.000Z',
        devices: 1,
        mailboxes: 1,
      }),
    ])
    expect(channels[1]).toMatchObject({
      ...{ kind: 'message_waiting', own: 0, injected: 1, exclude: ['^Queue:'] },
      perMember: [{ jid: jidOf(2), name: 'pbx-2', states: 1 }],
    })
    expect(readiness).toEqual({ ready: true, reasons: [] })
  })

  it('gives states and explanations their JSON', async () => {
    const { inspector } = inspect(pair())
    const query = { matches: () => true, offset: 0, limit: 10, order: 'name' } as const
    const { states } = await inspector.states({ kind: 'message_waiting', ...query })
    expect(states).toEqual([
      {
        kind: 'message_waiting',
        id: '1@x',
        sum: { newMessages: 2, oldMessages: 1 },
        changedAt: '1970-01-01T00:00:00.000Z',
        parts: [
          {
            ...{ eid: eidOf(2), jid: jidOf(2), name: 'pbx-2', isOwn: false },
            ...{ newMessages: 2, oldMessages: 1 },
            changedAt: '1970-01-01T00:00:00.000Z',
            standing: 'injected',
          },
        ],
      },
    ])
    expect((await inspector.explain('device_state', 'PJSIP/1'))?.injections).toEqual([
      {
        eid: eidOf(2),
        state: 'INUSE',
        sentAt: '1970-01-01T00:00:00.000Z',
        acknowledgedAt: '1970-01-01T00:00:00.000Z',
        status: '200',
      },
    ])
    expect(inspector.sum('message_waiting', '1@x')).toBe('2/1')
  })

  it.each([
    ['device_state', 'pjsip/1', ['PJSIP/1']],
    ['device_state', '1', ['PJSIP/1', '1@x']],
    ['device_state', 'PJSIP/10', undefined],
    ['message_waiting', '1@X', ['1@x']],
  ] as const)('of the unknown %s %s it tells what is known like it', async (kind, id, alike) => {
    const { inspector } = inspect(pair())
    const answer = await inspector.explain(kind, id)
    expect(answer?.isKnown).toBe(false)
    expect(answer?.alike?.map((named) => named.id)).toEqual(alike)
  })

  it('of what nobody tells of it says who is not believed, as /health does', async () => {
    const { inspector, health } = inspect(pair())
    const text = 'the member item pbx-9@example.org is refused: trust does not name its JID'
    health.raise('members', 'warning', text)
    health.raise('window', 'warning', 'the nodes lag')
    const remark = { severity: 'warning', text }
    expect((await inspector.explain('device_state', 'PJSIP/9'))?.remarks.at(-1)).toEqual(remark)
    expect((await inspector.explain('device_state', 'PJSIP/1'))?.remarks).not.toContainEqual(remark)
  })

  it('shows who left as gone, with the reason', () => {
    const dialogue = pair()
    const bye = {
      eid: eidOf(2),
      epoch: '21'.padStart(32, '0'),
      sequence: 2,
      isBye: true,
      entries: [],
    }
    dialogue.receive(bye, jidOf(2))
    expect(inspect(dialogue).inspector.overview().members).toEqual([
      expect.objectContaining({ life: 'gone', reason: 'it said goodbye' }),
    ])
  })

  it('waits where there is no bridge yet', async () => {
    const { inspector } = inspect(undefined)
    expect(inspector.overview()).toMatchObject({ self: { phase: 'waiting' }, members: [] })
    expect(await inspector.explain('device_state', 'x')).toBeUndefined()
  })

  it('keeps the last hundred refusals, newest first, and no long words of strangers', () => {
    const { inspector, refusals } = inspect(undefined)
    for (let index = 0; index < 150; index += 1) {
      refusals.note({ what: 'feed', from: `${index}`.padEnd(1_000, 'x'), reason: 'no' })
    }
    const { refused } = inspector.refused()
    expect(refused).toHaveLength(100)
    expect(refused[0]?.from).toBe('149'.padEnd(200, 'x'))
  })
})

describe('a pattern', () => {
  it.each([
    ['', 'PJSIP/1001', true],
    ['1001', 'PJSIP/1001', true],
    ['pjsip/1', 'PJSIP/1001', true],
    ['PJSIP/10*', 'PJSIP/1001', true],
    ['PJSIP/10??', 'PJSIP/1001', true],
    ['10*', 'PJSIP/1001', false],
    ['*/1*1', 'PJSIP/1001', true],
    ['PJSIP/?', 'PJSIP/1001', false],
    ['a.c', 'abc', false],
  ])("'%s' against '%s' is %s", (pattern, id, expected) => {
    expect(matcher(pattern)(id)).toBe(expected)
  })

  it('does what the same regular expression does', () => {
    const letters = fc.array(fc.constantFrom('a', 'b', '*', '?'), { maxLength: 8 })
    const texts = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 8 })
    fc.assert(
      fc.property(letters, texts, (pattern, text) => {
        const glob = [...pattern, '*'].join('')
        const source = glob.replaceAll('*', '.*').replaceAll('?', '.')
        expect(matcher(glob)(text.join(''))).toBe(new RegExp(`^${source}$`).test(text.join('')))
      }),
      onSeed(300),
    )
  })

  it('of many stars takes no time to speak of', () => {
    expect(matcher(`${'*a'.repeat(100)}b`)('a'.repeat(255))).toBe(false)
  })
})

describe('over the control socket', () => {
  async function serve(dialogue: Dialogue) {
    const { inspector } = inspect(dialogue)
    const events = new Events({
      overview: () => inspector.overview(),
      sum: (kind, id) => inspector.sum(kind, id),
      onWatched: (isWatched) => dialogue.bridge.watch(isWatched),
    })
    const path = join(scratchFolder(), 'hintbridge.sock')
    const server = new ControlServer({
      path,
      leave: () => Promise.resolve(),
      forget: (name) =>
        Promise.resolve().then(() => ({
          member: whomToForget(dialogue.bridge.overview(), name, { jid: jidOf(1), name: 'pbx-1' }),
        })),
      status: () => ({}),
      api: apiRoutes(inspector, events, 'control'),
    })
    await server.start()
    onTestFinished(async () => {
      events.stop()
      await server.stop()
    })
    return { path, events }
  }

  it('answers with the states that match, in the order and of the page that is asked', async () => {
    const { path } = await serve(pair().report('PJSIP/0', 'NOT_INUSE'))
    const ids = async (query: string): Promise<unknown> => {
      const answer = await askControl(path, 'GET', `/api/states?${query}`)
      const { states } = answer?.body as { states: { id: string }[] }
      return states.map(({ id }) => id)
    }
    expect(await ids('')).toEqual(['PJSIP/0', 'PJSIP/1'])
    expect(await ids('order=busy')).toEqual(['PJSIP/1', 'PJSIP/0'])
    expect(await ids('match=*0&limit=1')).toEqual(['PJSIP/0'])
    expect(await ids('kind=message_waiting')).toEqual(['1@x'])
  })

  it.each([
    ['/api/states?kind=lamp', 'kind: is one of device_state, message_waiting'],
    ['/api/states?limit=1001', 'limit: is a number from 0 to 1000'],
    ['/api/states?offset=-1', `offset: is a number from 0 to ${Number.MAX_SAFE_INTEGER}`],
    ['/api/states?order=loud', 'order: is busy or name'],
    ['/api/explain', 'id: name a device or a mailbox'],
    [`/api/states?match=${'x'.repeat(256)}`, 'match: has at most 255 characters'],
  ])('answers 400 to %s', async (path, error) => {
    const { path: socket } = await serve(pair())
    expect(await askControl(socket, 'GET', path)).toEqual({ status: 400, body: { error } })
  })

  it('tells changes to who listens, and only while anybody does', async () => {
    const dialogue = pair()
    const { path, events } = await serve(dialogue)
    const stop = new AbortController()
    const arrived = new EventEmitter()
    const got: ServerSentEvent[] = []
    const following = followControl(
      path,
      '/api/events?match=pjsip*',
      (event) => {
        got.push(event)
        arrived.emit(event.event)
      },
      stop.signal,
    )
    await new Promise((resolve) => arrived.once('overview', resolve))
    const change = new Promise((resolve) => arrived.once('change', resolve))
    dialogue.report('Custom:unasked', 'BUSY').report('PJSIP/1', 'RINGING')
    for (const { change: each } of dialogue.take('changed')) events.changed(each)
    await change
    const told = got
      .filter(({ event }) => event === 'change')
      .map(({ data }) => JSON.parse(data) as object)
    expect(told).toEqual([
      expect.objectContaining({
        ...{ kind: 'device_state', id: 'PJSIP/1', name: 'pbx-1', isOwn: true },
        ...{ before: 'NOT_INUSE', after: 'RINGING', sum: 'RINGINUSE' },
      }),
    ])
    stop.abort()
    expect(await following).toBe(true)
    await vi.waitFor(() => {
      dialogue.report('PJSIP/1', 'INUSE').report('PJSIP/1', 'BUSY')
      expect(dialogue.take('changed')).toEqual([])
    })
  })

  it('says why the events are not served', async () => {
    const { path } = await serve(pair())
    const query = `/api/events?match=${'x'.repeat(256)}`
    await expect(
      followControl(path, query, () => undefined, new AbortController().signal),
    ).rejects.toThrow('the bridge answers 400: match: has at most 255 characters')
  })

  it('HEAD of the events ends at once', async () => {
    const { path } = await serve(pair())
    const status = await new Promise((resolve, reject) => {
      const asked = request(
        { socketPath: path, path: '/api/events', method: 'HEAD' },
        (response) => {
          response.resume()
          response.on('end', () => resolve(response.statusCode))
        },
      )
      asked.on('error', reject)
      asked.end()
    })
    expect(status).toBe(200)
  })

  it('forgets by JID, EID or name, but none that lives, none of several and not itself', async () => {
    const dialogue = pair()
    const { path } = await serve(dialogue)
    const forget = async (member: string): Promise<unknown> =>
      (await askControl(path, 'POST', `/forget?member=${encodeURIComponent(member)}`))?.body
    expect(await forget('pbx-2')).toEqual({
      error: expect.stringMatching(
        /pbx-2 \(pbx-b@example.org\) is alive: forget is for members/,
      ) as unknown,
    })
    for (const name of [eidOf(1), jidOf(1), 'pbx-1']) {
      expect(await forget(name)).toEqual({
        error: `${name} is this member: hintbridge leave takes it away`,
      })
    }
    expect(await forget(eidOf(9))).toEqual({ member: eidOf(9) })
    dialogue.post({ type: 'MemberItemReceived', item: memberItem(3, { name: 'pbx-2' }) })
    expect(await forget('pbx-2')).toEqual({
      error: `pbx-2 may be each of ${jidOf(2)}, ${jidOf(3)}: name one by its JID`,
    })
    expect(await forget(jidOf(3))).toEqual({ member: jidOf(3) })
  })

  it('knows whom it has forgotten, by its name too', () => {
    const dialogue = pair().post({ type: 'ForgetRequested', member: jidOf(2) })
    const overview = dialogue.bridge.overview()
    const self = { jid: jidOf(1), name: 'pbx-1' }
    expect(whomToForget(overview, 'pbx-2', self)).toBe(jidOf(2))
    expect(nothingKept(overview, jidOf(2), 'pbx-2').message).toBe(
      `pbx-2 (${jidOf(2)}) is gone already, and nothing is kept of it: it was forgotten`,
    )
    expect(nothingKept(overview, 'pbx-7', 'pbx-7').message).toBe(
      "nothing is kept of 'pbx-7': see hintbridge members",
    )
  })
})

describe('a listener', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  /** A response whose reader takes nothing until told. */
  class SlowResponse extends EventEmitter {
    readonly frames: string[] = []
    writableLength = 0
    writeHead = (): this => this
    #written: (() => void)[] = []
    write(text: string, written: () => void): boolean {
      this.frames.push(text)
      this.writableLength += text.length
      this.#written.push(written)
      return true
    }
    /** The reader takes the oldest write. */
    takeOne(): void {
      this.#written.shift()?.()
    }
    end(): void {
      this.emit('close')
    }
    destroy(): void {
      this.emit('close')
    }
  }

  function listen() {
    let overview = 0
    const watched: boolean[] = []
    const events = new Events({
      overview: () => ({ at: '', marker: overview }) as never,
      sum: () => 'INUSE',
      onWatched: (isWatched) => watched.push(isWatched),
    })
    const response = new SlowResponse()
    ;(events.listen('', 'http') as Stream).stream(response as unknown as ServerResponse)
    const change: Change = {
      ...{ eid: eidOf(2), jid: jidOf(2), name: 'pbx-2', isOwn: false },
      ...{ kind: 'device_state', id: 'PJSIP/1'.padEnd(250, 'x') },
    }
    return { events, response, watched, change, changeOverview: () => (overview += 1) }
  }

  it('that does not read costs no more than its bound, and is told how much it missed', () => {
    const { events, response, change } = listen()
    for (let count = 0; count < 100_000; count += 1) events.changed(change)
    expect(response.writableLength).toBeLessThan(300 * 1024)
    const sent = response.frames.length - 1
    response.writableLength = 0
    events.changed(change)
    expect(response.frames.at(-2)).toBe(`event: lost\ndata: {"events":${100_000 - sent}}\n\n`)
    response.end()
  })

  it('is told of the overview when it differs, at most once a second, and that the connection lives', () => {
    const { response, changeOverview } = listen()
    expect(response.frames).toHaveLength(1)
    changeOverview()
    changeOverview()
    vi.advanceTimersByTime(1_000)
    expect(response.frames).toHaveLength(2)
    vi.advanceTimersByTime(15_000)
    expect(response.frames.at(-1)).toBe(': still here\n\n')
    response.end()
  })

  it('that goes is forgotten: nothing is told or looked at for nobody', () => {
    const { response, watched } = listen()
    expect(watched).toEqual([true])
    response.emit('close')
    expect(watched).toEqual([true, false])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('that takes nothing for 30 s is dropped, one that reads slowly is not', () => {
    const { response, watched } = listen()
    for (let second = 0; second < 60; second += 1) {
      if (second % 20 === 0) response.takeOne()
      vi.advanceTimersByTime(1_000)
    }
    expect(watched).toEqual([true])
    vi.advanceTimersByTime(30_000)
    expect(watched).toEqual([true, false])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('beyond the fiftieth is refused, and leaves room at the other door', () => {
    const { events, response } = listen()
    const responses = Array.from({ length: 49 }, () => new SlowResponse())
    for (const each of responses)
      (events.listen('', 'http') as Stream).stream(each as unknown as ServerResponse)
    const refusal = { status: 503, body: { error: '50 listen already' } }
    expect(events.listen('', 'http')).toEqual(refusal)
    expect(events.listen('', 'control')).toHaveProperty('stream')
    for (const each of [response, ...responses]) each.end()
    expect(vi.getTimerCount()).toBe(0)
  })
})
