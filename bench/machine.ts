/** Where it was measured, by what, and how quiet it was there. */
import { execFileSync } from 'node:child_process'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { asteriskRoot } from '../lab/asterisk.js'

export interface Machine {
  readonly at: string
  readonly tookS: number
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly kernel: string
  readonly versions: Readonly<Record<string, string>>
  /** Load averages over the last minute, 5 and 15; what the bench makes is in them. */
  readonly load: readonly number[]
  readonly commit: string
}

/** Describes this machine; `startedAt` is when the measuring began. */
export function machineOf(startedAt: Date): Machine {
  return {
    at: startedAt.toISOString(),
    tookS: Math.round((Date.now() - startedAt.getTime()) / 1_000),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    versions: {
      node: process.version,
      asterisk: packageVersion('asterisk', asteriskRoot()),
      prosody: packageVersion('prosody'),
      ejabberd: packageVersion('ejabberd'),
    },
    load: loadavg().map((load) => Math.round(load * 100) / 100),
    commit: output('git', ['rev-parse', '--short', 'HEAD']),
  }
}

function packageVersion(name: string, root = '/'): string {
  return output('dpkg-query', [`--root=${root}`, '-W', '-f', '${Version}', name])
}

/** What a command prints, or `unknown` where it fails: a figure without a version is still one. */
function output(command: string, args: readonly string[]): string {
  try {
    return execFileSync(command, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return 'unknown'
  }
}
