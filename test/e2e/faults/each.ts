/** Every fault of `npm run faults`, once: peers are right again within the bound (rules 1 to 26). A test file for each server. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { startProsody } from '../../../lab/prosody.js'
import { describeMeasured, isWithinBound, type Fault, type FaultGroup } from './fault.js'
import { faultGroups } from './groups.js'
import { Site } from './site.js'

/** Of one fault, ms. */
const timeoutMs = 120_000

export function describeFaults(start: typeof startProsody): void {
  for (const group of faultGroups) {
    describe(`under '${group.name}' settings`, () =>
      group.isSlow ? tryAtOnce(group, start) : tryInTurn(group, start))
  }
}

function tryInTurn(group: FaultGroup, start: typeof startProsody): void {
  let site: Site

  beforeAll(async () => {
    site = await Site.start(group, start)
  })

  afterAll(() => site.stop())

  test.each(group.faults.map((fault) => [fault.name, fault] as const))(
    '%s',
    async (_, fault) => {
      await site.heal()
      await judge(fault, site)
    },
    timeoutMs,
  )
}

function tryAtOnce(group: FaultGroup, start: typeof startProsody): void {
  const sites = new Map<Fault, Site>()

  // One after the other: what starts takes the time of the machine, what is waited for does not.
  beforeAll(async () => {
    for (const fault of group.faults) sites.set(fault, await Site.start(group, start))
  })

  afterAll(async () => {
    for (const site of sites.values()) await site.stop()
  })

  test.concurrent.each(group.faults.map((fault) => [fault.name, fault] as const))(
    '%s',
    async (_, fault) => {
      const site = sites.get(fault)
      if (!site) throw new Error('its cluster did not start')
      await judge(fault, site)
    },
    timeoutMs,
  )
}

async function judge(fault: Fault, site: Site): Promise<void> {
  const measured = await fault.run(site)
  expect(isWithinBound(measured), describeMeasured(measured)).toBe(true)
}
