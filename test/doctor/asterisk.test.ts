/** What Asterisk's console and files said → what doctor finds. The outputs are those of Asterisk 22. */
import { describe, expect, it } from 'vitest'
import {
  judgeEndpoint,
  judgeIdentifiers,
  judgeTransports,
} from '../../src/doctor/checks/asterisk-endpoint.js'
import { judgeCount, judgeSecrets } from '../../src/doctor/checks/asterisk-secrets.js'
import { judgeModules, judgeVersion } from '../../src/doctor/checks/asterisk-modules.js'
import { judgeRunning, judgeTrial } from '../../src/doctor/checks/asterisk-sip.js'
import { judgeEntityId, judgeOther } from '../../src/doctor/checks/entity-id.js'
import type { DoctorContext } from '../../src/doctor/context.js'
import { askOwnConsole, otherConsole } from '../../src/doctor/own-console.js'
import { Secret } from '../../src/config/secret.js'

const listen = { host: '127.0.0.1', port: 5070 }
const asterisk = { host: '127.0.0.1', port: 5060 }
const side = { resource: 'hintbridge', listen }

const settingsWith = (eid: string): string =>
  `  System name:                 \n  Entity ID:                   ${eid}\n`

describe('the version of Asterisk', () => {
  it.each([
    ['Asterisk 22.10.1 built by nobody', 'ok'],
    ['Asterisk certified/20.7-cert3 built by nobody', 'ok'],
    ['Asterisk GIT-master-1234 built by nobody', 'ok'],
    ['Asterisk 16.28.0 built by nobody', 'warning'],
  ])('%s is %s', (output, severity) => {
    expect(judgeVersion(output).severity).toBe(severity)
  })
})

describe('the modules', () => {
  const line = (name: string, state: string): string =>
    `${name.padEnd(45)}.so  PJSIP something                     2         ${state}              core`.replace(
      / +\.so/,
      '.so',
    )
  const all = [
    ...[
      'res_pjsip',
      'res_pjsip_pubsub',
      'res_pjsip_outbound_publish',
      'res_pjsip_publish_asterisk',
    ],
    ...['res_pjsip_endpoint_identifier_user', 'res_pjsip_authenticator_digest'],
    'res_pjsip_outbound_authenticator_digest',
  ]

  it('are fine when all run', () => {
    expect(judgeModules(all.map((name) => line(name, 'Running')).join('\n'))).toEqual([
      { check: 'asterisk-modules', severity: 'ok', text: 'all 7 modules run' },
    ])
  })

  it('are named with what loads them where one is missing or does not run', () => {
    const output = all
      .filter((name) => name !== 'res_pjsip_publish_asterisk')
      .map((name) => line(name, name === 'res_pjsip_pubsub' ? 'Not Running' : 'Running'))
      .join('\n')
    expect(judgeModules(output)).toEqual([
      {
        check: 'asterisk-modules',
        severity: 'broken',
        text: 'res_pjsip_pubsub.so (taking PUBLISH) is loaded and does not run',
        remedy:
          "'module load res_pjsip_pubsub.so' on Asterisk's console, and let modules.conf load it",
      },
      {
        check: 'asterisk-modules',
        severity: 'broken',
        text: 'res_pjsip_publish_asterisk.so (states and counts in PUBLISH) is not loaded',
        remedy:
          "'module load res_pjsip_publish_asterisk.so' on Asterisk's console, and let modules.conf load it",
      },
    ])
  })
})

describe('the entity ID', () => {
  it.each([
    ['is fine', '02:00:00:00:00:0a', true, 'ok'],
    ['is fine where asterisk.conf cannot be read', '02:00:00:00:00:0a', undefined, 'ok'],
    ['that is empty is none', '00:00:00:00:00:00', true, 'broken'],
  ])('%s', (_, eid, isSetInFile, severity) => {
    const finding = judgeEntityId(settingsWith(eid), isSetInFile)
    expect(finding.severity).toBe(severity)
    expect(finding.remedy === undefined).toBe(severity === 'ok')
  })
})

