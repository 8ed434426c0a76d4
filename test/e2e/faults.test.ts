/** Every fault of `npm run faults`, once on each server: peers are right again within the bound (rules 1 to 26). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { xmppServers } from '../../lab/xmpp-servers.js'
import { describeMeasured, isWithinBound } from './faults/fault.js'
import { faultGroups } from './faults/groups.js'
import { Site } from './faults/site.js'

describe.each(xmppServers)('faults with $kind', ({ start }) => {
  describe.each(faultGroups)('under $name settings', (group) => {
    let site: Site

    beforeAll(async () => {
      site = await Site.start(group, start)
    })

    afterAll(() => site.stop())

    test.each(group.faults.map((fault) => [fault.name, fault] as const))(
      '%s',
      async (_, fault) => {
        await site.heal()
        const measured = await fault.run(site)
        expect(isWithinBound(measured), describeMeasured(measured)).toBe(true)
      },
      120_000,
    )
  })
})
