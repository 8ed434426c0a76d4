/** Fuzzing of the octets that an XMPP server sends, on a real socket through the real parser: whatever comes, the stream ends once. */
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { StreamFailure } from '../../src/xmpp/errors.js'
import { parseServiceUri } from '../../src/xmpp/service-uri.js'
import { XmppStream } from '../../src/xmpp/stream.js'
import { FakeServer } from '../xmpp/fake-server.js'
import { corpus, mutate, mutations, timeoutMs } from './fuzzing.js'
import { onSeed } from '../search/seed.js'

/** A latin1 string stands for octets, so that mutations may break characters. */
const transcripts = corpus('stream').map(({ name, text }) => ({
  name,
  octets: Buffer.from(text).toString('latin1'),
}))
const tokens = [
  ...[
    '</stream:stream>',
    '<stream:stream>',
    '<?xml version="1.0"?>',
    '<!DOCTYPE x>',
    '<!--',
    ']]>',
  ],
  ...['<![CDATA[', '&#0;', '&#xD800;', '&bogus;', '<a:b/>', "xmlns:a=''", "id='7'", '<x', '</x>'],
  ...['\xff', '\xc3', '\xed\xa0\x80', '\xf4\x90\x80\x80', '\xef\xbf\xbf', '\xfe\xff\0<'],
  ...['<a>'.repeat(3_000), ' a="b"'.repeat(300), '<x/>'.repeat(3_000)],
]

/** When the octets come: before the stream is negotiated, or once the resource is bound. */
const stages = ['opening', 'online'] as const
type Stage = (typeof stages)[number]

describe('what an XMPP server says', () => {
  let server: FakeServer
  beforeAll(async () => {
    server = await FakeServer.listen()
  })
  afterAll(() => server.close())

  /** The server says these octets, in chunks cut at these shares of their length, and hangs up. */
  async function survives(stage: Stage, octets: string, cuts: readonly number[]): Promise<void> {
    const ends: StreamFailure[] = []
    const names: unknown[] = []
    let onEnded: () => void = () => undefined
    const ended = new Promise<void>((resolve) => (onEnded = resolve))
    const stream = new XmppStream({
      service: parseServiceUri(server.uri),
      jid: 'pbx-a@example.org',
      resource: '02:00:00:00:00:0a',
      password: 'secret',
      tls: { mode: 'insecure' },
      sasl: { mode: 'plain' },
      onPassedOver: () => undefined,
      connectTimeoutMs: 5_000,
      handlers: () => undefined,
      onStanza: (stanza) => names.push(stanza.name),
      onReceived: () => undefined,
      onFault: (error) => expect(error).toBeInstanceOf(Error),
      onEnd: (failure) => {
        ends.push(failure)
        onEnded()
      },
    })
    const opened = stream.open().then(
      () => 'online',
      (error: unknown) => error,
    )
    const peer = await server.accept()
    if (stage === 'online') {
      await peer.bind()
      expect(await opened).toBe('online')
    }
    for (const chunk of chunks(Buffer.from(octets, 'latin1'), cuts)) peer.write(chunk)
    peer.socket.end()
    await ended
    await peer.closed()
    if (stage === 'opening') expect(await opened).toBe(ends[0])
    expect(ends).toHaveLength(1)
    expect(ends[0]?.condition).not.toBe('timeout')
    expect(stream.isOnline).toBe(false)
    for (const name of names) expect(name).toMatch(/^(message|presence)$/)
  }

  const all = transcripts.flatMap((transcript) => stages.map((stage) => ({ ...transcript, stage })))
  it.each(all)('ends the stream at most: $name when $stage', async ({ stage, octets }) => {
    await survives(stage, octets, [])
  })

  it(
    'ends the stream at most, however it is mutated and cut',
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...stages),
          fc.constantFrom(...transcripts),
          mutations(tokens),
          fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 }),
          (stage, { octets }, changes, cuts) => survives(stage, mutate(octets, changes), cuts),
        ),
        onSeed(150),
      )
    },
    timeoutMs,
  )
})

function chunks(octets: Buffer, cuts: readonly number[]): Buffer[] {
  const ends = [...cuts.map((share) => Math.floor(share * octets.length)), octets.length]
  return ends
    .sort((one, other) => one - other)
    .map((end, index) => octets.subarray(index === 0 ? 0 : ends[index - 1], end))
    .filter(({ length }) => length > 0)
}
