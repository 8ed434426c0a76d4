import { describe, expect, it } from 'vitest'
import type { Config } from '../../src/config/config.js'
import { parseConfig } from '../../src/config/load.js'
import { planReload } from '../../src/config/reload.js'

function load(more: string, password = 'xmpp-pw') {
  const text = `
trust: ['pbx-*@example.org']
xmpp: { service: 'xmpp://127.0.0.1:5222', jid: pbx-a@example.org }
${more}`
  const environment = { HINTBRIDGE_XMPP_PASSWORD: password, HINTBRIDGE_SIP_PASSWORD: 'sip-pw' }
  return parseConfig(text, { environment }).config
}

describe('reading the configuration again', () => {
  it('changes nothing where the file says the same in other words', () => {
    const plan = planReload(
      load('liveness: { heartbeat: 10s }'),
      load('liveness: { heartbeat: 10000ms }'),
    )
    expect(plan).toMatchObject({ applied: [], restartNeeded: [] })
  })

  it('applies filters, liveness, log level and passwords, and names what needs a restart', () => {
    const running = load('')
    const fresh = load(
      `
cluster: other
share: { device_state: { exclude: ['^PJSIP/9'], publish: false } }
liveness: { grace: 6s }
limits: { names_per_member: 500 }
log: { level: debug }
http: { listen: '127.0.0.1:9596' }
`,
      'new-pw',
    )
    const { config, applied, restartNeeded } = planReload(running, fresh)
    expect(applied).toEqual([
      'share.device_state.exclude',
      'liveness.grace',
      'limits.names_per_member',
      'log.level',
      'xmpp.password',
    ])
    expect(restartNeeded).toEqual(['cluster', 'share.device_state.publish', 'http.listen'])
    expect(config.cluster).toBe('asterisk')
    expect(config.http.listen.port).toBe(9595)
    expect(config.share.device_state.publish).toBe(true)
    expect(config.share.device_state.isShared('PJSIP/900')).toBe(false)
    expect(config.liveness.graceMs).toBe(6000)
    expect(config.limits).toEqual({ namesPerMember: 500, names: 200_000 })
    expect(config.log.level).toBe('debug')
    expect(config.xmpp.password.reveal()).toBe('new-pw')
  })

  it('leaves the transport to Asterisk to a restart', () => {
    const fresh = load('asterisk: { sip: { transport: tcp } }')
    expect(planReload(load(''), fresh)).toMatchObject({
      config: { asterisk: { sip: { transport: 'udp' } } },
      applied: [],
      restartNeeded: ['asterisk.sip.transport'],
    })
  })

  it("leaves a new secret of Asterisk's, or none, to a restart", () => {
    const [first, second] = ['first', 'second'].map((secret) =>
      load(`asterisk: { sip: { asterisk_password: ${secret} } }`),
    )
    if (!first || !second) throw new Error('not loaded')
    const needed = (running: Config, fresh: Config) => planReload(running, fresh).restartNeeded
    expect(needed(first, second)).toEqual(['asterisk.sip.asterisk_password'])
    expect(needed(load(''), first)).toEqual(['asterisk.sip.asterisk_password'])
    expect(needed(first, first)).toEqual([])
  })

  it('leaves a new HTTP password, or none, to a restart', () => {
    const [without, first, second] = [
      '',
      'http: { password: first }',
      'http: { password: second }',
    ].map((text) => load(text))
    if (!without || !first || !second) throw new Error('three are made')
    const needed = (before: Config, after: Config) => planReload(before, after).restartNeeded
    expect(needed(first, first)).toEqual([])
    expect(needed(first, second)).toEqual(['http.password'])
    expect(needed(without, first)).toEqual(['http.password'])
    expect(planReload(first, without)).toMatchObject({
      config: { http: first.http },
      restartNeeded: ['http.password'],
    })
  })

  it('keeps all durations where the fresh ones make no sense with the heartbeat that runs', () => {
    const running = load('')
    const fresh = load('liveness: { heartbeat: 2s, dead_after: 5s, grace: 1s, audit: 10m }')
    const { config, applied, restartNeeded } = planReload(running, fresh)
    expect(config.liveness).toEqual(running.liveness)
    expect(applied).toEqual([])
    expect(restartNeeded).toEqual([
      'liveness.heartbeat',
      'liveness.dead_after',
      'liveness.grace',
      'liveness.audit',
    ])
  })

  it('applies durations that make sense with the heartbeat that runs, without the fresh one', () => {
    const fresh = load('liveness: { heartbeat: 12s, dead_after: 40s }')
    const { config, applied, restartNeeded } = planReload(load(''), fresh)
    expect(config.liveness).toMatchObject({ heartbeatMs: 10_000, deadAfterMs: 40_000 })
    expect([applied, restartNeeded]).toEqual([['liveness.dead_after'], ['liveness.heartbeat']])
  })
})
