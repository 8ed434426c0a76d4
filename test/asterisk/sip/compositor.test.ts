import { describe, expect, it } from 'vitest'
import { Compositor, maxBodyOctets } from '../../../src/asterisk/sip/compositor.js'
import { FakeClock, parseRequest, publishOf, type PublishOptions } from './support.js'

function start() {
  const clock = new FakeClock()
  const received: [string, string][] = []
  let tags = 0
  const compositor = new Compositor({
    clock,
    events: ['asterisk-devicestate', 'asterisk-mwi'],
    makeEntityTag: () => `tag${++tags}`,
    receive: (event, body) => {
      received.push([event, body])
      return body === 'refused' ? { status: 400, refused: 'test' } : { status: 200 }
    },
  })
  const publish = (options: PublishOptions) => compositor.publish(parseRequest(publishOf(options)))
  return { clock, received, publish }
}

const ok = (tag: string, expires = '3600') => ({
  status: 200,
  fields: [
    ['SIP-ETag', tag],
    ['Expires', expires],
  ],
})
const match = (tag: string, ...more: string[]) => [`SIP-If-Match: ${tag}`, ...more]

describe('the event state compositor', () => {
  it('gives every publication a fresh entity tag and forgets the one before', () => {
    const { received, publish } = start()
    expect(publish({ body: '1' })).toEqual(ok('tag1'))
    expect(publish({ body: '2', fields: match('tag1') })).toEqual(ok('tag2'))
    expect(publish({ body: '3', fields: match('tag1') })).toEqual({ status: 412 })
    expect(received.map(([, body]) => body)).toEqual(['1', '2'])
  })

  it('answers 412 to an entity tag of another event or of a bridge before it', () => {
    const { received, publish } = start()
    publish({ body: '1' })
    expect(publish({ body: '2', event: 'asterisk-mwi', fields: match('tag1') }).status).toBe(412)
    expect(publish({ body: '2', fields: match('of-another-life') }).status).toBe(412)
    expect(received).toHaveLength(1)
  })

  it('lets a publication be refreshed without a body, and lapse', () => {
    const { clock, received, publish } = start()
    publish({ body: '1' })
    clock.pass(3_599_999)
    expect(publish({ fields: match('tag1') })).toEqual(ok('tag2'))
    clock.pass(3_600_000)
    expect(publish({ fields: match('tag2') })).toEqual({ status: 412 })
    expect(received).toHaveLength(1)
  })

  it.each([
    ['1', '1'],
    ['9999999', '86400'],
  ])('grants an expiry of %s s as %s s, never answering 423', (asked, grantedSeconds) => {
    const { publish } = start()
    expect(publish({ body: '1', expires: asked })).toEqual(ok('tag1', grantedSeconds))
  })

  it('removes a publication at Expires 0', () => {
    const { publish } = start()
    publish({ body: '1' })
    expect(publish({ expires: '0', fields: match('tag1') })).toEqual(ok('tag2', '0'))
    expect(publish({ fields: match('tag1') }).status).toBe(412)
    expect(publish({ fields: match('tag2') }).status).toBe(412)
  })

  it.each<[string, PublishOptions, number, string]>([
    ['an unknown event', { body: '1', event: 'presence' }, 489, 'event'],
    ['an expiry that is no number', { body: '1', expires: 'soon' }, 400, 'expires'],
    ['no body at first', {}, 400, 'body'],
    ['another content type', { body: '1', contentType: 'text/plain' }, 415, 'content-type'],
    ['an encoded body', { body: '1', fields: ['e: gzip'] }, 415, 'content-type'],
    ['a body over the bound', { body: 'x'.repeat(maxBodyOctets + 1) }, 413, 'oversize'],
    ['what its receiver refuses', { body: 'refused' }, 400, 'test'],
  ])('refuses %s', (_, options, status, refused) => {
    const { publish } = start()
    expect(publish(options)).toMatchObject({ status, refused })
  })

  it('says which events and types it takes', () => {
    const { publish } = start()
    expect(publish({ body: '1', event: 'presence' }).fields).toEqual([
      ['Allow-Events', 'asterisk-devicestate, asterisk-mwi'],
    ])
    expect(publish({ body: '1', contentType: 'text/plain' }).fields).toEqual([
      ['Accept', 'application/json'],
    ])
  })

  it('takes a content type with parameters, in any case', () => {
    const { publish } = start()
    const contentType = 'Application/JSON; charset=utf-8'
    expect(publish({ body: '1', contentType }).status).toBe(200)
  })

  it('keeps the entity tag of a publication whose next body was refused', () => {
    const { publish } = start()
    publish({ body: '1' })
    publish({ body: 'refused', fields: match('tag1') })
    expect(publish({ body: '2', fields: match('tag1') }).status).toBe(200)
  })
})
