/** What `hintbridge init` writes for Asterisk: loaded without a complaint, and closed to everybody but the bridge. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Cluster, startCluster } from '../../lab/cluster.js'
import type { Member } from '../../lab/member.js'
import { Phone } from '../../lab/phone.js'
import { xmppServers } from '../../lab/xmpp-servers.js'

const intruder = { user: 'intruder', password: 'its-own' }
const guarded = 'Custom:guarded'
const box = '1000@default'

describe.each(xmppServers)('the Asterisk side that init writes, with $kind', ({ start }) => {
  let cluster: Cluster
  let a: Member
  let b: Member
  /** With the one secret that init made: what the bridge itself can do. */
  let asBridge: Phone

  beforeAll(async () => {
    cluster = await startCluster({
      label: 'asterisk-side',
      startServer: start,
      members: { a: { phones: [intruder], dialplan: ['exten => answer,1,Answer()'] }, b: {} },
    })
    ;[a, b] = [cluster.member('a'), cluster.member('b')]
    const file = readFileSync(join(dirname(a.configFile), 'pjsip_hintbridge.conf'), 'utf8')
    const password = /^password = (.+)$/m.exec(file)?.[1] ?? ''
    asBridge = phoneAtA({ user: 'hintbridge', password })
  })

  afterAll(() => cluster.stop())

  const phoneAtA = (account: typeof intruder) =>
    new Phone(cluster.scratch, account, a.asterisk.sipPort)

  const devicestate = (eid: string, device: string, state: string) => ({
    ...{ type: 'devicestate', device, state, cachable: 1, eid },
  })

  test('is loaded without a warning or an error', () => {
    const complaints = readFileSync(a.asterisk.logFile, 'utf8')
      .split('\n')
      .filter((line) => /WARNING|ERROR|Could not/.test(line))
      // The lab's own configuration leaves out what does not matter here, such as music on hold.
      .filter((line) => /hintbridge|res_pjsip|sorcery|config_options|acl/.test(line))
    expect(complaints).toEqual([])
  })

  test('gives the bridge an endpoint that is found by its user, and can neither call nor subscribe', async () => {
    const endpoint = await a.asterisk.cli('pjsip show endpoint hintbridge')
    expect(endpoint).toMatch(/^ *InAuth: +hintbridge\/hintbridge$/m)
    expect(endpoint).toMatch(/^ identify_by +: username$/m)
    expect(endpoint).toMatch(/^ context +: *$/m)
    expect(endpoint).toMatch(/^ allow_subscribe +: false$/m)
  })

  test('lets who knows its secret publish, but place no call', async () => {
    const state = devicestate('02:00:00:00:00:0e', 'Custom:open', 'INUSE')
    await asBridge.publish('hintbridge', 'asterisk-devicestate', state)
    await a.asterisk.awaitDeviceState('Custom:open', 'INUSE')
    const calls = [phoneAtA(intruder), asBridge].map((phone) => phone.call('answer', { holdMs: 1 }))
    const [byPhone, byBridge] = await Promise.all(calls.map(async (call) => (await call).ended))
    expect(byPhone?.code).toBe(0)
    expect(byBridge?.code).toBe(1)
  })

  test.each([
    ['a phone with its own credentials', 403, () => phoneAtA(intruder)],
    [
      'the bridge’s name with a guessed password',
      401,
      () => phoneAtA({ user: 'hintbridge', password: 'guess' }),
    ],
    ['a user whom Asterisk does not know', 401, () => phoneAtA({ user: 'who', password: 'guess' })],
  ])('refuses states and counts from %s', async (_who, status, makePhone) => {
    const phone = makePhone()
    for (const { eid } of [a.asterisk, b.asterisk]) {
      const state = devicestate(eid, guarded, 'INUSE')
      expect(await phone.tryPublish('hintbridge', 'asterisk-devicestate', state)).toBe(status)
      const counts = { type: 'mailboxstate', uniqueid: box, old: 0, new: 3, eid }
      expect(await phone.tryPublish('hintbridge', 'asterisk-mwi', counts)).toBe(status)
    }
    // What comes behind arrives at both; what was refused is nowhere.
    const fence = `Custom:fence-${status}-${_who.length}`
    await a.asterisk.setDevice(fence, 'INUSE')
    await b.asterisk.awaitDeviceState(fence, 'INUSE')
    for (const { asterisk } of [a, b]) {
      expect(await asterisk.deviceState(guarded)).toBe('UNKNOWN')
      expect(await asterisk.deviceState(`MWI:${box}`)).toBe('INVALID')
    }
  })
})
