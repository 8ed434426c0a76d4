import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { renderAsteriskSide } from '../../src/config/asterisk-side.js'
import { readSections } from '../../src/doctor/asterisk-files.js'
import { Secret } from '../../src/config/secret.js'
import { judgePublications } from '../../src/doctor/checks/asterisk-publications.js'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'asterisk-files-'))
})

afterEach(() => rmSync(folder, { recursive: true }))

const write = (name: string, text: string): void => writeFileSync(join(folder, name), text)
const read = (): (readonly [string, Record<string, string>])[] =>
  readSections(folder, 'pjsip.conf').map(({ name, settings }) => [
    name,
    Object.fromEntries(settings),
  ])

describe("Asterisk's configuration files", () => {
  it('are read with comments, escapes and both signs of assignment', () => {
    write('pjsip.conf', '[a] ; one\nType = x ; y\n;-- out\n[b]\n--;\npassword=p\\;q\nmatch => 1\n')
    expect(read()).toEqual([['a', { type: 'x', password: 'p;q', match: '1' }]])
  })

  it('are read with templates, additions, and sections of one name kept apart', () => {
    write('pjsip.conf', '[t](!)\ntype=auth\nk=1\n[a](t)\nk=2\n[a]\ntype=aor\n[a](+)\nmore=3\n')
    expect(read()).toEqual([
      ['a', { type: 'auth', k: '2' }],
      ['a', { type: 'aor', more: '3' }],
    ])
  })

  it('are read with what they include, by name and by pattern', () => {
    mkdirSync(join(folder, 'pjsip.d'))
    write('pjsip.conf', '#include pjsip_b.conf\n#include "pjsip.d/*.conf"\n#tryinclude none.conf\n')
    write('pjsip_b.conf', '[b]\ntype=b\n')
    write('pjsip.d/2.conf', '[d]\ntype=d\n')
    write('pjsip.d/1.conf', '[c]\ntype=c\n')
    write('pjsip.d/3.conf.bak', '[e]\ntype=e\n')
    expect(read().map(([name]) => name)).toEqual(['b', 'c', 'd'])
  })

  it('that are missing, or include themselves, are told', () => {
    write('pjsip.conf', '#include none.conf\n')
    expect(read).toThrow(/ENOENT/)
    write('pjsip.conf', '#include pjsip.conf\n')
    expect(read).toThrow('pjsip.conf includes itself')
  })
})

describe('the publications', () => {
  const sip = {
    resource: 'hintbridge',
    asterisk: { host: '127.0.0.1', port: 5060 },
    listen: { host: '127.0.0.1', port: 5070 },
    asteriskPassword: new Secret('other'),
  }
  const right = renderAsteriskSide({ ...sip, password: 'secret', asteriskPassword: 'other' })
  const judge = (text: string): string[] => {
    write('pjsip.conf', text)
    return judgePublications(readSections(folder, 'pjsip.conf'), sip).map(
      ({ severity, text: found }) => `${severity}: ${found}`,
    )
  }

  it('are fine as init writes them', () => {
    expect(judge(right)).toEqual(['ok: pjsip.conf has them for both directions'])
  })

  it('are fine as they once were, with one secret for both directions', () => {
    const { resource, listen } = sip
    write('pjsip.conf', right.replaceAll('hintbridge-outbound', 'hintbridge'))
    expect(
      judgePublications(readSections(folder, 'pjsip.conf'), { resource, listen }),
    ).toMatchObject([{ severity: 'ok' }])
  })

  it.each([
    [
      '[hintbridge-devicestate]\ntype = outbound-publish',
      '[hintbridge-devicestate]',
      'no outbound-publish for asterisk-devicestate',
    ],
    [
      '[hintbridge-mwi]\ntype = outbound-publish',
      '[hintbridge-mwi]',
      'no outbound-publish for asterisk-mwi',
    ],
    [
      'server_uri = sip:hintbridge@127.0.0.1:5070',
      'server_uri = sip:hintbridge@127.0.0.1:5071',
      'goes to sip:hintbridge@127.0.0.1:5071',
    ],
    ['endpoint = hintbridge', '', 'bound to no endpoint'],
    ['endpoint = hintbridge', 'endpoint = trunk', "bound to the endpoint 'trunk'"],
    ['event_asterisk-mwi = hintbridge', '', 'does not take asterisk-mwi'],
    ['type = asterisk-publication', '', "no asterisk-publication 'hintbridge'"],
    [
      'devicestate_publish = hintbridge-devicestate',
      '',
      'names no outbound-publish for asterisk-devicestate',
    ],
    [
      'outbound_auth = hintbridge-outbound',
      'outbound_auth = hintbridge',
      "shows the bridge the auth 'hintbridge', not 'hintbridge-outbound'",
    ],
    ['mailbox_state = yes', 'mailbox_state = no', 'has mailbox_state off'],
  ])("are broken where '%s' is '%s'", (from, to, text) => {
    const spoilt = right.replace(from, to)
    expect(spoilt).not.toBe(right)
    expect(judge(spoilt)).toEqual([expect.stringMatching(new RegExp(`^broken: .*${text}`))])
  })
})
