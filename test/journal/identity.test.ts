import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Identity, readEntityId } from '../../src/journal/identity.js'
import { scratchFolder } from '../config/scratch.js'

const first = '02:00:00:00:00:0a'
const second = '02:00:00:00:00:0b'

function identityOf(folder: string) {
  const lost: string[] = []
  const identity = new Identity(folder, (message) => lost.push(message))
  const keep = (eid: string, nowMs?: number): boolean => {
    const isReturn = identity.set(eid, nowMs)
    identity.write()
    return isReturn
  }
  return { identity, lost, keep }
}

describe('the kept EID', () => {
  it('is the one that was learnt, and none where none was', () => {
    const folder = scratchFolder()
    expect(readEntityId(folder)).toBeUndefined()
    const { identity, keep } = identityOf(folder)
    expect([identity.eid, identity.former]).toEqual([undefined, undefined])
    identity.write()
    keep(first)
    expect(readFileSync(join(folder, 'eid'), 'utf8')).toBe(`${first}\n`)
    expect(readEntityId(folder)).toBe(first)
    expect(identityOf(folder).identity.eid).toBe(first)
  })

  it('is the one that Asterisk has moved to, and names the one before it', () => {
    const folder = scratchFolder()
    identityOf(folder).keep(first)
    expect(identityOf(folder).identity.former).toBeUndefined()
    expect(identityOf(folder).keep(second)).toBe(false)
    const { identity } = identityOf(folder)
    expect([identity.eid, identity.former]).toEqual([second, first])
  })

  it('keeps nothing of a file that is none', () => {
    const folder = scratchFolder()
    const file = join(folder, 'eid')
    writeFileSync(file, 'root:secret\n')
    expect(identityOf(folder).identity.eid).toBeUndefined()
    identityOf(folder).keep(first)
    expect(readFileSync(file, 'utf8')).toBe(`${first}\n`)
  })

  it('is none where the file holds no EID of a machine', () => {
    const folder = scratchFolder()
    writeFileSync(join(folder, 'eid'), '00:00:00:00:00:00\n')
    expect(readEntityId(folder)).toBeUndefined()
  })

  it('tells an EID that comes back within 10 minutes from one that comes later', () => {
    const folder = scratchFolder()
    identityOf(folder).keep(first)
    identityOf(folder).keep(second)
    expect(identityOf(folder).keep(first)).toBe(true)
    expect(readEntityId(folder)).toBe(first)
    expect(identityOf(folder).keep(second, Date.now() + 600_001)).toBe(false)
  })

  it('is learnt anew where its file cannot be read, which is told, and where it was removed', () => {
    const folder = scratchFolder()
    mkdirSync(join(folder, 'eid'))
    const { identity, lost } = identityOf(folder)
    expect([identity.eid, lost]).toEqual([
      undefined,
      [expect.stringMatching(/eid' cannot be read \(it is a folder, no plain file\): .* learnt/)],
    ])
    const other = scratchFolder()
    execFileSync('mkfifo', [join(other, 'eid')])
    const piped = identityOf(other)
    expect(piped.lost).toHaveLength(1)
    piped.keep(first)
    expect(readEntityId(other)).toBe(first)
    piped.identity.remove()
    expect(identityOf(other)).toMatchObject({ identity: { eid: undefined }, lost: [] })
  })
})
