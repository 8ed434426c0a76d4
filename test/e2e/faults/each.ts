/** Every fault of `npm run faults`, once: peers are right again within the bound (rules 1 to 26). A test file for each server. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { startProsody } from '../../../lab/prosody.js'
import { describeMeasured, isWithinBound } from './fault.js'
import { faultGroups } from './groups.js'
import { Site } from './site.js'

export function describeFaults(start: typeof startProsody): void {
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
}