describe('a console with another entity ID than the bridge goes by', () => {
  const [mine, theirs] = ['02:00:00:00:00:0a', '02:00:00:00:00:0b']
  const contextOf = (self?: object, learnt = mine): DoctorContext =>
    ({
      console: (command: string) =>
        Promise.resolve(command === 'core show settings' ? settingsWith(theirs) : 'theirs'),
      overview: () => Promise.resolve(self && { self }),
      eid: () => learnt,
    }) as unknown as DoctorContext
  const config = { console: ['asterisk'] }

  it('is surely that of another Asterisk where the fence of the own one is back', async () => {
    const self = { eid: mine, isAsteriskFound: true, isFenced: true }
    const other = await otherConsole(contextOf(self))
    expect(other).toEqual({ eid: theirs, expected: mine, isSure: true })
    expect(other && judgeOther(other, config)).toMatchObject({
      severity: 'warning',
      text: expect.stringMatching(/^'asterisk' is the console of another Asterisk/) as unknown,
      remedy: expect.stringMatching(/asterisk\.console, such as \[asterisk, -C, /) as unknown,
    })
  })

  it.each([
    ['configured', mine, 'broken'],
    ['learnt', undefined, 'warning'],
  ])('may be that of another where that is only %s, which is said first', async (_, eid, word) => {
    const other = await otherConsole(contextOf())
    expect(other).toEqual({ eid: theirs, expected: mine, isSure: false })
    expect(
      other && judgeOther(other, { ...config, ...(eid !== undefined && { eid }) }),
    ).toMatchObject({
      severity: word,
      remedy: expect.stringMatching(
        /^if several Asterisks .* asterisk\.console.*; else /,
      ) as unknown,
    })
  })

  it('is asked nothing more, for what it says would be put on the own Asterisk', async () => {
    await expect(askOwnConsole(contextOf(), 'module show')).rejects.toMatchObject({
      message: `the console may be that of another Asterisk: it says ${theirs}, not ${mine}`,
      remedy: 'see entity-id',
    })
    expect(await askOwnConsole(contextOf(undefined, theirs), 'module show')).toBe('theirs')
  })
})

describe('an entity ID that asterisk.conf does not name', () => {
  it('is a note, as it changes with the machine', () => {
    const finding = judgeEntityId(settingsWith('52:54:00:12:34:56'), false)
    expect(finding).toMatchObject({
      severity: 'note',
      remedy: expect.stringMatching(
        /^set entityid in the \[options\] of asterisk\.conf/,
      ) as unknown,
    })
  })
})

describe('the transports', () => {
  const show = (...transports: (readonly [type: string, bind: string])[]): string => {
    const lines = transports.map(
      ([type, bind]) => `Transport:  ${type}-main  ${type}      0      0  ${bind}\n`,
    )
    return `Transport:  <TransportId........>  <Type>  <cos>  <tos>  <BindAddress....................>\n====\n\n${lines.join('')}\nObjects found: ${transports.length}`
  }
  const udp = ['udp', '127.0.0.1:5060'] as const
  const judgeSet = (transport: 'udp' | 'tcp', ...transports: Parameters<typeof show>) =>
    judgeTransports(show(...transports), { asterisk, transport }).map(
      ({ severity, text, remedy }) => [severity, text, remedy],
    )
  const judge = (...transports: Parameters<typeof show>) => judgeSet('udp', ...transports)

  it.each([
    ['udp', '127.0.0.1:5060', 'ok'],
    ['udp', '0.0.0.0:5060', 'ok'],
    ['udp', '[::]:5060', 'ok'],
    ['udp', '192.0.2.1:5060', 'broken'],
    ['udp', '0.0.0.0:5160', 'broken'],
    ['tcp', '0.0.0.0:5060', 'broken'],
  ])('%s on %s is %s', (type, bind, severity) => {
    expect(judge([type, bind])[0]?.[0]).toBe(severity)
  })

  it('have those named that are there, where the one for UDP is not', () => {
    expect(judge(['tcp', '0.0.0.0:5060'], ['udp', '0.0.0.0:5160'])[0]?.[1]).toBe(
      'Asterisk has no UDP transport on 127.0.0.1:5060; it has tcp 0.0.0.0:5060, udp 0.0.0.0:5160',
    )
  })

  it.each(['127.0.0.1:5060', '0.0.0.0:5060'])(
    'are used both where tcp is set, one on %s',
    (bind) => {
      expect(judgeSet('tcp', ['tcp', bind], udp)).toEqual([
        [
          'ok',
          'Asterisk listens on 127.0.0.1:5060 (UDP and TCP), is given states by TCP',
          undefined,
        ],
      ])
    },
  )

  it('have the one for TCP pointed out where udp is set', () => {
    expect(judge(udp, ['tcp', '0.0.0.0:5060'])).toEqual([
      ['ok', 'Asterisk listens on 127.0.0.1:5060 (UDP and TCP), is given states by UDP', undefined],
      [
        'note',
        'by TCP the states of others would cost Asterisk half',
        'set asterisk.sip.transport to tcp and restart the bridge',
      ],
    ])
  })

  describe.each([
    ['tcp', '0.0.0.0:5061'],
    ['tcp', '192.0.2.1:5060'],
    ['tls', '127.0.0.1:5060'],
  ])('with %s on %s have none for TCP', (...elsewhere) => {
    const given = [
      'ok',
      'Asterisk listens on 127.0.0.1:5060 (UDP), is given states by UDP',
      undefined,
    ]

    it('which is as it should be where udp is set', () => {
      expect(judge(udp, elsewhere)).toEqual([given])
    })

    it('which is a warning where tcp is set, as another could take its place', () => {
      expect(judgeSet('tcp', udp, elsewhere)).toEqual([
        given,
        [
          'warning',
          'asterisk.sip.transport is tcp, but Asterisk has no TCP transport on 127.0.0.1:5060: another program could take that port, and be given states',
          expect.stringMatching(/^set it to udp and restart the bridge; .*'States by TCP' in docs/),
        ],
      ])
    })
  })
})

describe("the bridge's endpoint", () => {
  const show = (settings: Record<string, string>): string =>
    [
      ' Endpoint:  hintbridge                  Unavailable   0 of inf',
      ' ParameterName                      : ParameterValue',
      ' ====================',
      ...Object.entries({
        auth: 'hintbridge',
        context: '',
        identify_by: 'username',
        ...settings,
      }).map(([key, value]) => ` ${key.padEnd(34)} : ${value}`),
    ].join('\n')

  it('is fine as init writes it', () => {
    expect(judgeEndpoint(show({}), 'hintbridge').severity).toBe('ok')
  })

  it.each([
    ['Unable to find object hintbridge.', 'broken'],
    [show({ context: 'default' }), 'warning'],
    [show({ auth: '' }), 'warning'],
    [show({ identify_by: 'ip' }), 'broken'],
  ])('is told otherwise: %#', (output, severity) => {
    const finding = judgeEndpoint(output, 'hintbridge')
    expect(finding.severity).toBe(severity)
    expect(finding.remedy).toContain('pjsip_hintbridge.conf')
  })
})

describe('the SIP secrets', () => {
  const sip = {
    resource: 'hintbridge',
    password: new Secret('right-one'),
    asteriskPassword: new Secret('right-other'),
  }
  const show = (password: string, realm: string, type = 'userpass'): string =>
    `     Auth:  hintbridge/hintbridge\n\n ParameterName            : ParameterValue\n ====\n auth_type                : ${type}\n password                 : ${password}\n realm                    : ${realm}\n username                 : hintbridge\n`
  const own = show('right-one', 'hintbridge-asterisk')
  const outbound = show('right-other', 'hintbridge')
  const nothing = 'Unable to find object hintbridge-outbound.\n'

  it('are fine where both sides have them', () => {
    expect(judgeCount(sip)).toEqual([])
    expect(judgeSecrets(own, outbound, sip)).toEqual([
      {
        check: 'asterisk-secrets',
        severity: 'ok',
        text: 'both sides know what the other shows them',
      },
    ])
  })

  it.each([
    [
      'what the bridge shows',
      show('wrong', 'hintbridge-asterisk'),
      outbound,
      'password than asterisk.sip.password',
    ],
    [
      'what Asterisk shows',
      own,
      show('wrong', 'hintbridge'),
      'password than asterisk.sip.asterisk_password',
    ],
    ['the realm of Asterisk', show('right-one', ''), outbound, "realm than 'hintbridge-asterisk'"],
    ['the realm of the bridge', own, show('right-other', ''), "realm than 'hintbridge'"],
    ['an older file in Asterisk', own, nothing, 'older than the bridge'],
  ])('are broken by %s, and shown by no finding', (_, first, second, text) => {
    const findings = judgeSecrets(first, second, sip)
    expect(findings).toEqual([
      expect.objectContaining({
        severity: 'broken',
        text: expect.stringContaining(text) as unknown,
        remedy: expect.stringContaining('hintbridge init --renew-sip; then') as unknown,
      }),
    ])
    expect(JSON.stringify(findings)).not.toMatch(/right-|wrong/)
  })

  it('are a warning where one serves both, with the command that mends it', () => {
    const { resource, password } = sip
    expect(judgeCount({})).toMatchObject([
      {
        severity: 'warning',
        remedy: expect.stringContaining('hintbridge init --renew-sip') as unknown,
      },
    ])
    const old = show('right-one', '')
    expect(judgeSecrets(old, nothing, { resource, password })).toMatchObject([{ severity: 'ok' }])
  })

  it('are not judged where Asterisk has a digest only', () => {
    expect(judgeSecrets(show('', '', 'md5'), outbound, sip)[0]?.severity).toBe('note')
  })
})

describe("an 'identify'", () => {
  const settings = (order: string): string =>
    ` endpoint_identifier_order                  : ${order}\n`
  const identify = (endpoint: string, ...matches: string[]): string =>
    [
      ' Identify:  <Identify/Endpoint............................>',
      '        Match:  <criteria.........................>',
      '====',
      ` Identify:  trunk-in/${endpoint}`,
      ...matches.map((match) => `        Match: ${match}`),
    ].join('\n')
  const severityOf = (order: string, output: string): string | undefined =>
    judgeIdentifiers(settings(order), output, side)[0]?.severity
  const usual = 'ip,username,anonymous'

  it.each([
    ['none', usual, 'No objects found.', 'ok'],
    ['of other networks', usual, identify('trunk', '192.0.2.0/24', '2001:db8::/32'), 'ok'],
    ['of the whole loopback', usual, identify('trunk', '192.0.2.1/32', '127.0.0.0/8'), 'broken'],
    ['by a mask', usual, identify('trunk', '127.0.0.0/255.255.255.0'), 'broken'],
    ['of one address', usual, identify('trunk', '127.0.0.1'), 'broken'],
    ['by a header', usual, identify('trunk', 'X-Trunk: a'), 'ok'],
    ["of the bridge's own endpoint", usual, identify('hintbridge', '127.0.0.1/32'), 'ok'],
    ['that comes after the name', 'username,ip', identify('trunk', '127.0.0.0/8'), 'ok'],
    ['without a look at names', 'ip,anonymous', 'No objects found.', 'broken'],
  ])('%s is judged', (_, order, output, severity) => {
    expect(severityOf(order, output)).toBe(severity)
  })

  it('is named with the address that it takes away', () => {
    const [finding] = judgeIdentifiers(settings(usual), identify('trunk', '127.0.0.0/8'), side)
    expect(finding?.text).toContain(
      "the identify 'trunk-in' gives what comes from 127.0.0.1 to the endpoint 'trunk'",
    )
  })
})

describe('a running bridge', () => {
  const running = (self: object, problems: readonly string[] = []) =>
    judgeRunning({
      self: { isAsteriskFound: true, isFenced: false, ...self },
      problems: problems.map((key) => ({ key, severity: 'error', text: '', since: '' })),
    }).map(({ severity }) => severity)

  it('whose fence is back is fine, also where the XMPP server is down', () => {
    expect(running({ isFenced: true }, ['stream'])).toEqual(['ok'])
  })

  it('whose fence is out is told of, unless it has told the cause itself', () => {
    expect(running({})).toEqual(['warning'])
    expect(running({}, ['fence:device_state'])).toEqual([])
    expect(running({ isAsteriskFound: false })).toEqual([])
  })
})

describe('what Asterisk did with the stand-in for the bridge', () => {
  const fine = {
    isFound: true,
    fencesMs: { device_state: 3, message_waiting: 4 },
    complaints: new Map<string, string>(),
    refusals: {},
  }
  const severities = (trial: Parameters<typeof judgeTrial>[0]): string[] =>
    judgeTrial(trial).map(({ severity }) => severity)

  it('is fine when both fences came back', () => {
    expect(severities(fine)).toEqual(['ok', 'ok'])
  })

  it('is broken where one did not', () => {
    expect(severities({ ...fine, fencesMs: { device_state: 3 } })).toEqual(['ok', 'broken'])
  })

  it('is the port that another program has', () => {
    const bindFailure = 'failed to listen for SIP on 127.0.0.1 port 5070: EADDRINUSE: stop it'
    expect(judgeTrial({ ...fine, bindFailure })).toEqual([
      { check: 'asterisk-sip', severity: 'broken', text: bindFailure },
    ])
  })

  it('is an Asterisk that does not answer, or that refuses', () => {
    expect(severities({ ...fine, isFound: false })).toEqual(['broken'])
    const complaints = new Map([['asterisk-refuses', 'Asterisk refuses the bridge (403): …']])
    expect(judgeTrial({ ...fine, complaints })[0]?.text).toMatch(/refuses the bridge \(403\)/)
  })
})
