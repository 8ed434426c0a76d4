/**
 * The least that anything on a bridge's path does: gives what its Asterisk publishes to its feed, one publish in flight,
 * and injects what the other feed brings by TCP, 32 in flight, with credentials. No table, no checks, no retries, no XML parser.
 * Compiled before it runs, as a bridge is.
 */
import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { connect as connectTcp } from 'node:net'
import { connect } from 'node:tls'
import { DigestClient } from '../../src/asterisk/sip/digest.js'
import type { RelayPlan } from './plan.js'

interface Lane {
  readonly callId: string
  readonly digest: DigestClient
  sequence: number
  etag: string
  /** The state that is being injected, by its device. */
  busyWith: readonly [device: string, state: string] | undefined
}

const plan = JSON.parse(process.argv[2] ?? '') as RelayPlan
const { sipPort, asteriskPort } = plan
const bare = `${plan.user}@${plan.domain}`

/** What waits to be published, and to be injected: the last state of a device. */
const toPublish = new Map<string, string>()
const toInject = new Map<string, string>()
const lanes = Array.from({ length: 32 }, (_, index): Lane => {
  const digest = new DigestClient(plan.sipCredentials)
  return { callId: `relay-${sipPort}-${index}`, digest, sequence: 0, etag: '', busyWith: undefined }
})
let isPublishing = false
let isOnline = false

const sip = createSocket('udp4')
sip.on('message', (datagram, { port }) => {
  const text = datagram.toString('latin1')
  const copied = ['Via', 'From', 'To', 'Call-ID', 'CSeq'].map(
    (name) => `${name}: ${header(text, name)}\r\n`,
  )
  const state = /"device":"([^"]*)","state":"([^"]*)"/.exec(text)
  if (state) toPublish.set(state[1] ?? '', state[2] ?? '')
  const answer = `SIP/2.0 200 OK\r\n${copied.join('')}SIP-ETag: relay\r\nExpires: 3600\r\nContent-Length: 0\r\n\r\n`
  sip.send(answer, port, '127.0.0.1')
  if (state) publish()
})
sip.bind(sipPort, '127.0.0.1')

const injections = connectTcp({ host: '127.0.0.1', port: asteriskPort, noDelay: true })
let answers = ''
injections.setEncoding('latin1')
injections.on('data', (text: string) => {
  answers += text
  injections.cork()
  for (let end = endOfHead(answers); end !== 0; end = endOfHead(answers)) {
    answered(answers.slice(0, end))
    answers = answers.slice(end)
  }
  injections.uncork()
})

/** Where the first answer ends, which has no body; 0 where it is not whole. */
function endOfHead(text: string): number {
  const at = text.indexOf('\r\n\r\n')
  return at === -1 ? 0 : at + 4
}

function header(text: string, name: string): string {
  const start = text.indexOf(`\r\n${name}: `) + name.length + 4
  return text.slice(start, text.indexOf('\r\n', start))
}

function answered(text: string): void {
  const lane = lanes[Number(header(text, 'Call-ID').split('-')[2])]
  if (!lane?.busyWith) return
  const [device, state] = lane.busyWith
  lane.busyWith = undefined
  if (text.startsWith('SIP/2.0 401 ')) {
    lane.digest.take([header(text, 'WWW-Authenticate')])
    if (!toInject.has(device)) toInject.set(device, state)
  } else {
    lane.etag = text.startsWith('SIP/2.0 200 ') ? header(text, 'SIP-ETag') : ''
  }
  inject()
}

