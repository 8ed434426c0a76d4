/** Message counts: a voicemail at one PBX lights the lamps of phones at the others. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PhoneAccount } from '../../lab/asterisk.js'
import { type Cluster, startCluster } from '../../lab/cluster.js'
import type { Member } from '../../lab/member.js'
import { Phone, type Subscription } from '../../lab/phone.js'
import { xmppServers } from '../../lab/xmpp-servers.js'

/** Only A has it in its voicemail.conf. */
const mailbox = '1000@default'
/** Like it; nobody looks at it before it has messages. */
const unwatched = '3000@default'
/** A has its messages, but B lists it too and polls its own, empty spool for it, every second. */
const polled = '2000@default'

const phoneOf = (user: string, box: string) => ({ user, password: `secret-${user}`, mailbox: box })
const alice = phoneOf('alice', polled)
const bob = phoneOf('bob', polled)
const carol = phoneOf('carol', polled)
const carl = phoneOf('carl', mailbox)
const chris = phoneOf('chris', unwatched)

const dark = 'Messages-Waiting: no\r\nVoice-Message: 0/0 (0/0)\r\n'
const lit = (count: number) => `Messages-Waiting: yes\r\nVoice-Message: ${count}/0 (0/0)\r\n`

const bodies = ({ notifies }: Pick<Subscription, 'notifies'>) => notifies.map(({ body }) => body)

/** The counts that this PBX was told, by its bridge or its own voicemail, in order. */
const countsAt = ({ asterisk }: Member, of: string) =>
  asterisk.ami.events
    .filter((event) => event.get('Event') === 'MessageWaiting' && event.get('Mailbox') === of)
    .map((event) => event.get('New'))

describe.each(xmppServers)('message counts through $kind', ({ start }) => {
  let cluster: Cluster
  let a: Member
  let b: Member
  let c: Member
  const phones = new Map<string, Phone>()

  beforeAll(async () => {
    cluster = await startCluster({
      label: 'message-waiting',
      startServer: start,
      members: {
        a: { mailboxes: [mailbox, unwatched, polled], phones: [alice] },
        b: { mailboxes: [polled], phones: [bob] },
        c: { phones: [carol, carl, chris] },
      },
    })
    ;[a, b, c] = [cluster.member('a'), cluster.member('b'), cluster.member('c')]
  })

  afterAll(async () => {
    await Promise.all([...phones.values()].map((phone) => phone.stop()))
    await cluster.stop()
  })

  function lampOf(account: PhoneAccount, member: Member): Promise<Subscription> {
    const known = phones.get(account.user)
    const phone = known ?? new Phone(cluster.scratch, account, member.asterisk.sipPort)
    phones.set(account.user, phone)
    return phone.subscribeMailbox()
  }

  /** Resolves when the phone was told so in its last NOTIFY. */
  const shows = (lamp: Subscription, body: string) =>
    lamp.awaitNotifies((notifies) => notifies.at(-1)?.body === body)

  test('a voicemail at A lights the lamp of a phone at another PBX, counts up, and puts it out', async () => {
    const lamp = await lampOf(carl, c)
    for (const count of [1, 3, 0]) {
      a.asterisk.layVoicemail(mailbox, count)
      await shows(lamp, count > 0 ? lit(count) : dark)
    }
    expect(bodies(lamp)).toEqual([dark, lit(1), lit(3), dark])
    expect(lamp.notifies[1]?.contentType).toBe('application/simple-message-summary')
  })

  test('a phone that subscribes later finds its lamp lit', async () => {
    a.asterisk.layVoicemail(unwatched, 2)
    await c.asterisk.awaitDeviceState(`MWI:${unwatched}`, 'INUSE')
    const lamp = await lampOf(chris, c)
    expect(bodies(lamp)).toEqual([lit(2)])
  })

  test('the lamps of A’s mailbox stay lit although B polls its own empty spool for it', async () => {
    const [atA, atB, atC] = await Promise.all([lampOf(alice, a), lampOf(bob, b), lampOf(carol, c)])
    a.asterisk.layVoicemail(polled, 2)
    // B's own Asterisk puts its lamp out with the next poll, and its bridge lights it again.
    const hasThree = (): boolean => countsAt(b, polled).length >= 3
    await b.asterisk.ami.awaitEvent(hasThree, undefined, 0, 'third count')
    expect(countsAt(b, polled).slice(0, 3)).toEqual(['2', '0', '2'])
    // A NOTIFY says what is when it is written: in between either may be told, in the end what is.
    await atB.awaitNotifies(({ length }) => length >= 4)
    expect(bodies(atB).at(0)).toBe(dark)
    expect(bodies(atB).at(-1)).toBe(lit(2))
    expect(bodies(atB).filter((body) => body !== dark && body !== lit(2))).toEqual([])
    // A later count comes behind whatever B might have told the others.
    a.asterisk.layVoicemail(polled, 5)
    await Promise.all([atA, atB, atC].map((lamp) => shows(lamp, lit(5))))
    expect(bodies(atA)).toEqual([dark, lit(2), lit(5)])
    expect(bodies(atC)).toEqual([dark, lit(2), lit(5)])
  })

  test('B warns of the mailbox that it polls, and names the setting to change', async () => {
    const problems = await b.problems()
    expect(problems.map(({ key }) => key)).toEqual([`mailbox-polled:${polled}`])
    expect(problems[0]?.text).toContain('pollmailboxes=no in voicemail.conf')
    expect(problems[0]?.text).toContain('share.message_waiting.claim')
    expect(await a.problems()).toEqual([])
    expect(await c.problems()).toEqual([])
  })
})
