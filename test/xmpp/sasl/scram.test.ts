import { describe, expect, it } from 'vitest'
import type { ChannelBinding } from '../../../src/xmpp/sasl/channel-binding.js'
import { Scram } from '../../../src/xmpp/sasl/scram.js'

const credentials = { username: 'user', password: 'pencil' }

const published = [
  {
    source: 'RFC 5802 §5',
    name: 'SCRAM-SHA-1',
    nonce: 'fyko+d2lbbFgONRv9qkxdawL',
    serverFirst: 'r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096',
    final: 'c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=',
    serverFinal: 'v=rmF9pqV8S7suAoZWja4dJRkFsKQ=',
  },
  {
    source: 'RFC 7677 §3',
    name: 'SCRAM-SHA-256',
    nonce: 'rOprNGfwEbeRWgbNEkqO',
    serverFirst:
      'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    final:
      'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    serverFinal: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
  },
] as const

it.each(published)('follows $source', async ({ name, nonce, serverFirst, final, serverFinal }) => {
  const scram = new Scram(name, credentials, 'n', nonce)
  expect(scram.initial()).toBe(`n,,n=user,r=${nonce}`)
  expect(await scram.respond(serverFirst)).toBe(final)
  for (const wrong of [
    ...[`v=A${serverFinal.slice(3)}`, 'v=AAAA', '', 'v='],
    ...[`e=other-error`, `e=x,${serverFinal}`, `m=x,${serverFinal}`, `${serverFinal}\n`],
  ]) {
    expect(() => scram.verify(wrong)).toThrow('signature is wrong')
  }
  scram.verify(serverFinal)
})

it('takes the signature in a challenge of its own too (RFC 6120 §6.3.10)', async () => {
  const [{ name, nonce, serverFirst, serverFinal }] = published
  const scram = new Scram(name, credentials, 'n', nonce)
  await scram.respond(serverFirst)
  await expect(scram.respond('v=AAAA')).rejects.toThrow('signature is wrong')
  expect(await scram.respond(serverFinal)).toBe('')
  // It has come: the success brings it no second time.
  scram.verify('')
})

describe('a challenge', () => {
  it.each([
    ['with a nonce that is not ours', 'r=other,s=QSXCR+Q6sek8bf92,i=4096'],
    ['with our nonce alone', 'r=mine,s=QSXCR+Q6sek8bf92,i=4096'],
    ['without salt', 'r=mine+,s=,i=4096'],
    ['with too few iterations', 'r=mine+,s=QSXCR+Q6sek8bf92,i=1'],
    ['with iterations without end', 'r=mine+,s=QSXCR+Q6sek8bf92,i=1000000000'],
    ['with iterations that are no number', 'r=mine+,s=QSXCR+Q6sek8bf92,i=0x1000'],
    ['with a mandatory extension', 'm=x,r=mine+,s=QSXCR+Q6sek8bf92,i=4096'],
    ['with an attribute twice', 'r=mine+,r=mine+,s=QSXCR+Q6sek8bf92,i=4096'],
    ['in another order', 's=QSXCR+Q6sek8bf92,r=mine+,i=4096'],
    ['with an error', 'e=unknown-user'],
    ['that is empty', ''],
  ])('%s is refused', async (_title, challenge) => {
    const scram = new Scram('SCRAM-SHA-256', credentials, 'n', 'mine')
    await expect(scram.respond(challenge)).rejects.toMatchObject({
      condition: 'server-signature',
      message: "the server's SCRAM-SHA-256 challenge is unsound",
    })
  })

  it('with as many iterations as are allowed does not hold the event loop', async () => {
    const scram = new Scram('SCRAM-SHA-512', credentials, 'n', 'mine')
    let isAnswered = false
    const answer = scram.respond('r=mine+,s=QSXCR+Q6sek8bf92,i=300000').then((text) => {
      isAnswered = true
      return text
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect(isAnswered).toBe(false)
    expect(await answer).toMatch(/^c=biws,r=mine\+,p=/)
  })
})

describe('the channel', () => {
  const binding: ChannelBinding = { type: 'tls-exporter', data: Buffer.from('channel') }
  const encoded = (text: string): string => Buffer.from(text).toString('base64')

  it.each([
    {
      binding,
      name: 'SCRAM-SHA-1-PLUS',
      header: 'p=tls-exporter,,',
      input: 'p=tls-exporter,,channel',
    },
    { binding: 'y', name: 'SCRAM-SHA-1', header: 'y,,', input: 'y,,' },
    { binding: 'n', name: 'SCRAM-SHA-1', header: 'n,,', input: 'n,,' },
  ] as const)('is bound to as the header $header says', async ({ name, header, input, ...row }) => {
    const scram = new Scram('SCRAM-SHA-1', credentials, row.binding, 'mine')
    expect(scram.name).toBe(name)
    expect(scram.initial()).toBe(`${header}n=user,r=mine`)
    const final = await scram.respond('r=mine+,s=QSXCR+Q6sek8bf92,i=4096')
    expect(final).toContain(`c=${encoded(input)},r=mine+,p=`)
  })
})

it('escapes what is in a name, and folds compatibility forms', () => {
  const user = { username: 'a=b,ﬁ', password: '' }
  expect(new Scram('SCRAM-SHA-1', user, 'n', 'mine').initial()).toBe('n,,n=a=3Db=2Cfi,r=mine')
})
