/** Fuzzing of what a member sends through the XMPP server: items, answers and requests, through edge and bridge. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { eidOf, jidOf } from '../bridge/settings.js'
import { corpus, mutate, mutations, timeoutMs } from './fuzzing.js'
import { onSeed } from '../search/seed.js'
import { HostileMember, ways, type Way } from './hostile-member.js'

const payloads = corpus('xml')
const tokens = [
  ...["<state id='PJSIP/victim'>BUSY</state>", "<gone id='PJSIP/victim' kind='device_state'/>"],
  ...[
    "<mailbox id='1@d' new='-1' old='0'/>",
    '<x/>',
    '<x>',
    '</x>',
    "xmlns='urn:x'",
    '<![CDATA[',
    ']]>',
  ],
  ...['{OTHER}', '{OWN}', '{OTHEREPOCH}', '{EPOCH}', '{NEXT}', '{OTHERNEXT}', '{BARE}', '{JID}'],
  ...[
    "eid='{OTHER}'",
    "epoch='{OTHEREPOCH}'",
    "seq='2'",
    "seq='0'",
    "phase='leaving'",
    "last='false'",
  ],
  ...[
    "bye='1'",
    "after='a'",
    "kind='gone'",
    "max='1'",
    '&amp;',
    '&#0;',
    '&bogus;',
    '&#x110000;',
    '<!--',
  ],
  ...['<a>'.repeat(3_000) + '</a>'.repeat(3_000), '<x/>'.repeat(3_000), ' a="b"'.repeat(3_000)],
]
/** Item ids: whoever publishes chooses them. */
const ids = fc.constantFrom(
  ...[
    'batch',
    jidOf(2),
    jidOf(3),
    jidOf(1),
    'pbx-z@example.org',
    '',
    '__proto__',
    'a'.repeat(3_000),
  ],
)

interface Saying {
  readonly way: Way
  readonly text: string
  readonly id: string
}

async function survives(sayings: readonly Saying[]): Promise<void> {
  const member = new HostileMember()
  for (const { way, text, id } of sayings) {
    await member.say(way, text, id)
    member.expectUnharmed()
  }
  await member.expectAlive()
}

describe('what a member says', () => {
  const all = payloads.flatMap(({ name, text }) => ways.map((way) => ({ name, way, text })))
  it.each(all)('does no harm: $name as $way', async ({ way, text }) => {
    await survives([
      { way, text, id: jidOf(2) },
      { way, text, id: jidOf(3) },
    ])
  })

  it('is taken where it is true: a batch under its own EID', async () => {
    const { text = '' } = payloads.find(({ name }) => name === 'batch.xml') ?? {}
    const member = new HostileMember()
    await member.say('feed', text, 'batch')
    const injected = member.bridge.answerInjections()
    expect(injected.map(({ eid, entry }) => [eid, entry.id])).toEqual([
      [eidOf(2), 'PJSIP/1001'],
      [eidOf(2), '1000@default'],
    ])
  })

  it(
    'mutated at will changes nothing of another member, nor of the bridge (rules 4, 12, 18)',
    async () => {
      const saying = fc.record({
        way: fc.constantFrom(...ways),
        base: fc.constantFrom(...payloads),
        changes: mutations(tokens),
        id: ids,
      })
      await fc.assert(
        fc.asyncProperty(fc.array(saying, { minLength: 1, maxLength: 6 }), async (sayings) => {
          await survives(
            sayings.map(({ way, base, changes, id }) => ({
              way,
              id,
              text: mutate(base.text, changes),
            })),
          )
        }),
        onSeed(1_000),
      )
    },
    timeoutMs,
  )
})
