import { describe, expect, it } from 'vitest'
import { askLocally, type LocalAnswer } from '../../src/doctor/local-state.js'

/** As Asterisk 22.10 writes them. */
const endpoint = (state: string): string => `
 Endpoint:  <Endpoint/CID.....................................>  <State.....>  <Channels.>
    Channel:  <ChannelId......................................>  <State.....>  <Time.....>
==========================================================================================

 Endpoint:  1001/1001                                            ${state.padEnd(12)}  0 of inf
     InAuth:  1001/1001
`
const hints = (...states: readonly (readonly [string, string])[]): string => `
    -= Registered Asterisk Dial Plan Hints =-
both@default                  : PJSIP/1001&Custom:night                                       State:Busy            Presence:not_set         Watchers  0
${states.map(([device, state]) => `x@default                     : ${device.padEnd(60)}  State:${state.padEnd(15)} Presence:not_set         Watchers  0\n`).join('')}----------------
- 2 hints registered`

/** What a console with these answers makes of the question, and what it was asked. */
async function asked(
  device: string,
  answers: Readonly<Record<string, string>>,
): Promise<{ readonly local: LocalAnswer; readonly commands: readonly string[] }> {
  const commands: string[] = []
  const local = await askLocally(device, (command) => {
    commands.push(command)
    const known = Object.keys(answers).find((start) => command.startsWith(start)) ?? ''
    return Promise.resolve(answers[known] ?? '')
  })
  return { local, commands }
}

describe("the state of a device on Asterisk's console", () => {
  it.each([
    ...([
      ['Unknown', 'UNKNOWN'],
      ['Not in use', 'NOT_INUSE'],
      ['In use', 'INUSE'],
      ['Busy', 'BUSY'],
      ['Invalid', 'INVALID'],
    ] as const),
    ...([
      ['Unavailable', 'UNAVAILABLE'],
      ['Ringing', 'RINGING'],
      ['Ring+Inuse', 'RINGINUSE'],
      ['On Hold', 'ONHOLD'],
    ] as const),
  ])("is that of its own endpoint: '%s' is %s", async (words, state) => {
    expect(await asked('PJSIP/1001', { pjsip: endpoint(words) })).toEqual({
      local: { state },
      commands: ['pjsip show endpoint 1001'],
    })
  })

  it.each([
    ['Idle', { state: 'NOT_INUSE', alternative: 'UNKNOWN' }],
    ['InUse', { state: 'INUSE' }],
    ['Busy', { state: 'BUSY' }],
    ['Unavailable', { state: 'UNAVAILABLE', alternative: 'INVALID' }],
    ['Ringing', { state: 'RINGING' }],
    ['InUse&Ringing', { state: 'RINGINUSE' }],
    ['Hold', { state: 'ONHOLD' }],
  ])('is else that of a hint of it alone: %s', async (word, local) => {
    const answers = { 'core show hints': hints(['Custom:nigh', 'Busy'], ['Custom:night', word]) }
    expect(await asked('Custom:night', answers)).toEqual({ local, commands: ['core show hints'] })
  })

  it('is evaluated, which leaves a device behind, only where it has neither', async () => {
    const { local, commands } = await asked('PJSIP/1', {
      pjsip: 'Unable to find object 1.\n',
      'core show hints': hints(['PJSIP/1001', 'Busy']),
      dialplan: 'Return Value: Success (0)\nResult: ONHOLD',
    })
    expect(local).toEqual({ state: 'ONHOLD' })
    expect(commands).toEqual([
      'pjsip show endpoint 1',
      'core show hints',
      'dialplan eval function DEVICE_STATE(PJSIP/1)',
    ])
  })

  it('is not there where the console gives none, and the reason is', async () => {
    expect((await asked('PJSIP/1', { dialplan: 'No such function' })).local).toEqual({
      failure: 'the console says: No such function',
    })
    const refused = (): Promise<string> => Promise.reject(new Error('no console; run this as root'))
    expect(await askLocally('PJSIP/1', refused)).toEqual({
      failure: 'no console; run this as root',
    })
  })

  it('is not asked for by a name that would be something else there', async () => {
    for (const name of ['a) b', 'a,b', 'a"b', '${SHELL(id)}']) {
      expect(await asked(name, {})).toEqual({
        local: { failure: 'its name cannot be asked for on the console' },
        commands: [],
      })
    }
  })
})
