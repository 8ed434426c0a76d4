import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readPlainFile, readPlainFileIfThere, reasonUnread } from '../src/plain-file.js'
import { put, scratchFolder } from './config/scratch.js'

const reasonOf = (path: string): string => {
  try {
    return `read: ${readPlainFile(path)}`
  } catch (error) {
    return reasonUnread(error)
  }
}

describe('a plain file', () => {
  it('is read, also by a link, to as many octets as are allowed', () => {
    const folder = scratchFolder()
    const text = 'é'.repeat(60_000)
    const file = put(folder, 'file', text)
    symlinkSync(file, join(folder, 'link'))
    expect(readPlainFile(join(folder, 'link'), 120_000)).toBe(text)
    expect(() => readPlainFile(file, 119_999)).toThrow('it is larger than 119999 octets')
    expect(readPlainFileIfThere(join(folder, 'none'))).toBe('')
  })

  it('is what lies in /proc too, whose size is 0 by its own word', () => {
    expect(readPlainFile('/proc/self/comm')).not.toBe('')
  })
})

describe('what is no plain file', () => {
  it('is named and not opened, also behind a link', async () => {
    const folder = scratchFolder()
    const at = (name: string): string => join(folder, name)
    mkdirSync(at('folder'))
    execFileSync('mkfifo', [at('fifo')])
    await once(createServer().listen(at('socket')).unref(), 'listening')
    symlinkSync(at('fifo'), at('link'))
    symlinkSync(at('itself'), at('itself'))
    writeFileSync(at('file'), 'x')
    const paths = ['folder', 'fifo', 'socket', 'link', 'itself', 'none', 'file'].map(at)
    expect([...paths, '/dev/zero', '/dev/tty'].map(reasonOf)).toEqual([
      'it is a folder, no plain file',
      'it is a FIFO, no plain file',
      'it is a socket, no plain file',
      'it is a FIFO, no plain file',
      'ELOOP',
      'ENOENT',
      'read: x',
      'it is a device, no plain file',
      'it is a device, no plain file',
    ])
  })
})
