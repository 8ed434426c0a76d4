import type { PairScenario, ServerScenario } from '../scenario.js'
import { burst } from './burst.js'
import { cluster } from './cluster.js'
import { feed } from './feed.js'
import { growth } from './growth.js'
import { flapping } from './flapping.js'
import { idle } from './idle.js'
import { join } from './join.js'
import { limit } from './limit.js'
import { rest } from './rest.js'
import { steady } from './steady.js'

/** In this order: what leaves much to be written behind comes last. */
export const pairScenarios: readonly PairScenario[] = [idle, rest, steady, burst, flapping]

export const serverScenarios: readonly ServerScenario[] = [limit, feed, growth, join, cluster]
