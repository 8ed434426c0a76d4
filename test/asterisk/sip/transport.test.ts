import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import type { HostPort } from '../../../src/asterisk/sip/message.js'
import { isLoopback, UdpTransport } from '../../../src/asterisk/sip/transport.js'

const open: { close(): unknown }[] = []
afterEach(async () => {
  for (const socket of open.splice(0)) await socket.close()
})

async function boundSocket(): Promise<Socket> {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return socket
}

/** A transport between a free port and that of `asterisk`, and what it hears. */
async function openTransport(asterisk: { host: string; port: number }) {
  const transport = new UdpTransport({ listen: { host: '127.0.0.1', port: 0 }, asterisk })
  open.push(transport)
  const heard: string[] = []
  let onRefused: (reason: string) => void = () => undefined
  let onHeard = (): void => undefined
  const refused = new Promise<string>((resolve) => (onRefused = resolve))
  const own = await transport.open({
    onDatagram: (datagram) => {
      heard.push(datagram.toString())
      onHeard()
    },
    onUnreachable: (reason) => onRefused(reason),
  })
  const hears = () => new Promise<void>((resolve) => (onHeard = resolve))
  return { transport, own, heard, hears, refused }
}

function openAt(listen: HostPort, asterisk: HostPort): Promise<HostPort> {
  const transport = new UdpTransport({ listen, asterisk })
  return transport.open({ onDatagram: () => undefined, onUnreachable: () => undefined })
}

describe('the UDP transport', () => {
  it('sends to and hears Asterisk from one port, and nobody else', async () => {
    const asterisk = await boundSocket()
    const stranger = await boundSocket()
    open.push(asterisk, stranger)
    const { transport, own, heard, hears } = await openTransport({
      host: '127.0.0.1',
      port: asterisk.address().port,
    })
    const arrived = once(asterisk, 'message') as Promise<[Buffer, { port: number }]>
    transport.send(Buffer.from('to Asterisk'))
    const [datagram, from] = await arrived
    expect(datagram.toString()).toBe('to Asterisk')
    expect(from.port).toBe(own.port)
    const next = hears()
    stranger.send('from a stranger', own.port, own.host, () =>
      asterisk.send('from Asterisk', own.port, own.host),
    )
    await next
    expect(heard).toEqual(['from Asterisk'])
  })

  it('tells at once when nobody listens there, and works when somebody does', async () => {
    const asterisk = await boundSocket()
    const { port } = asterisk.address()
    const { transport, own, hears, heard, refused } = await openTransport({
      host: '127.0.0.1',
      port,
    })
    asterisk.close()
    await once(asterisk, 'close')
    transport.send(Buffer.from('x'))
    expect(await refused).toMatch(/ECONNREFUSED/)
    const returned = createSocket('udp4')
    open.push(returned)
    returned.bind(port, '127.0.0.1')
    await once(returned, 'listening')
    const next = hears()
    returned.send('back', own.port, own.host)
    await next
    expect(heard).toEqual(['back'])
  })

  it('says who has its port and what to set when its own is taken', async () => {
    const taken = await boundSocket()
    open.push(taken)
    const { port } = taken.address()
    const asterisk = { host: '127.0.0.1', port: 5060 }
    await expect(openAt({ host: '127.0.0.1', port }, asterisk)).rejects.toThrow(
      `failed to listen for SIP on 127.0.0.1 port ${port}: EADDRINUSE: another program has it; ` +
        `set asterisk.sip.listen (and server_uri in pjsip_hintbridge.conf) to a free port, or stop it`,
    )
  })

  it('says that the address is not of this machine', async () => {
    // TEST-NET-1 (RFC 5737) is nobody's.
    const opened = openAt({ host: '192.0.2.1', port: 0 }, { host: '127.0.0.1', port: 5060 })
    await expect(opened).rejects.toThrow(
      /^failed to listen for SIP on 192\.0\.2\.1 port 0: EADDRNOTAVAIL: this machine has no such/,
    )
  })

  it.each([
    ['127.0.0.1', true],
    ['127.8.9.1', true],
    ['::1', true],
    ['localhost', true],
    ['0.0.0.0', false],
    ['127.example.org', false],
    ['192.0.2.1', false],
    ['::', false],
  ])('knows whether %s is loopback: %s', (host, expected) => {
    expect(isLoopback(host)).toBe(expected)
  })
})
