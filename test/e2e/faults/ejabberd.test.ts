import { describe } from 'vitest'
import { startEjabberd } from '../../../lab/ejabberd.js'
import { describeFaults } from './each.js'

describe('faults with ejabberd', () => describeFaults(startEjabberd))
