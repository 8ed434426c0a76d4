import { describe, expect, it } from 'vitest'
import { ConnectionProof } from '../../../src/asterisk/sip/connection-proof.js'
import type { OutgoingRequest } from '../../../src/asterisk/sip/publication.js'
import type { SipResponse } from '../../../src/asterisk/sip/message.js'
import { FakeClock, ownEid, parseRequest, parseResponse, publishOf, responseTo } from './support.js'

const ok = (tag: number): SipResponse =>
  parseResponse(responseTo(parseRequest(publishOf()), 200, `SIP-ETag: ${tag}`, 'Expires: 3600'))

/** Whoever has the connection takes all that is sent; nothing of it comes back. */
function start() {
  const clock = new FakeClock()
  const sent: OutgoingRequest[] = []
  const proof = new ConnectionProof({
    clock,
    uri: 'sip:hintbridge@127.0.0.1',
    credentials: { user: 'hintbridge', password: 'secret' },
    stream: { identify: (tell) => tell('same') },
    eid: () => ownEid,
    health: () => undefined,
    send: (request, onEnd) => {
      sent.push(request)
      onEnd({ type: 'response', response: ok(sent.length) })
    },
  })
  const examineFor = (seconds: number): void => {
    for (let passed = 0; passed < seconds; passed += 0.5) {
      proof.examine(() => undefined)
      clock.pass(500)
    }
  }
  return { clock, proof, sent, examineFor }
}

const isRemoval = ({ fields }: OutgoingRequest): boolean =>
  fields.some(([name, value]) => name === 'Expires' && value === '0')

describe('a connection by which nothing comes back', () => {
  it('is asked ever more seldom, and keeps one publication at Asterisk', () => {
    const { clock, sent, examineFor } = start()
    examineFor(7_200)
    expect(sent.filter((request) => !isRemoval(request)).length).toBeLessThan(7_200 / 30)
    expect(new Set(sent.map(({ callId }) => callId)).size - sent.filter(isRemoval).length).toBe(1)
    expect(clock.pending).toBe(1)
  })

  it('leaves nothing behind when it is over', () => {
    const { clock, proof, examineFor } = start()
    examineFor(10)
    proof.reset()
    expect(clock.pending).toBe(0)
  })
})
