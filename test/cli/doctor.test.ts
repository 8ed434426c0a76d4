import { describe, expect, it } from 'vitest'
import { diagnose } from '../../src/cli/doctor.js'
import { Ended } from '../../src/cli/exit-code.js'
import { ConsoleUnusable } from '../../src/asterisk/console.js'
import { ConfigError } from '../../src/config/config.js'
import type { LoadedConfig } from '../../src/config/load.js'
import type { Check } from '../../src/doctor/check.js'
import type { DoctorContext } from '../../src/doctor/context.js'
import { Findings, Unchecked } from '../../src/doctor/finding.js'
import { Disconnected } from '../../src/xmpp/errors.js'

const findings = new Findings('fake')
const loaded = { warnings: [] } as unknown as LoadedConfig

interface Outcome {
  readonly output: string
  readonly exitCode: number
  readonly isClosed: boolean
}

async function run(
  checks: readonly Check[],
  { isJson = false, load = () => loaded, hasColour = false } = {},
): Promise<Outcome> {
  const lines: string[] = []
  let isClosed = false
  const close = (): Promise<void> => {
    isClosed = true
    return Promise.resolve()
  }
  const exitCode = await diagnose({
    file: 'a.yaml',
    load,
    makeContext: () => ({ close }) as unknown as DoctorContext & { close: typeof close },
    checks,
    isJson,
    style: { width: 80, hasColour },
    print: (line) => lines.push(line),
  }).then(
    () => 0,
    (error: unknown) => (error instanceof Ended ? error.exitCode : NaN),
  )
  return { output: lines.join('\n'), exitCode, isClosed }
}

const check = (name: string, make: () => Promise<ReturnType<typeof findings.ok>[]>): Check => ({
  name,
  run: make,
})
const fine = check('fine', () => Promise.resolve([findings.ok('good')]))
const poor = check('poor', () => Promise.resolve([findings.warning('poor', 'mend it')]))
const bad = check('bad', () => Promise.resolve([findings.broken('bad', 'mend it')]))

describe('doctor', () => {
  it.each([
    ['fine', [fine], 0],
    ['a warning', [fine, poor, fine], 1],
    ['something broken', [bad, poor, fine], 2],
  ])('ends with the code of the worst: %s', async (_, checks, exitCode) => {
    expect((await run(checks)).exitCode).toBe(exitCode)
  })

  it('prints each finding with its remedy, and a summary', async () => {
    expect((await run([fine, poor, poor, bad])).output).toBe(
      [
        'ok       configuration: a.yaml is good',
        'ok       fake: good',
        'warning  fake: poor',
        '         → mend it',
        'warning  fake: poor',
        '         → mend it',
        'broken   fake: bad',
        '         → mend it',
        '',
        '1 broken, 2 warnings, 2 ok',
      ].join('\n'),
    )
  })

  it('prints one JSON document', async () => {
    const { output } = await run([poor], { isJson: true })
    expect(JSON.parse(output)).toEqual({
      severity: 'warning',
      findings: [
        { check: 'configuration', severity: 'ok', text: 'a.yaml is good' },
        { check: 'fake', severity: 'warning', text: 'poor', remedy: 'mend it' },
      ],
    })
  })

  it('goes on where a check cannot be made, and says why and what to do', async () => {
    const { output, exitCode } = await run([
      check('one', () => Promise.reject(new Unchecked('the bridge does not run'))),
      check('two', () => Promise.reject(new ConsoleUnusable('there is none', 'start one'))),
      check('three', () => Promise.reject(new Disconnected('gone'))),
      fine,
    ])
    expect(output).toContain(
      [
        'note     one: could not be checked: the bridge does not run',
        'note     two: could not be checked: there is none',
        '         → start one',
        'note     three: could not be checked: not connected: gone',
        'ok       fake: good',
      ].join('\n'),
    )
    expect(exitCode).toBe(0)
  })

  it('takes a fault of its own for a warning, not for all being fine', async () => {
    const { output, exitCode } = await run([
      check('one', () => Promise.reject(new TypeError('no such thing'))),
    ])
    expect(output).toContain('warning  one: could not be checked: no such thing')
    expect(exitCode).toBe(1)
  })

  it('tells every problem of a configuration that cannot be used, and makes no other check', async () => {
    const { output, exitCode } = await run([fine], {
      load: () => {
        throw new ConfigError('a.yaml', [
          { path: 'trust', message: 'is required' },
          { path: 'xmpp.jid', line: 4, value: 'x', message: 'must be a bare JID' },
        ])
      },
    })
    expect(output).toBe(
      [
        'broken   configuration: a.yaml: trust: is required',
        "broken   configuration: a.yaml: xmpp.jid (line 4): 'x': must be a bare JID",
        '',
        '2 broken',
      ].join('\n'),
    )
    expect(exitCode).toBe(2)
  })

  it('closes what it opened, whatever the checks find', async () => {
    expect((await run([bad])).isClosed).toBe(true)
  })

  it('has colour only where it is told that there is a terminal', async () => {
    const escape = String.fromCharCode(27)
    expect((await run([bad])).output).not.toContain(escape)
    expect((await run([bad], { hasColour: true })).output).toContain(`${escape}[31mbroken`)
  })
})
