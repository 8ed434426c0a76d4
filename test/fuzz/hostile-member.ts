/**
 * A real bridge behind its real cluster edge, with two believed members: 2, which says whatever a test wants, and 3, which
 * is honest. What a service decides (who published, from which node) is out of the hands of 2; all else is in them.
 */
import { EventEmitter } from 'node:events'
import type { Element } from '@xmpp/xml'
import { parse } from 'ltx'
import { expect } from 'vitest'
import type { ClusterCommand } from '../../src/bridge/commands.js'
import { codecs } from '../../src/nodes/registry.js'
import { encodePage } from '../../src/nodes/snapshot.js'
import { encodeStatus } from '../../src/nodes/status.js'
import { ClusterEdge } from '../../src/pubsub/cluster.js'
import type { ClusterConnection } from '../../src/pubsub/peer-queries.js'
import type { IqHandler, XmppConnection } from '../../src/xmpp/connection.js'
import { StanzaError } from '../../src/xmpp/errors.js'
import { Dialogue, emptyBatch, epochOf, memberItem, statusOf } from '../bridge/harness.js'
import { device, eidOf, fullJidOf, jidOf, service } from '../bridge/settings.js'
import { fill, timed } from './fuzzing.js'

const root = 'asterisk'
const victim = 'PJSIP/victim'
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Where member 2 says it: in a feed, in `members`, in its answers and requests, or in a window. */
export const ways = ['feed', 'otherFeed', 'members', 'answer', 'request', 'window'] as const
export type Way = (typeof ways)[number]

export class HostileMember {
  readonly bridge = new Dialogue()
    .ready()
    .joined(2, [device('PJSIP/1001', 'INUSE')])
    .joined(3, [device(victim, 'INUSE')])
  readonly #emitter = new EventEmitter()
  readonly #handlers = new Map<string, IqHandler>()
  readonly #edge: ClusterEdge
  readonly #ownEpoch: string
  #answer: Element | undefined
  #item: { readonly id: string; readonly payload: Element } | undefined

  constructor() {
    const ignore = (): void => undefined
    const connection: ClusterConnection = {
      jid: fullJidOf(1),
      handle: (_type, _namespace, name, handler) => void this.#handlers.set(name, handler),
      on: this.#emitter.on.bind(this.#emitter) as unknown as XmppConnection['on'],
      request: (to, _type, payload) =>
        new Promise((resolve) => resolve(this.#answerTo(to, payload))),
      send: ignore,
      endStream: ignore,
    }
    this.#edge = new ClusterEdge({
      connection,
      root,
      service,
      entityId: eidOf(1),
      jid: jidOf(1),
      requestTimeoutMs: 10_000,
      post: (event) => timed(() => this.bridge.post(event)),
      log: { debug: ignore, info: ignore, warn: ignore, error: ignore },
      count: ignore,
    })
    this.#edge.start()
    this.bridge.answerInjections()
    this.#ownEpoch = this.bridge.bridge.overview().epoch
    this.bridge.clear()
  }

  /** Member 2 says it, with its places filled; what is not XML never leaves its server. */
  async say(way: Way, template: string, id: string): Promise<void> {
    const payload = this.#parse(template)
    if (payload === undefined) return
    switch (way) {
      case 'feed':
        this.#notify(`${root}/${eidOf(2)}/feed`, id, payload)
        break
      case 'otherFeed':
        this.#notify(`${root}/${eidOf(3)}/feed`, id, payload)
        break
      case 'members':
        this.#notify(`${root}/members`, id, payload)
        break
      case 'answer':
        this.#answer = payload
        this.bridge.post({ type: 'PresenceReceived', from: fullJidOf(2), isAvailable: false })
        break
      case 'request':
        await this.#request(payload)
        break
      case 'window':
        this.#item = { id, payload }
        for (const number of [1, 2]) {
          const [member, eid] = [jidOf(number), eidOf(number)]
          const kind = 'device_state'
          this.#perform({ to: 'cluster', do: 'readWindow', member, service, eid, kind })
        }
        this.#perform({ to: 'cluster', do: 'readMembers' })
        break
    }
    await this.#carryOut()
  }

