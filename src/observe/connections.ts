import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { groupOf, thisMachine } from './source.js'

/** So many connections are held of one address … */
const mostOfOne = 128
/** … and of all but this machine, whose scrapers and proxy none of the others can keep out. */
const mostOfOthers = 256
/** Without a byte in either direction for so long, ms, a connection is over; an event stream says something every 15 s. */
const silentMs = 60_000

/** Options of `createServer`: a request that does not come to its end is ended. Looked at every second. */
export const requestTimeouts = {
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 1_000,
} as const

/**
 * Holds a server to a bounded number of connections. Where they are all in use the oldest that asks nothing gives way to a new
 * one, so that whoever only holds connections keeps nobody out; where all are being answered the new one is ended. `onRefused`
 * is told of each that is ended, and of each whose request did not come.
 */
export function limitConnections(
  server: Server,
  onRefused: (reason: 'connections' | 'timeout') => void,
): void {
  /** By age; `isAsking`: a request is being answered on it. */
  const held = new Map<Socket, { readonly from: string; isAsking: boolean }>()
  server.setTimeout(silentMs)
  server.on('connection', (socket: Socket) => {
    const from = groupOf(socket.remoteAddress)
    const rivals = rivalsOf(from)
    if (rivals !== undefined) {
      onRefused('connections')
      const idle = [...held].find(([, each]) => !each.isAsking && rivals(each.from))?.[0]
      if (idle === undefined) {
        socket.destroy()
        return
      }
      held.delete(idle)
      idle.destroy()
    }
    held.set(socket, { from, isAsking: false })
    socket.once('close', () => held.delete(socket))
  })
  server.on('request', ({ socket }, response) => {
    const connection = held.get(socket)
    if (connection === undefined) return
    connection.isAsking = true
    response.once('close', () => (connection.isAsking = false))
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const isLate = error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
    if (isLate) onRefused('timeout')
    // Not `end` alone: whoever does not end its side would hold the connection.
    if (socket.writable)
      socket.write(`HTTP/1.1 ${isLate ? '408' : '400'} \r\nConnection: close\r\n\r\n`)
    socket.destroySoon()
  })

  /** Whose connections one of that address must take the place of; `undefined` where there is room. */
  function rivalsOf(from: string): ((other: string) => boolean) | undefined {
    const all = [...held.values()]
    const isSame = (other: string): boolean => other === from
    if (all.filter((each) => isSame(each.from)).length >= mostOfOne) return isSame
    const isOther = (other: string): boolean => other !== thisMachine
    const isFull = all.filter((each) => isOther(each.from)).length >= mostOfOthers
    return isOther(from) && isFull ? isOther : undefined
  }
}
