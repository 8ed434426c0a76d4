/** What the commands say where no bridge runs: what the XMPP server has retained. */
import { once } from 'node:events'
import { type AddressInfo, Server } from 'node:net'
import { describe, expect, it } from 'vitest'
import { serverChannels } from '../../src/cli/channels.js'
import { serverStates } from '../../src/cli/server-states.js'
import {
  noteServer,
  readCluster,
  readServer,
  type ServerMember,
} from '../../src/cli/server-view.js'
import type { Config } from '../../src/config/config.js'
import { parseConfig } from '../../src/config/load.js'
import { XmppError } from '../../src/xmpp/errors.js'
import { memberItem } from '../bridge/harness.js'
import { device, jidOf, mailbox } from '../bridge/settings.js'
import { FakeService, pubsubText, refuse } from '../pubsub/fake-service.js'

const config = {
  cluster: 'asterisk',
  xmpp: { pubsub: 'pubsub.example.org' },
  isTrusted: (jid: string) => jid !== jidOf(9),
}
const kindShare = { publish: true, subscribe: true, include: ['.*'], exclude: [] }
const share = {
  device_state: kindShare,
  message_waiting: kindShare,
} as unknown as Config['share']

/** One member that can be read, and one that cannot. */
const members: readonly ServerMember[] = [
  { item: memberItem(1), entries: [device('PJSIP/1', 'INUSE'), mailbox('1@x', 2, 1)] },
  { item: memberItem(2), failure: 'forbidden' },
]
const failures = [{ member: jidOf(2), failure: 'forbidden' }]

describe('without a bridge', () => {
  it('states name the members that are left out, for a script too', () => {
    expect(serverStates(members, 'device_state', () => true)).toMatchObject({
      matched: 1,
      states: [{ id: 'PJSIP/1', sum: 'INUSE' }],
      failures,
    })
    const notes: string[] = []
    noteServer(members, { note: (text) => notes.push(text) })
    expect(notes.at(-1)).toBe('pbx-2 is left out: forbidden')
  })

  it('channels have no count of what is not known', () => {
    const { channels, failures: found } = serverChannels(
      { share, xmpp: { jid: jidOf(3) } },
      members,
    )
    expect(found).toEqual(failures)
    for (const channel of channels) {
      expect(channel.perMember).toEqual([{ jid: jidOf(1), name: 'pbx-1', states: 1 }])
      expect(channel).not.toHaveProperty('injected')
      expect(channel.own).toBe(0)
    }
  })

  it.each([
    [1, 1],
    [2, undefined],
  ])('channels of member %i, whose own count is %s', (number, own) => {
    const { channels } = serverChannels({ share, xmpp: { jid: jidOf(number) } }, members)
    expect(channels.map((channel) => channel.own)).toEqual([own, own])
  })

  it('a member of which a node cannot be read is left out with all of it', async () => {
    const iq = new FakeService()
    const item = (number: number): string => {
      const { id, eid, jid, service, epoch } = memberItem(number)
      return `<item id='${id}'><member xmlns='urn:hintbridge:1' eid='${eid}' name='n${number}' jid='${jid}' service='${service}' epoch='${epoch}' version='1'/></item>`
    }
    iq.answer = ({ text }) => {
      if (text.includes('/members"'))
        return pubsubText(`<items>${[1, 2, 9].map(item).join('')}</items>`)
      if (!text.includes(memberItem(2).eid)) return pubsubText('<items/>')
      return text.includes('/device_state"') ? pubsubText('<items/>') : refuse('forbidden', 'auth')
    }
    const found = await readCluster(config, ['device_state', 'message_waiting'], iq)
    expect(found.map(({ item: { name }, ...rest }) => [name, rest])).toEqual([
      ['n1', { entries: [] }],
      ['n2', { failure: 'forbidden' }],
    ])
  })

  it('a cluster that nobody has joined is no bare item-not-found', async () => {
    const iq = new FakeService()
    iq.answer = () => refuse('item-not-found')
    const failed = readCluster(config, [], iq)
    await expect(failed).rejects.toThrow(
      /^no bridge has joined the cluster yet: pubsub.example.org has no node asterisk\/members\. Start .*systemctl/,
    )
    await expect(failed).rejects.not.toBeInstanceOf(XmppError)
  })

  it('and without the server it says both, and what to do about each', async () => {
    const refusing = new Server().listen(0, '127.0.0.1')
    await once(refusing, 'listening')
    const { port } = refusing.address() as AddressInfo
    refusing.close()
    const { config: unreachable } = parseConfig(
      `{ trust: [pbx-a@a.example], xmpp: { jid: pbx-a@a.example, service: 'xmpp://127.0.0.1:${port}' } }`,
      { environment: { HINTBRIDGE_XMPP_PASSWORD: 'a', HINTBRIDGE_SIP_PASSWORD: 'b' } },
    )
    await expect(readServer(unreachable, [])).rejects.toThrow(
      /^no bridge runs on \S+ \(start it with 'systemctl start hintbridge'\), and the XMPP server cannot be asked in its place: failed to log in as pbx-a@a\.example: .*ECONNREFUSED \S+; \w.*/,
    )
  })

  it('a list of members that may not be read is named', async () => {
    const iq = new FakeService()
    iq.answer = () => refuse('forbidden', 'auth')
    await expect(readCluster(config, [], iq)).rejects.toThrow(
      'failed to read asterisk/members of pubsub.example.org: forbidden',
    )
  })
})
