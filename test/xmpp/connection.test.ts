import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import xml, { type Element } from '@xmpp/xml'
import { createCa } from '../../lab/ca.js'
import { createScratch } from '../../lab/scratch.js'
import { XmppConnection, type ConnectionOptions } from '../../src/xmpp/connection.js'
import { Disconnected, RequestTimeout, StanzaError } from '../../src/xmpp/errors.js'
import type { ConnectionStatus } from '../../src/xmpp/status.js'
import { FakeServer, type FakePeer } from './fake-server.js'

const jid = 'pbx-a@example.org/02:00:00:00:00:0a'
const service = 'pubsub.example.org'

let server: FakeServer
let connections: XmppConnection[]
let said: { condition?: string; remedy?: string }[]

function connect(options: Partial<ConnectionOptions> = {}): XmppConnection {
  const note = (fields: object): unknown => said.push(fields)
  const connection = new XmppConnection({
    services: [server.uri],
    jid: 'pbx-a@example.org',
    resource: '02:00:00:00:00:0a',
    password: () => 'sécret',
    tls: { mode: 'insecure' },
    sasl: { mode: 'plain' },
    silenceLimitMs: 60_000,
    conflictWaitMs: 60_000,
    backoff: { firstMs: 1, capMs: 10 },
    log: { debug: () => undefined, info: () => undefined, warn: note, error: note },
    ...options,
  })
  connections.push(connection)
  connection.start()
  return connection
}

async function status<State extends ConnectionStatus['state']>(
  connection: XmppConnection,
  state: State,
): Promise<Extract<ConnectionStatus, { state: State }>> {
  for (;;) {
    const { status: present } = connection
    if (present.state === state) return present as Extract<ConnectionStatus, { state: State }>
    await once(connection, 'status', { signal: AbortSignal.timeout(5000) })
  }
}

async function online(options?: Partial<ConnectionOptions>): Promise<[XmppConnection, FakePeer]> {
  const connection = connect(options)
  const peer = await (await server.accept()).login()
  await status(connection, 'online')
  return [connection, peer]
}

beforeEach(async () => {
  said = []
  connections = []
  server = await FakeServer.listen()
})

afterEach(async () => {
  server.close()
  await Promise.all(connections.map((connection) => connection.stop()))
})