  /** What 3 says stands, and the bridge is what it was. */
  expectUnharmed(): void {
    const overview = this.bridge.bridge.overview()
    expect(overview).toMatchObject({ eid: eidOf(1), epoch: this.#ownEpoch, phase: 'ready' })
    expect(
      overview.members.filter(({ eid, isBelieved }) => eid === eidOf(3) && isBelieved),
    ).toEqual([
      expect.objectContaining({
        jid: jidOf(3),
        life: 'alive',
        isSynced: true,
        isStale: false,
        states: 1,
        sequence: 1,
      }),
    ])
    const injected = this.bridge.answerInjections()
    expect(injected.filter(({ eid }) => eid === eidOf(3) || eid === eidOf(1))).toEqual([])
  }

  /** 3 is heard as before, and the bridge answers it. */
  async expectAlive(): Promise<void> {
    this.bridge.receive({ ...emptyBatch(3, 2), entries: [device(victim, 'RINGING')] }, jidOf(3))
    const [injected] = this.bridge.answerInjections().filter(({ eid }) => eid === eidOf(3))
    expect(injected?.entry).toEqual(device(victim, 'RINGING'))
    const handler = this.#handlers.get('status')
    const answer = handler?.({ from: fullJidOf(3), payload: parse('<status/>') })
    await this.#carryOut()
    expect((await answer)?.attrs['epoch']).toBe(this.#ownEpoch)
  }

  #parse(template: string): Element | undefined {
    const { members } = this.bridge.bridge.overview()
    const sequence = members.find(({ jid }) => jid === jidOf(2))?.sequence ?? 0
    const text = fill(template, {
      OWN: eidOf(1),
      EID: eidOf(2),
      EPOCH: epochOf(2),
      SEQ: String(sequence),
      NEXT: String(sequence + 1),
      BARE: jidOf(2),
      JID: fullJidOf(2),
      OTHER: eidOf(3),
      OTHEREPOCH: epochOf(3),
      OTHERNEXT: '2',
    })
    try {
      const element: unknown = timed(() => parse(text))
      return typeof element === 'object' && element !== null ? (element as Element) : undefined
    } catch {
      return undefined
    }
  }

  #notify(node: string, id: string, payload: Element): void {
    const message = parse(
      `<message from='${service}'><event xmlns='http://jabber.org/protocol/pubsub#event'>` +
        `<items><item publisher='${fullJidOf(2)}'/></items></event></message>`,
    )
    const items = message.getChild('event')?.getChild('items')
    const item = items?.getChild('item')
    if (!items || !item) throw new Error('no item')
    items.attrs['node'] = node
    item.attrs['id'] = id
    item.children.push(payload)
    payload.parent = item
    timed(() => this.#emitter.emit('message', message))
  }

  async #request(payload: Element): Promise<void> {
    for (const handler of this.#handlers.values()) {
      const answer = timed(() => handler({ from: fullJidOf(2), payload }))
      answer.catch(() => undefined)
      await this.#carryOut()
      await answer.catch((error: unknown) => expect(error).toBeInstanceOf(StanzaError))
    }
  }

  /** Does what the bridge wants of the cluster, until it wants nothing more, a bounded number of times. */
  async #carryOut(): Promise<void> {
    await settled()
    for (let round = 0; round < 20; round += 1) {
      const { bridge } = this
      for (const feed of bridge.take('subscribe')) bridge.post({ ...feed, type: 'Subscribed' })
      const commands: ClusterCommand[] = [
        ...bridge.take('ask'),
        ...bridge.take('pull'),
        ...bridge.take('readMembers'),
        ...bridge.take('answerPage'),
        ...bridge.take('answerStatus'),
        ...bridge.take('refuse'),
        ...bridge.take('disregard'),
      ]
      if (commands.length === 0) return
      for (const command of commands) this.#perform(command)
      await settled()
    }
  }

  #perform(command: ClusterCommand): void {
    timed(() => this.#edge.perform(command))
  }

  #answerTo(to: string, asked: Element): Element {
    const payload = to === service ? this.#answerOfService(asked) : this.#answerOfMember(to, asked)
    const answer = parse(`<iq type='result' from='${to}'/>`)
    answer.children.push(payload)
    payload.parent = answer
    return answer
  }

  #answerOfMember(to: string, asked: Element): Element {
    if (!to.startsWith(`${jidOf(3)}/`) && this.#answer !== undefined) return this.#answer
    if (to !== fullJidOf(2) && to !== fullJidOf(3)) {
      throw new StanzaError('service-unavailable', 'cancel')
    }
    const number = to === fullJidOf(3) ? 3 : 2
    const entries = [device(number === 3 ? victim : 'PJSIP/1001', 'INUSE')]
    const status = statusOf(number)
    return asked.getName() === 'status'
      ? encodeStatus(status)
      : encodePage({ ...status, entries, isLast: true })
  }

  #answerOfService(asked: Element): Element {
    const pubsub = parse(`<pubsub xmlns='http://jabber.org/protocol/pubsub'/>`)
    const [what] = asked.getChildElements()
    const node = what?.attrs['node'] ?? ''
    if (what?.getName() !== 'items') return pubsub
    const items = parse(`<items node='${node}'/>`)
    pubsub.children.push(items)
    if (node === `${root}/members`) {
      for (const number of [2, 3]) {
        const member = codecs.members.encode(memberItem(number))
        this.#add(items, jidOf(number), number, member)
      }
    }
    if (this.#item !== undefined) this.#add(items, this.#item.id, 2, this.#item.payload)
    return pubsub
  }

  #add(items: Element, id: string, publisher: number, payload: Element): void {
    const item = parse(`<item publisher='${jidOf(publisher)}'/>`)
    item.attrs['id'] = id
    item.children.push(payload)
    items.children.push(item)
  }
}
