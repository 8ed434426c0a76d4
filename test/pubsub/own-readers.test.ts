import { describe, expect, it } from 'vitest'
import type { OwnNode } from '../../src/pubsub/own-nodes.js'
import { OwnReaders } from '../../src/pubsub/own-readers.js'
import { FakeService } from './fake-service.js'

const node: OwnNode = { node: 'feed', isNew: true, accessModel: 'whitelist' }

describe('who may read the own nodes', () => {
  // An answer and the next event may come in one read of the socket, so that few turns of the microtask queue are between them.
  it.each(Array.from({ length: 30 }, (_, turns) => turns))(
    'is named where it is wanted %i turns after another was',
    async (turns) => {
      const service = new FakeService()
      const told: (readonly string[])[] = []
      const readers = new OwnReaders({
        service: service.pubsub,
        jid: 'pbx-a@example.org',
        onSet: (names) => told.push(names),
        onFailed: (failure) => expect(failure).toBeUndefined(),
      })
      await readers.look([node])
      readers.set(['pbx-b@example.org'])
      for (let turn = 0; turn < turns; turn++) await Promise.resolve()
      const both = ['pbx-b@example.org', 'pbx-c@example.org']
      readers.set(both)
      await new Promise((resolve) => setImmediate(resolve))
      expect(told.at(-1)).toEqual(both)
      expect(service.texts.at(-1)).toContain('pbx-c@example.org')
    },
  )
})
