import { once } from 'node:events'
import xml from '@xmpp/xml'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { XmppSession } from '../../src/xmpp/session.js'
import { FakeServer } from './fake-server.js'

let server: FakeServer

beforeEach(async () => {
  server = await FakeServer.listen()
})

afterEach(() => server.close())

const open = (): Promise<XmppSession> =>
  XmppSession.open({
    service: server.uri,
    jid: 'pbx-a@example.org',
    resource: 'doctor-1',
    password: 'secret',
    tls: { mode: 'insecure' },
    sasl: { mode: 'plain' },
  })

describe('a session beside the bridge', () => {
  it('asks without having told anybody that it is there (rule 20)', async () => {
    const opened = open()
    const peer = await server.accept()
    await peer.bind()
    const session = await opened
    const answer = session.request('example.org', 'get', xml('query'), 1_000)
    const [, id = ''] = await peer.expect(/<iq [^>]*to="example\.org" id="([^"]*)"/)
    peer.write(`<iq type='result' from='example.org' id='${id}'><found/></iq>`)
    expect((await answer).getChild('found')).toBeDefined()
    const closed = session.close()
    await peer.expect(/<\/stream:stream>/)
    peer.socket.end('</stream:stream>')
    await closed
    expect(peer.transcript).not.toContain('<presence')
    expect(peer.transcript).toContain('<resource>doctor-1</resource>')
  })

  it('passes messages on, and tells its end', async () => {
    const opened = open()
    const peer = await server.accept()
    await peer.bind()
    const session = await opened
    const message = once(session, 'message')
    peer.write(`<message from='pubsub.example.org'><body>x</body></message>`)
    await message
    const ended = once(session, 'ended')
    peer.fail('system-shutdown')
    await ended
    await expect(session.request('a', 'get', xml('query'), 1_000)).rejects.toThrow(/not connected/)
  })

  it('is refused with the remedy', async () => {
    const opened = open()
    opened.catch(() => undefined)
    const peer = await server.accept()
    await peer.offer('')
    peer.fail('host-unknown')
    await expect(opened).rejects.toMatchObject({
      condition: 'host-unknown',
      remedy: 'check that xmpp.service points to a server of the domain in xmpp.jid',
    })
  })
})