describe('opening a stream', () => {
  it('binds the resource it is given and is present with priority -1 (rule 20)', async () => {
    const [connection, peer] = await online()
    expect(connection.jid).toBe(jid)
    expect(peer.transcript).toContain('<resource>02:00:00:00:00:0a</resource>')
    expect(peer.transcript).not.toContain('urn:xmpp:sm:')
  })

  it('sends the password in UTF-8', async () => {
    const [, peer] = await online()
    const [, text = ''] = /<auth[^>]*>([^<]*)</.exec(peer.transcript) ?? []
    expect(Buffer.from(text, 'base64').toString('utf8')).toBe('\0pbx-a\0sécret')
  })

  it('gives up on a peer that takes the connection and says nothing', async () => {
    const connection = connect({ connectTimeoutMs: 30 })
    const peer = await server.accept()
    await status(connection, 'waiting')
    expect(said).toMatchObject([{ condition: 'timeout' }])
    await peer.closed()
    await server.accept()
  })

  it('says nothing of the password where TLS is required and not offered', async () => {
    const connection = connect({ tls: { mode: 'required' } })
    const peer = await server.accept()
    await peer.offer(
      `<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>`,
    )
    await status(connection, 'waiting')
    await peer.closed()
    expect(said).toMatchObject([{ condition: 'tls-unavailable' }])
    expect(said[0]?.remedy).toContain('STARTTLS')
    expect(peer.transcript).not.toContain('<auth')
  })

  it('says what to do where no mechanism is known', async () => {
    connect()
    const peer = await server.accept()
    await peer.offer(
      `<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>GSSAPI</mechanism></mechanisms>`,
    )
    await peer.closed()
    expect(said).toMatchObject([{ condition: 'no-mechanism' }])
  })

  it('remembers by what it was let in, where and how, once the server has proved itself', async () => {
    const remembered: string[][] = []
    const memory = {
      recall: (key: string): undefined => void remembered.push(['recall', key]),
      remember: (key: string, mechanism: string) => void remembered.push([key, mechanism]),
    }
    await online({ sasl: { mode: 'plain', memory } })
    const key = `example.org ${server.uri} plain`
    expect(remembered).toEqual([
      ['recall', key],
      [key, 'PLAIN'],
    ])
  })

  it('takes no success that proves nothing', async () => {
    const remembered: string[] = []
    connect({
      sasl: {
        mode: 'scram',
        memory: { recall: () => undefined, remember: (_key, name) => void remembered.push(name) },
      },
    })
    const peer = await server.accept()
    const scram = `<mechanism>SCRAM-SHA-256</mechanism>`
    await peer.offer(`<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>${scram}</mechanisms>`)
    await peer.expect(/<auth[^>]*>[^<]*<\/auth>/)
    peer.write(`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`)
    await peer.closed()
    expect(said).toMatchObject([{ condition: 'server-signature' }])
    expect(remembered).toEqual([])
  })

  it('goes on to the next service of the list, and stays there', async () => {
    const dead = await FakeServer.listen()
    const { uri } = dead
    dead.close()
    const [connection, peer] = await online({ services: [uri, server.uri] })
    peer.socket.destroy()
    await (await server.accept()).login()
    expect(await status(connection, 'online')).toMatchObject({ service: server.uri })
  })

  it('tells the same trouble once, and again after it was over', async () => {
    const [, peer] = await online()
    peer.fail('host-gone')
    for (let times = 0; times < 3; times += 1) {
      const refusing = await server.accept()
      await refusing.offer('')
      refusing.fail('host-gone')
    }
    const again = await (await server.accept()).login()
    expect(said).toMatchObject([{ condition: 'host-gone' }])
    again.fail('host-gone')
    await server.accept()
    expect(said).toMatchObject([{ condition: 'host-gone' }, { condition: 'host-gone' }])
  })

  it('does not take a certificate of another name or an unknown CA', async () => {
    const scratch = createScratch('tls-unit')
    const ca = await createCa(scratch)
    const { certFile, keyFile } = await ca.issue('other.example')
    const { readFileSync } = await import('node:fs')
    const tls = await FakeServer.listen({
      cert: readFileSync(certFile),
      key: readFileSync(keyFile),
    })
    for (const caFile of [ca.caFile, certFile]) {
      said.length = 0
      const connection = connect({ services: [tls.uri], tls: { mode: 'required', caFile } })
      await status(connection, 'waiting')
      expect(said).toMatchObject([{ condition: 'certificate' }])
      expect(said[0]?.remedy).toContain('xmpp.tls.ca')
    }
    const trusting = connect({
      services: [tls.uri],
      jid: 'x@other.example',
      tls: { mode: 'required', caFile: ca.caFile },
    })
    await (await tls.accept()).login()
    await status(trusting, 'online')
    tls.close()
    await trusting.stop()
    scratch.remove()
  })

  it('says so where the CA file cannot be read', async () => {
    const tls = { mode: 'required', caFile: '/nonexistent/ca.pem' } as const
    const connection = connect({ services: ['xmpps://127.0.0.1:1'], tls })
    await status(connection, 'waiting')
    expect(said).toMatchObject([
      {
        condition: 'certificate',
        reason: 'failed to read the CA file /nonexistent/ca.pem (ENOENT)',
      },
    ])
  })
})

describe('reading', () => {
  it('keeps characters whole that are split between chunks', async () => {
    const [connection, peer] = await online()
    const message = once(connection, 'message') as Promise<[Element]>
    const octets = Buffer.from('<message><body>é😀</body></message>')
    for (const octet of octets) {
      peer.write(Buffer.from([octet]))
      await new Promise((resolve) => setImmediate(resolve))
    }
    const [received] = await message
    expect(received.getChildText('body')).toBe('é😀')
  })

  it.each([
    ['an entity that XML does not have', '<message><body>&bogus;</body></message>'],
    ['a request from nobody', "<iq type='get' id='1' from='@'><x/></iq>"],
    ['tags that do not match', '<message></body>'],
  ])('ends the stream at %s, and connects again', async (_title, text) => {
    const [connection, peer] = await online()
    peer.write(text)
    await peer.closed()
    await (await server.accept()).login()
    expect((await status(connection, 'online')).state).toBe('online')
  })

  it('survives what comes after the end of the stream, and a reset', async () => {
    const [connection, peer] = await online()
    peer.write('</stream:stream><message/><stream:stream>&bogus;')
    peer.socket.resetAndDestroy()
    await (await server.accept()).login()
    expect((await status(connection, 'online')).state).toBe('online')
  })

  it('goes on when a listener throws', async () => {
    const [connection, peer] = await online()
    connection.once('message', () => {
      throw new Error('listener')
    })
    const presence = once(connection, 'presence')
    peer.write("<message/><presence from='a@b/c'/>")
    await presence
    expect(said).toMatchObject([{ err: new Error('listener') }])
  })
})

