import { describe, expect, it } from 'vitest'
import { realms, renderAsteriskSide } from '../../src/config/asterisk-side.js'

const side = {
  resource: 'bridge',
  password: 'p;w',
  asteriskPassword: 'a;w',
  asterisk: { host: '127.0.0.1', port: 5060 },
  listen: { host: '127.0.0.1', port: 5070 },
}

/** Sections as `name/type` → their settings, without comments. */
function sections(text: string): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const block of text.split(/^(?=\[)/m).slice(1)) {
    const lines = block.split('\n').filter((line) => line !== '' && !line.startsWith(';'))
    const [name = '', type = '', ...settings] = lines
    found.set(`${name}/${type.replace('type = ', '')}`, settings)
  }
  return found
}

describe('the Asterisk side', () => {
  it('holds one section of each type, tied together by name', () => {
    expect([...sections(renderAsteriskSide(side)).keys()]).toEqual([
      '[bridge]/endpoint',
      '[bridge]/auth',
      '[bridge-outbound]/auth',
      '[bridge-devicestate]/outbound-publish',
      '[bridge-mwi]/outbound-publish',
      '[bridge]/inbound-publication',
      '[bridge]/asterisk-publication',
    ])
  })

  it('lets the endpoint place no call and come from loopback only, and asks it for the secret', () => {
    const endpoint = sections(renderAsteriskSide(side)).get('[bridge]/endpoint')
    expect(endpoint).toEqual(
      expect.arrayContaining(['context =', 'auth = bridge', 'deny = 0.0.0.0/0', 'deny = ::/0']),
    )
    expect(endpoint?.filter((line) => line.startsWith('permit'))).toEqual([
      'permit = 127.0.0.0/8',
      'permit = ::1/128',
    ])
  })

  it('permits the one other address that the bridge was told to use', () => {
    const text = renderAsteriskSide({ ...side, listen: { host: '192.0.2.2', port: 5070 } })
    expect(text).toContain('permit = 192.0.2.2/32\n')
    expect(text).toContain('server_uri = sip:bridge@192.0.2.2:5070\n')
  })

  it('has a secret and a realm for each direction, and shows the bridge the one that is meant for it', () => {
    const found = sections(renderAsteriskSide(side))
    expect(found.get('[bridge]/auth')).toEqual([
      'auth_type = userpass',
      `realm = ${realms.asterisk}`,
      'username = bridge',
      'password = p\\;w',
    ])
    expect(found.get('[bridge-outbound]/auth')).toEqual([
      'auth_type = userpass',
      `realm = ${realms.bridge}`,
      'username = bridge',
      'password = a\\;w',
    ])
    for (const name of ['devicestate', 'mwi']) {
      const publish = found.get(`[bridge-${name}]/outbound-publish`)
      expect(publish).toContain('outbound_auth = bridge-outbound')
    }
  })

  it('binds the inbound publication to that endpoint', () => {
    expect(sections(renderAsteriskSide(side)).get('[bridge]/inbound-publication')).toEqual([
      'endpoint = bridge',
      'event_asterisk-devicestate = bridge',
      'event_asterisk-mwi = bridge',
    ])
  })
})
