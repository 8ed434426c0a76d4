import { once } from 'node:events'
import { createServer, Socket, type AddressInfo } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { HostPort } from '../../../src/asterisk/sip/message.js'
import { TcpTransport } from '../../../src/asterisk/sip/tcp-transport.js'

const open: { close(): unknown }[] = []
afterEach(() => {
  vi.restoreAllMocks()
  for (const each of open.splice(0)) each.close()
})

const message = 'SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n'

/** An Asterisk that listens for connections, on a free port unless told. */
async function listen(port = 0) {
  const server = createServer()
  const sockets: Socket[] = []
  server.on('connection', (socket) => {
    socket.on('error', () => undefined)
    sockets.push(socket)
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const close = () => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  open.push({ close })
  const asterisk = { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
  /** The next connection. */
  const taken = async () => ((await once(server, 'connection')) as [Socket])[0]
  return { server, asterisk, close, taken }
}

/** A transport to there; `told` is what its handlers were called with, `until` waits for so many calls. */
function transportTo(asterisk: HostPort) {
  const transport = new TcpTransport(asterisk)
  open.push(transport)
  const told: (string | HostPort)[] = []
  let onTold = (): void => undefined
  const tell = (what: string | HostPort) => {
    told.push(what)
    onTold()
  }
  const connect = (from = '127.0.0.1') =>
    transport.connect(from, {
      onOpen: tell,
      onMessage: (octets) => tell(octets.toString()),
      onClosed: (reason) => tell(`closed: ${reason}`),
    })
  const until = async (count: number) => {
    while (told.length < count) await new Promise<void>((resolve) => (onTold = resolve))
    return told
  }
  return { transport, told, connect, until }
}

/** A transport that is connected, and Asterisk's end of it. */
async function connected() {
  const listener = await listen()
  const own = transportTo(listener.asterisk)
  const taken = listener.taken()
  own.connect()
  const peer = await taken
  await own.until(1)
  own.told.length = 0
  return { ...listener, ...own, peer }
}

/** Reads until so much has come. */
async function read(socket: Socket, length: number): Promise<string> {
  let text = ''
  while (text.length < length) text += String((await once(socket, 'data'))[0])
  return text
}

describe('the connection to Asterisk', () => {
  it('comes from the given address, which Asterisk admits, and tells its own end', async () => {
    const { asterisk, taken } = await listen()
    const { connect, until } = transportTo(asterisk)
    const accepted = taken()
    connect('127.0.0.2')
    const { remoteAddress, remotePort } = await accepted
    expect(remoteAddress).toBe('127.0.0.2')
    expect(await until(1)).toEqual([{ host: '127.0.0.2', port: remotePort }])
  })

  it('brings all that is sent, in order, whether in one turn or in several', async () => {
    const { transport, peer } = await connected()
    const sent = Array.from({ length: 100 }, (_, index) => `request ${index};`)
    const arrived = read(peer, sent.join('').length)
    for (const [index, text] of sent.entries()) {
      transport.send(Buffer.from(text))
      if (index % 10 === 0) await new Promise(setImmediate)
    }
    expect(await arrived).toBe(sent.join(''))
  })

  // In how many pieces it arrives is up to TCP; what can be seen is how it is given to the system.
  it('gives the system at once what is sent in one turn', async () => {
    const { transport, peer } = await connected()
    const write = vi.spyOn(Socket.prototype, '_write')
    const writeAll = vi.spyOn(Socket.prototype as Required<Socket>, '_writev')
    for (const turn of [1, 2]) {
      const arrived = read(peer, 3)
      for (const text of ['a', 'b', 'c']) transport.send(Buffer.from(text))
      expect(await arrived).toBe('abc')
      expect(write).not.toHaveBeenCalled()
      expect(writeAll).toHaveBeenCalledTimes(turn)
    }
  })

  it('gives what Asterisk sends message by message, however it is cut', async () => {
    const { peer, until } = await connected()
    const body = 'SIP/2.0 200 OK\r\nl: 4\r\n\r\nbody'
    peer.write(message + body + message.slice(0, 20))
    expect(await until(2)).toEqual([message, body])
    peer.write(message.slice(20))
    expect(await until(3)).toEqual([message, body, message])
  })

  it('is one, however often it is asked for', async () => {
    const { connect, peer, until } = await connected()
    connect()
    peer.end(message)
    expect(await until(2)).toEqual([message, 'closed: Asterisk closed the connection'])
  })

  it('that Asterisk ends is told once, with the reason, and can be had again', async () => {
    const { transport, connect, peer, taken, until, told } = await connected()
    peer.resetAndDestroy()
    expect(await until(1)).toEqual(['closed: read ECONNRESET'])
    transport.send(Buffer.from('into the void'))
    const accepted = taken()
    connect()
    const again = await accepted
    const arrived = read(again, message.length)
    await until(2)
    transport.send(Buffer.from(message))
    expect(await arrived).toBe(message)
    again.end()
    await until(3)
    expect(told.slice(2)).toEqual(['closed: Asterisk closed the connection'])
  })

  it('that nobody takes is told with the reason, and can be had when somebody does', async () => {
    const { asterisk, close, server } = await listen()
    const closed = once(server, 'close')
    close()
    await closed
    const { connect, until, told } = transportTo(asterisk)
    connect()
    const refusal = `closed: connect ECONNREFUSED 127.0.0.1:${asterisk.port}`
    expect((await until(1))[0]).toContain(refusal)
    await listen(asterisk.port)
    connect()
    await until(2)
    expect(told[1]).toMatchObject({ host: '127.0.0.1' })
  })

  it.each([
    ['tells no length', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'no content-length header on a stream'],
    ['never ends', 'x'.repeat(70_000), 'message of more than 64 KiB'],
  ])(
    'is ended where what comes %s, for nothing after it can be told apart',
    async (_, text, why) => {
      const { peer, until } = await connected()
      const over = once(peer, 'close')
      peer.write(text)
      expect(await until(1)).toEqual([`closed: ${why}`])
      await over
    },
  )

  it('that the bridge ends is reset, so that Asterisk reads no more, and not told', async () => {
    const { transport, peer, told, connect, until, taken } = await connected()
    const reset = once(peer, 'error')
    peer.resume()
    transport.close()
    transport.close()
    expect(await reset).toMatchObject([{ code: 'ECONNRESET' }])
    const accepted = taken()
    connect()
    await accepted
    await until(1)
    expect(told).toMatchObject([{ host: '127.0.0.1' }])
  })

  it('that the bridge ends before it is there is not told when it comes', async () => {
    const { server, asterisk } = await listen()
    server.on('connection', (socket) => socket.write(message))
    const { transport, connect, until } = transportTo(asterisk)
    connect()
    transport.close()
    connect()
    expect(await until(2)).toMatchObject([{ host: '127.0.0.1' }, message])
  })
})