describe('what is too big', () => {
  const flood = (peer: FakePeer, begin: string, end: string): void => {
    peer.write(`${begin}${'<a/>'.repeat(25_000)}${end}`)
  }

  it('is passed over and said, and the stream stands', async () => {
    const [connection, peer] = await online()
    const presence = once(connection, 'presence')
    connection.once('message', () => expect.unreachable())
    flood(peer, "<message from='eve@example.org/x'>", '</message>')
    peer.write("<presence from='a@b/c'/>")
    await presence
    expect(said).toEqual([{ from: 'eve@example.org/x', excess: 'more than 20000 elements' }])
  })

  it('fails the request that it answers, and no other', async () => {
    const [connection, peer] = await online()
    const [one, other] = [xml('x'), xml('y')].map((payload) =>
      connection.request(service, 'get', payload, 5_000),
    )
    const [, first = ''] = await peer.expect(/id="([^"]*)"><x\/>/)
    const [, second = ''] = await peer.expect(/id="([^"]*)"><y\/>/)
    peer.write(`<iq type='result' id='${first}' from='${service}'>${'<a/>'.repeat(110_000)}</iq>`)
    await expect(one).rejects.toThrow(`the answer of ${service} has more than 100000 elements`)
    // So much may an answer have, though no other stanza may.
    flood(peer, `<iq type='result' id='${second}' from='${service}'><true/>`, '</iq>')
    expect((await other)?.getChild('true')).toBeDefined()
    expect(said).toEqual([])
  })

  it('without end ends the stream by name, and another follows', { timeout: 30_000 }, async () => {
    const [connection, peer] = await online()
    const offline = once(connection, 'offline')
    peer.write('<message>')
    const chunk = Buffer.alloc(1_048_576, 'x')
    for (let sent = 0; sent <= 64; sent += 1) peer.write(chunk)
    expect(await offline).toMatchObject([{ condition: 'stanza-too-big' }])
    await server.accept()
    expect(said).toMatchObject([{ condition: 'stanza-too-big' }])
  })
})

describe('the end of a stream', () => {
  it.each(['system-shutdown', 'policy-violation', 'resource-constraint', 'see-other-host'])(
    'by %s is followed by another',
    async (condition) => {
      const [, peer] = await online()
      peer.fail(condition)
      await (await server.accept()).login()
      expect(said).toMatchObject([{ condition }])
    },
  )

  it('by conflict is told, and followed by a long wait', async () => {
    const [connection, peer] = await online()
    const conflicted = once(connection, 'conflicted')
    peer.fail('conflict')
    await conflicted
    expect(connection.status).toMatchObject({ state: 'waiting', delayMs: 60_000 })
  })

  it('rejects pending requests, after it was told', async () => {
    const [connection, peer] = await online()
    const order: string[] = []
    connection.on('offline', () => order.push('offline'))
    const request = connection.request(service, 'get', xml('x'), 60_000)
    request.catch(() => order.push('rejected'))
    await peer.expect(/<x\/>/)
    peer.socket.destroy()
    await expect(request).rejects.toBeInstanceOf(Disconnected)
    expect(order).toEqual(['offline', 'rejected'])
  })

  it('comes when nothing is received, after a ping (rule 23)', async () => {
    const [connection, peer] = await online({ silenceLimitMs: 60 })
    const offline = once(connection, 'offline')
    await peer.expect(/<iq type="get" to="example\.org"[^>]*><ping xmlns="urn:xmpp:ping"\/><\/iq>/)
    expect(await offline).toMatchObject([{ message: 'nothing received for 60 ms' }])
  })

  it('is polite when it is asked for, and asking twice is once', async () => {
    const [connection, peer] = await online()
    const stops = [connection.stop(), connection.stop()]
    await peer.expect(/<\/stream:stream>/)
    peer.socket.end('</stream:stream>')
    await Promise.all(stops)
    expect(connection.status).toEqual({ state: 'stopped' })
    expect(() => connection.start()).toThrow('cannot start again')
  })

  it('can be asked for while connecting and while waiting', async () => {
    const connecting = connect()
    await server.accept()
    await connecting.stop()
    expect(connecting.status.state).toBe('stopped')
    const waiting = connect({
      services: ['xmpp://127.0.0.1:1'],
      backoff: { firstMs: 60_000, capMs: 60_000 },
    })
    while ((await status(waiting, 'waiting')).delayMs === 0) await once(waiting, 'status')
    await waiting.stop()
    expect(waiting.status.state).toBe('stopped')
  })
})

