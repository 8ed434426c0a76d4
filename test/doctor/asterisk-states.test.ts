import { describe, expect, it } from 'vitest'
import { judgeStrange } from '../../src/doctor/checks/asterisk-states.js'
import { shownByEndpoints, shownByHints } from '../../src/doctor/local-state.js'

describe('what Asterisk shows', () => {
  it('is read from its hints, of one device each, and from its endpoints', () => {
    const hints = `    -= Registered Asterisk Dial Plan Hints =-
both@default                  : PJSIP/1001&Custom:night                                       State:Busy            Presence:not_set         Watchers  0
night@default                 : Custom:night                                                  State:InUse           Presence:not_set         Watchers  0
----------------`
    expect([...shownByHints(hints)]).toEqual([['Custom:night', { state: 'INUSE' }]])
    const endpoints = ` Endpoint:  <Endpoint/CID.....................................>  <State.....>  <Channels.>
==========================================================================================

 Endpoint:  1001/1001                                            Not in use    0 of inf
     InAuth:  1001/1001
 Endpoint:  hintbridge                                           Unavailable   0 of inf
`
    expect([...shownByEndpoints(endpoints)]).toEqual([
      ['PJSIP/1001', { state: 'NOT_INUSE' }],
      ['PJSIP/hintbridge', { state: 'UNAVAILABLE' }],
    ])
  })

  it('and nobody tells is named, up to five', () => {
    expect(judgeStrange([])).toMatchObject([{ severity: 'ok' }])
    const strange = [1, 2, 3, 4, 5, 6].map((n) => ({ id: `PJSIP/${n}`, state: 'INUSE' as const }))
    expect(judgeStrange(strange)).toMatchObject([
      {
        severity: 'warning',
        text: expect.stringMatching(/PJSIP\/1 INUSE, .*PJSIP\/5 INUSE and 1 more$/) as unknown,
        remedy: expect.stringContaining('restart Asterisk') as unknown,
      },
    ])
  })
})
