import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Mechanisms } from '../../src/journal/mechanisms.js'

const service = 'example.org xmpp://127.0.0.1:5222 scram'
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mechanisms-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

it('holds over a restart, one for each service, until the file is deleted', () => {
  const stateDir = join(folder, 'state')
  const mechanisms = new Mechanisms(stateDir)
  expect(mechanisms.recall(service)).toBeUndefined()
  mechanisms.remember(service, 'SCRAM-SHA-1')
  mechanisms.remember('other', 'PLAIN')
  mechanisms.remember(service, 'SCRAM-SHA-1-PLUS')
  const again = new Mechanisms(stateDir)
  expect([again.recall(service), again.recall('other')]).toEqual(['SCRAM-SHA-1-PLUS', 'PLAIN'])
  const file = join(stateDir, 'mechanisms')
  expect(readFileSync(file, 'utf8')).toBe(`other PLAIN\n${service} SCRAM-SHA-1-PLUS\n`)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  rmSync(file)
  expect(again.recall(service)).toBeUndefined()
})

it('does not grow without bound, and does not break on what else lies there', () => {
  writeFileSync(join(folder, 'mechanisms'), 'rubbish\n\n')
  const mechanisms = new Mechanisms(folder)
  for (let number = 0; number < 120; number += 1) mechanisms.remember(`s${number}`, 'PLAIN')
  expect(mechanisms.recall('s19')).toBeUndefined()
  expect(mechanisms.recall('s20')).toBe('PLAIN')
})

it('writes only what is new, and nothing for a login beside the bridge', () => {
  const mechanisms = new Mechanisms(folder)
  mechanisms.remember(service, 'PLAIN')
  const { mtimeNs } = statSync(join(folder, 'mechanisms'), { bigint: true })
  mechanisms.remember(service, 'PLAIN')
  mechanisms.forReading().remember(service, 'SCRAM-SHA-1')
  expect(statSync(join(folder, 'mechanisms'), { bigint: true }).mtimeNs).toBe(mtimeNs)
  expect(mechanisms.forReading().recall(service)).toBe('PLAIN')
})

it('tells where it cannot be kept, and does not throw', () => {
  const stateDir = join(folder, 'file')
  writeFileSync(stateDir, '')
  chmodSync(stateDir, 0o400)
  const troubles: Error[] = []
  new Mechanisms(stateDir, (error) => troubles.push(error)).remember(service, 'PLAIN')
  expect(troubles).toHaveLength(1)
})
