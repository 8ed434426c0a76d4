/** All faults, by the settings under which they are tried. */
import { asterisksGone, asterisksOverloaded, asterisksRestarted } from './asterisks.js'
import { bridgesGone, bridgesRestarted } from './bridges.js'
import type { FaultGroup } from './fault.js'
import { feedsMeddledWith, membersMeddledWith, storeLost, windowsMeddledWith } from './meddlers.js'
import { networksCut } from './networks.js'
import { serversAway, serversAwayAsShipped, serversBack } from './servers.js'
import { brisk, patient, shipped, watchful } from './settings.js'

export const faultGroups: readonly FaultGroup[] = [
  {
    name: 'brisk',
    settings: brisk,
    devices: { a: 50, b: 50, c: 50 },
    faults: [
      ...bridgesGone,
      ...asterisksGone,
      ...asterisksRestarted,
      ...networksCut,
      ...serversAway,
    ],
  },
  {
    name: 'patient',
    settings: patient,
    devices: { a: 50, b: 50, c: 50 },
    faults: [
      ...bridgesRestarted,
      ...asterisksOverloaded,
      ...serversBack,
      ...feedsMeddledWith,
      ...membersMeddledWith,
      ...storeLost,
    ],
  },
  {
    name: 'watchful',
    settings: watchful,
    devices: { a: 50, b: 50, c: 50 },
    faults: [...windowsMeddledWith],
  },
  {
    name: 'shipped',
    isSlow: true,
    settings: shipped,
    devices: { a: 50, b: 50, c: 50 },
    faults: [...serversAwayAsShipped],
  },
  {
    name: 'large',
    settings: brisk,
    devices: { a: 3_000, b: 50 },
    faults: [
      ...bridgesGone.slice(0, 1),
      ...asterisksRestarted.slice(0, 1),
      ...networksCut.slice(0, 1),
    ].map((fault) => ({ ...fault, name: `3,000 devices: ${fault.name}` })),
  },
]