function inject(): void {
  for (const [device, state] of toInject) {
    const lane = lanes.find(({ busyWith }) => !busyWith)
    if (!lane) return
    toInject.delete(device)
    lane.busyWith = [device, state]
    lane.sequence += 1
    const { callId, digest, sequence, etag } = lane
    const uri = `sip:mesh@127.0.0.1:${asteriskPort}`
    const authorization = digest.authorize('PUBLISH', uri)
    const body = `{"type":"devicestate","device":"${device}","state":"${state}","cachable":1,"eid":"${plan.peerEid}"}`
    injections.write(
      `PUBLISH ${uri} SIP/2.0\r\n` +
        `Via: SIP/2.0/TCP 127.0.0.1:${sipPort};rport;branch=z9hG4bK${callId}-${sequence}\r\n` +
        `From: <sip:mesh@127.0.0.1>;tag=relay\r\nTo: <sip:mesh@127.0.0.1>\r\nCall-ID: ${callId}\r\n` +
        `CSeq: ${sequence} PUBLISH\r\nMax-Forwards: 70\r\nEvent: asterisk-devicestate\r\nExpires: 3600\r\n` +
        (etag === '' ? '' : `SIP-If-Match: ${etag}\r\n`) +
        (authorization === undefined ? '' : `Authorization: ${authorization}\r\n`) +
        `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
  }
}

const stream = connect({
  ...{ host: '127.0.0.1', port: plan.xmppPort, ca: readFileSync(plan.caFile) },
  ...{ servername: plan.domain, checkServerIdentity: () => undefined },
})
stream.setEncoding('utf8')
stream.setNoDelay(true)

const pubsub = (id: string, payload: string): string =>
  `<iq type='set' to='${plan.pubsub}' id='${id}'><pubsub xmlns='http://jabber.org/protocol/pubsub'>${payload}</pubsub></iq>`
const opening = `<stream:stream to='${plan.domain}' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>`
const sasl = 'urn:ietf:params:xml:ns:xmpp-sasl'
const secret = Buffer.from(`\0${plan.user}\0${plan.password}`).toString('base64')
/** What is waited for, and what follows it, until the feed is followed. */
const dialogue = [
  ['</stream:features>', `<auth xmlns='${sasl}' mechanism='PLAIN'>${secret}</auth>`],
  ['<success', opening],
  [
    '</stream:features>',
    "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>relay</resource></bind></iq>",
  ],
  [
    "id='bind'",
    `<presence/>${pubsub('subscribe', `<subscribe node='${plan.peerNode}' jid='${bare}/relay'/>`)}`,
  ],
  ["id='subscribe'", ''],
] as const

let received = ''
let step = 0
stream.on('secureConnect', () => stream.write(opening))
stream.on('data', (text: string) => {
  received += text
  if (isOnline) takeStanzas()
  else converse()
})

function converse(): void {
  const [awaited, following] = dialogue[step] ?? ['', '']
  if (!received.includes(awaited)) return
  received = ''
  step += 1
  if (following !== '') stream.write(following)
  isOnline = step === dialogue.length
  if (isOnline) process.send?.('following')
}

function takeStanzas(): void {
  for (;;) {
    const end = /<\/message>|<\/iq>|<iq [^>]*\/>/.exec(received)
    if (!end) return
    const stanza = received.slice(0, end.index + end[0].length)
    received = received.slice(stanza.length)
    if (end[0] === '</message>') {
      for (const [, device, state] of stanza.matchAll(/<state id='([^']*)'>([^<]*)</g)) {
        toInject.set(device ?? '', state ?? '')
      }
      injections.cork()
      inject()
      injections.uncork()
    } else if (stanza.includes("id='publish'")) {
      isPublishing = false
      publish()
    }
  }
}

function publish(): void {
  if (isPublishing || !isOnline || toPublish.size === 0) return
  isPublishing = true
  const states = [...toPublish].map(([device, state]) => `<state id='${device}'>${state}</state>`)
  toPublish.clear()
  const batch = `<batch xmlns='urn:hintbridge:relay'>${states.join('')}</batch>`
  stream.write(
    pubsub('publish', `<publish node='${plan.ownNode}'><item id='last'>${batch}</item></publish>`),
  )
}

// The bench ends, and its relays with it.
process.on('disconnect', () => process.exit())