describe('requests', () => {
  const answer = (id: string, from: string): string =>
    `<iq type='result' id='${id}' from='${from}'/>`

  it('are answered by whom they were sent to, and nobody else', async () => {
    const [connection, peer] = await online()
    const request = connection.request(service, 'get', xml('x'), 5000)
    const [, id = ''] = await peer.expect(/id="([^"]*)"><x\/>/)
    peer.write(answer(id, 'eve@example.org/x') + answer(id, jid) + answer('other', service))
    peer.write(`<iq type='result' id='${id}' from='${service}'><true/></iq>`)
    expect((await request).getChild('true')).toBeDefined()
  })

  it('fail with the condition of the error', async () => {
    const [connection, peer] = await online()
    const request = connection.request(service, 'set', xml('x'), 5000)
    const [, id = ''] = await peer.expect(/id="([^"]*)"><x\/>/)
    const conditions = `<conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><precondition-not-met xmlns='http://jabber.org/protocol/pubsub#errors'/>`
    peer.write(
      `<iq type='error' id='${id}' from='${service}'><error type='cancel'>${conditions}</error></iq>`,
    )
    const error = await request.catch((reason: unknown) => reason)
    expect(error).toEqual(new StanzaError('conflict', 'cancel', undefined, 'precondition-not-met'))
    expect(error).toMatchObject({ isTemporary: false })
  })

  it('fail after their time, and at once while there is no stream', async () => {
    const [connection] = await online()
    const late = connection.request(service, 'get', xml('x'), 20)
    await expect(late).rejects.toEqual(new RequestTimeout(service, 20))
    await connection.stop()
    const offline = connection.request(service, 'get', xml('x'), 20)
    await expect(offline).rejects.toBeInstanceOf(Disconnected)
  })

  it('of others are answered by their handler, pings too, and refused where there is none', async () => {
    const [connection, peer] = await online()
    expect(connection.jid).toBe(jid)
    const ask = (id: string, payload: string): void =>
      peer.write(`<iq type='get' id='${id}' from='b@example.org/x' to='${jid}'>${payload}</iq>`)
    ask('1', "<ping xmlns='urn:xmpp:ping'/>")
    await peer.expect(/<iq to="b@example\.org\/x"[^>]*id="1" type="result"\/>/)
    ask('2', "<x xmlns='urn:other'/>")
    await peer.expect(/id="2" type="error".*<service-unavailable/)
  })

  it('of others get what the handler gives or throws', async () => {
    const connection = new XmppConnection({
      services: [server.uri],
      jid: 'pbx-a@example.org',
      resource: '02:00:00:00:00:0a',
      password: () => 'x',
      tls: { mode: 'insecure' },
      sasl: { mode: 'plain' },
      silenceLimitMs: 60_000,
      conflictWaitMs: 60_000,
      log: {
        debug: () => undefined,
        info: () => undefined,
        warn: () => undefined,
        error: () => undefined,
      },
    })
    connections.push(connection)
    connection.handle('get', 'urn:a', 'a', ({ from }) => Promise.resolve(xml('b', { from })))
    connection.handle('get', 'urn:c', 'c', () =>
      Promise.reject(new StanzaError('resource-constraint', 'wait')),
    )
    connection.start()
    const peer = await (await server.accept()).login()
    await status(connection, 'online')
    peer.write("<iq type='get' id='1' from='b@example.org/x'><a xmlns='urn:a'/></iq>")
    await peer.expect(/id="1" type="result"><b from="b@example\.org\/x"\/>/)
    peer.write("<iq type='get' id='2' from='b@example.org/x'><c xmlns='urn:c'/></iq>")
    await peer.expect(/id="2" type="error".*<error type="wait"><resource-constraint/)
  })
})
