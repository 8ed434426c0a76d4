import { describe, expect, it } from 'vitest'
import { Agenda } from '../../src/bridge/agenda.js'
import type { Command } from '../../src/bridge/commands.js'
import { MailboxClaims } from '../../src/bridge/mailbox-claims.js'
import { eidOf, mailbox, settings } from './settings.js'

const box = '1@default'
/** The own PBX is 1. */
type Said = readonly [member: number, newMessages: number]

function claimed(...said: Said[]) {
  const commands: Command[] = []
  const claims = new MailboxClaims({
    settings: settings(1),
    agenda: new Agenda(),
    nowMs: 0,
    isWatched: false,
    emit: (command) => commands.push(command),
    random: () => 0,
    newEpoch: () => '',
  })
  const news = said.map(([member, count]) => claims.claim(eidOf(member), mailbox(box, count)))
  return { claims, news, commands }
}

/** `2: 3` where 3 messages of the member 2 stand. */
function standing(claims: MailboxClaims): string {
  const last = claims.last(box)
  return last ? `${Number(last.eid.slice(-2))}: ${last.entry.newMessages}` : 'nothing'
}

describe('of what is said of a mailbox', () => {
  it.each<[string, Said[], string]>([
    ['nothing stands where nobody speaks', [], 'nothing'],
    ['the only word stands, empty or not', [[2, 0]], '2: 0'],
    ['the last change stands', [[2, 3], [1, 2], [2, 4]], '2: 4'], // prettier-ignore
    ['the last change stands, be it the own PBX that empties it', [[1, 2], [2, 3], [1, 0]], '1: 0'], // prettier-ignore
    ['the same once more is no change', [[2, 3], [3, 2], [2, 3]], '3: 2'], // prettier-ignore
    ["a peer's first word stands over a peer's", [[2, 3], [3, 2]], '3: 2'], // prettier-ignore
    ["a peer's first word stands over an own empty mailbox", [[1, 2], [1, 0], [2, 3]], '2: 3'], // prettier-ignore
    ["a peer's first word does not stand over own messages", [[1, 2], [2, 3]], '1: 2'], // prettier-ignore
    ['own messages stand, though it is their first word', [[2, 3], [1, 2]], '1: 2'], // prettier-ignore
    ['who finds it empty has changed nothing yet', [[2, 3], [3, 0]], '2: 3'], // prettier-ignore
    ['nor has the own PBX that finds it empty', [[2, 3], [1, 0]], '2: 3'], // prettier-ignore
  ])('%s (rule 5)', (_, said, stands) => {
    expect(standing(claimed(...said).claims)).toBe(stands)
  })

  it('what was said before stands when the last goes', () => {
    const { claims } = claimed([3, 1], [1, 2], [2, 3], [2, 4])
    expect(claims.withdraw(eidOf(2), box)).toBe(true)
    expect(standing(claims)).toBe('1: 2')
    expect(claims.withdraw(eidOf(2), box)).toBe(false)
    claims.withdraw(eidOf(1), box)
    expect(standing(claims)).toBe('3: 1')
  })

  it('the own word stays when the peers’ are taken back', () => {
    const { claims } = claimed([1, 2], [2, 3], [2, 4])
    claims.withdrawPeers()
    expect(standing(claims)).toBe('1: 2')
  })

  it('it is told whether it is news', () => {
    expect(claimed([2, 3], [2, 3], [2, 2], [1, 2], [1, 2]).news).toEqual([
      true,
      false,
      true,
      true,
      false,
    ])
  })

  it('an alarm names all who have messages, the own PBX too, until one is left (rule 5)', () => {
    const { claims, commands } = claimed([2, 3], [1, 2], [1, 3])
    claims.withdraw(eidOf(2), box)
    claims.withdraw(eidOf(1), box)
    expect(commands).toEqual([
      {
        to: 'observe',
        do: 'health',
        key: `mailbox-owners:${box}`,
        severity: 'warning',
        text: expect.stringContaining(`(${eidOf(2)}, ${eidOf(1)})`) as string,
      },
      { to: 'observe', do: 'health', key: `mailbox-owners:${box}`, severity: 'warning' },
    ])
  })

  it('no alarm stays when it has moved and is empty where it was (rule 5)', () => {
    expect(claimed([1, 2], [1, 0], [2, 3]).commands).toEqual([])
    const { commands } = claimed([1, 2], [2, 3], [1, 0])
    expect(commands.at(-1)).toEqual({
      to: 'observe',
      do: 'health',
      key: `mailbox-owners:${box}`,
      severity: 'warning',
    })
  })
})
