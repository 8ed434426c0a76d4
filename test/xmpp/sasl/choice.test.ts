import { describe, expect, it } from 'vitest'
import { chooseMechanism, type Offer, type SaslMode } from '../../../src/xmpp/sasl/choice.js'

const credentials = { username: 'user', password: 'pencil' }
const binding = { type: 'tls-unique', data: Buffer.from('channel') } as const

function choose(
  mechanisms: readonly string[],
  mode: SaslMode = 'scram',
  { strongest, ...offer }: Partial<Offer> & { readonly strongest?: string } = {},
): { name: string; header: string } {
  const whole = { mechanisms, binding: undefined, mayBind: false, ...offer }
  const mechanism = chooseMechanism(whole, mode, credentials, strongest)
  return { name: mechanism.name, header: mechanism.initial().split(',')[0] ?? '' }
}

describe('of what a server offers', () => {
  const onTls = { binding, mayBind: true }
  it.each([
    // Without a channel to bind to.
    [['PLAIN', 'SCRAM-SHA-1', 'SCRAM-SHA-256'], 'scram', {}, 'SCRAM-SHA-256', 'n'],
    [['SCRAM-SHA-512', 'SCRAM-SHA-256'], 'plain', {}, 'SCRAM-SHA-512', 'n'],
    [['PLAIN'], 'plain', {}, 'PLAIN', '\0user\0pencil'],
    [['SCRAM-SHA-1-PLUS', 'SCRAM-SHA-1'], 'scram', {}, 'SCRAM-SHA-1', 'n'],
    // With one.
    [['SCRAM-SHA-256', 'SCRAM-SHA-1-PLUS'], 'scram', onTls, 'SCRAM-SHA-1-PLUS', 'p=tls-unique'],
    [
      ['SCRAM-SHA-1-PLUS', 'SCRAM-SHA-256-PLUS'],
      'plain',
      onTls,
      'SCRAM-SHA-256-PLUS',
      'p=tls-unique',
    ],
    // It offers none: had it, it would know by this that somebody took it out.
    [['SCRAM-SHA-1'], 'scram', onTls, 'SCRAM-SHA-1', 'y'],
    // It offers types that this side has not.
    [['SCRAM-SHA-1', 'SCRAM-SHA-1-PLUS'], 'scram', { mayBind: true }, 'SCRAM-SHA-1', 'n'],
    [['SCRAM-SHA-1', 'SCRAM-SHA-1-PLUS'], 'scram-unbound', onTls, 'SCRAM-SHA-1', 'n'],
    [['SCRAM-SHA-1'], 'scram-unbound', onTls, 'SCRAM-SHA-1', 'n'],
  ] as const)('%j by %s: the strongest is taken', (mechanisms, mode, offer, name, header) => {
    expect(choose(mechanisms, mode, offer)).toEqual({ name, header })
  })

  it.each(['scram', 'scram-unbound'] as const)('PLAIN is not taken by %s', (mode) => {
    expect(() => choose(['PLAIN', 'X-OAUTH2'], mode)).toThrow(
      expect.objectContaining({
        condition: 'plain-only',
        message: 'the server offers no SCRAM, only PLAIN, X-OAUTH2',
      }) as Error,
    )
  })

  it.each([[['GSSAPI']], [[]], [['SCRAM-SHA-1-PLUS']]])('nothing is taken of %j', (mechanisms) => {
    const thrown = expect.objectContaining({ condition: 'no-mechanism' }) as Error
    expect(() => choose(mechanisms, 'plain')).toThrow(thrown)
  })
})

describe('never weaker than before', () => {
  const onTls = { binding, mayBind: true }
  it.each([
    ['SCRAM-SHA-256', ['PLAIN', 'SCRAM-SHA-1'], {}],
    ['SCRAM-SHA-1', ['PLAIN'], {}],
    ['SCRAM-SHA-1-PLUS', ['SCRAM-SHA-1', 'SCRAM-SHA-512'], onTls],
    ['SCRAM-SHA-1-PLUS', ['SCRAM-SHA-1-PLUS', 'SCRAM-SHA-1'], { mayBind: true }],
    ['SCRAM-SHA-256-PLUS', ['SCRAM-SHA-1-PLUS', 'SCRAM-SHA-256'], onTls],
  ] as const)('after %s, %j is refused', (strongest, mechanisms, offer) => {
    expect(() => choose(mechanisms, 'plain', { ...offer, strongest })).toThrow(
      expect.objectContaining({ condition: 'mechanism-downgraded' }) as Error,
    )
  })

  it.each([
    ['PLAIN', ['PLAIN'], {}, 'PLAIN'],
    ['PLAIN', ['SCRAM-SHA-1'], {}, 'SCRAM-SHA-1'],
    ['SCRAM-SHA-1', ['SCRAM-SHA-1', 'SCRAM-SHA-1-PLUS'], onTls, 'SCRAM-SHA-1-PLUS'],
    // As strong in each respect goes before bound.
    ['SCRAM-SHA-256', ['SCRAM-SHA-256', 'SCRAM-SHA-1-PLUS'], onTls, 'SCRAM-SHA-256'],
  ] as const)('after %s, %j is taken', (strongest, mechanisms, offer, name) => {
    expect(choose(mechanisms, 'plain', { ...offer, strongest }).name).toBe(name)
  })
})
