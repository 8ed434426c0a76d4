import { describe } from 'vitest'
import { startProsody } from '../../../lab/prosody.js'
import { describeFaults } from './each.js'

describe('faults with Prosody', () => describeFaults(startProsody))
