import { describe, expect, it } from 'vitest'
import { judgeOwners, parseSockets } from '../../../src/asterisk/sip/socket-owner.js'

const title =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode'
const line = (local: string, remote: string, uid: number): string =>
  `   0: ${local} ${remote} 01 00000000:00000000 00:00000000 00000000 ${String(uid).padStart(5)}        0 12345 1 0000000000000000 100 0 0 10 0`
const table = (...lines: string[]): string => [title, ...lines, ''].join('\n')

/** The bridge's own end is 127.0.0.1:40000, Asterisk's port 5060. */
const own = { host: '127.0.0.1', port: 40_000 }
const ownText = '0100007F:9C40'
const asterisk = '0100007F:13C4'
const nobodyThere = '00000000:0000'

const judged = (tcp: string, udp: string): boolean | undefined =>
  judgeOwners(parseSockets(tcp), parseSockets(udp), own, 5_060)

describe('the owner of a connection', () => {
  it('is read from the kernel, of IPv4 and IPv6', () => {
    const mapped = '0000000000000000FFFF00000100007F:13C4'
    const loopback = '00000000000000000000000001000000:13C4'
    expect(
      parseSockets(
        table(line(asterisk, ownText, 7), line(mapped, ownText, 8), line(loopback, ownText, 9)),
      ),
    ).toEqual([
      { local: { host: '127.0.0.1', port: 5_060 }, remote: own, uid: 7 },
      { local: { host: '127.0.0.1', port: 5_060 }, remote: own, uid: 8 },
      { local: { host: '::1', port: 5_060 }, remote: own, uid: 9 },
    ])
  })

  it.each([
    ['the same', line(asterisk, ownText, 107), [line(asterisk, nobodyThere, 107)], true],
    [
      'the same, by a bind to all',
      line(asterisk, ownText, 0),
      [line('00000000:13C4', nobodyThere, 0)],
      true,
    ],
    ['another', line(asterisk, ownText, 1_000), [line(asterisk, nobodyThere, 107)], false],
    [
      'another beside a bind to all',
      line(asterisk, ownText, 107),
      [line('00000000:13C4', nobodyThere, 107), line(asterisk, nobodyThere, 1_000)],
      false,
    ],
    [
      'unknown without UDP there',
      line(asterisk, ownText, 107),
      [line('0100007F:13C5', nobodyThere, 107)],
      undefined,
    ],
    [
      'unknown to this namespace',
      line(asterisk, ownText, 65_534),
      [line(asterisk, nobodyThere, 65_534)],
      undefined,
    ],
    [
      'unknown of another connection',
      line(asterisk, '0100007F:9C41', 107),
      [line(asterisk, nobodyThere, 107)],
      undefined,
    ],
  ])('is %s', (_, tcp, udp, isSame) => {
    expect(judged(table(tcp), table(...udp))).toBe(isSame)
  })
})
