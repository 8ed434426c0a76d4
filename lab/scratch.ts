/** Where the lab keeps its files, and which ports it may use: any number of test processes side by side. */
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join, resolve } from 'node:path'

/** The base folder of the lab: `HINTBRIDGE_LAB`, else `.lab` in the repository. */
export const labFolder = resolve(
  process.env['HINTBRIDGE_LAB'] ?? join(import.meta.dirname, '..', '.lab'),
)

/** One unique folder for the files of one test or demo: configuration, stores, logs. */
export interface Scratch {
  readonly folder: string
  /** Makes a folder inside and returns its absolute path. */
  makeFolder(name: string): string
  /** Deletes all of it; what still runs in it must have been stopped. */
  remove(): void
}

const keptMs = 24 * 60 * 60 * 1000

/** Makes a scratch folder; those of earlier runs are deleted when they are older than a day. */
export function createScratch(label: string): Scratch {
  const runs = join(labFolder, 'run')
  mkdirSync(runs, { recursive: true })
  removeOld(runs)
  const folder = join(runs, `${label}-${process.pid}-${randomBytes(3).toString('hex')}`)
  mkdirSync(folder)
  return {
    folder,
    makeFolder: (name) => {
      const path = join(folder, name)
      mkdirSync(path, { recursive: true })
      return path
    },
    remove: () => {
      if (process.env['HINTBRIDGE_LAB_KEEP'] === undefined) {
        rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
      }
    },
  }
}

function removeOld(runs: string): void {
  for (const name of readdirSync(runs)) {
    const path = join(runs, name)
    const changed = statSync(path, { throwIfNoEntry: false })?.mtimeMs
    if (changed !== undefined && changed < Date.now() - keptMs) {
      rmSync(path, { recursive: true, force: true })
    }
  }
}

/** Below Linux's ephemeral range (32768 …), so that no outgoing connection takes a port meanwhile. */
const firstPort = 20_000
const portCount = 10_000

/** The claims of this process; each ends with the process, however that ends. */
const claims = new Map<number, Server>()

/**
 * Claims a port of the loopback that is free for TCP and UDP; it stays this process's own until the process ends, so
 * that a server can be stopped and started on it again. The lock is a socket in Linux's abstract namespace: the kernel
 * frees it, and it is seen in every clone of the repository on the machine.
 */
export async function claimPort(): Promise<number> {
  const start = Math.floor(Math.random() * portCount)
  for (let step = 0; step < portCount; step++) {
    const port = firstPort + ((start + step) % portCount)
    if (claims.has(port)) continue
    const lock = await listen({ path: `\0hintbridge-lab-port-${port}` })
    if (lock === undefined) continue
    if ((await isTcpFree(port)) && (await isUdpFree(port))) {
      lock.unref()
      claims.set(port, lock)
      return port
    }
    lock.close()
  }
  throw new Error(`no free port between ${firstPort} and ${firstPort + portCount}`)
}

function listen(where: {
  path?: string
  host?: string
  port?: number
}): Promise<Server | undefined> {
  return new Promise((settle) => {
    const server = createServer()
    server.once('error', () => settle(undefined))
    server.listen(where, () => settle(server))
  })
}

async function isTcpFree(port: number): Promise<boolean> {
  const server = await listen({ host: '0.0.0.0', port })
  if (server === undefined) return false
  await new Promise((closed) => server.close(closed))
  return true
}

function isUdpFree(port: number): Promise<boolean> {
  return new Promise((settle) => {
    const socket = createSocket('udp4')
    socket.once('error', () => settle(false))
    socket.bind(port, '0.0.0.0', () => socket.close(() => settle(true)))
  })
}
