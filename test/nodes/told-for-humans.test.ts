/** What payloads say for humans only: it goes there and back, and where it makes no sense the rest is taken all the same. */
import { parse } from 'ltx'
import { describe, expect, it } from 'vitest'
import type { MemberItem } from '../../src/bridge/messages.js'
import { feedCodec } from '../../src/nodes/feed.js'
import { membersCodec } from '../../src/nodes/members.js'

const eid = '02:00:00:00:00:0a'
const epoch = 'a'.repeat(32)
const batch = { eid, epoch, sequence: 1, isBye: false, entries: [] }
const batchText = (attributes: string): string =>
  `<batch xmlns='urn:hintbridge:1' eid='${eid}' epoch='${epoch}' seq='1' ${attributes}/>`
const decode = (text: string) => feedCodec.decode(parse(text), { eid, id: 'batch' })

describe('the time of a batch', () => {
  it('goes there and back to the millisecond, as XEP-0082 writes it', () => {
    const atMs = Date.UTC(2026, 10, 21, 11, 10, 0, 123)
    const payload = feedCodec.encode({ ...batch, atMs })
    expect(payload.attrs['at']).toBe('2026-11-21T11:10:00.123Z')
    expect(decode(payload.toString())).toEqual({ ...batch, atMs })
  })

  it('may be missing: an older bridge does not say it', () => {
    expect(feedCodec.encode(batch).attrs['at']).toBeUndefined()
    expect(decode(batchText(''))).toEqual(batch)
  })

  it.each(['yesterday', '2026-11-21', '2026-99-21T11:10:00Z', '2026-11-21T11:10:00+01:00', ''])(
    "is left out where it is '%s', and the batch is taken",
    (text) => {
      expect(decode(batchText(`at='${text}'`))).toEqual(batch)
    },
  )
})

describe('the Asterisk of a member', () => {
  const item: MemberItem = {
    id: 'pbx-a@example.org',
    eid,
    name: 'pbx-a',
    jid: `pbx-a@example.org/${eid}`,
    service: 'pubsub.example.org',
    epoch,
    version: '0.1.0',
  }
  const decodeItem = (text: string) => membersCodec.decode(parse(text), { id: item.id })

  it('goes there and back', () => {
    const told = { ...item, pbxVersion: 'Asterisk PBX 22.10.1+dfsg' }
    expect(decodeItem(membersCodec.encode(told).toString())).toEqual(told)
  })

  it('may be missing, and is left out where it is no name', () => {
    expect(decodeItem(membersCodec.encode(item).toString())).toEqual(item)
    const tooLong = { ...item, pbxVersion: 'x'.repeat(256) }
    expect(decodeItem(membersCodec.encode(tooLong).toString())).toEqual(item)
  })
})
