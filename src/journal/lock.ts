import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { writeFresh } from './write-atomically.js'

/** Two bridges must not share one folder: each would withdraw what the other injects. */
export class StateDirLocked extends Error {
  readonly isTemporary = true

  constructor(
    readonly directory: string,
    readonly pid: number,
  ) {
    super(
      `failed to lock state_dir '${directory}': the hintbridge with process ID ${pid} uses it; stop that one, or give this one a folder of its own`,
    )
    this.name = 'StateDirLocked'
  }
}

/**
 * Holds a folder for one process by a file that names it, by process ID and start time, so that neither a crash nor a
 * reused process ID (a container's is always 1) leaves it locked.
 */
export class StateDirLock {
  readonly #file: string

  private constructor(file: string) {
    this.#file = file
  }

  /** Takes the lock, making the folder if need be; throws StateDirLocked where a living process holds it. */
  static take(directory: string): StateDirLock {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    const file = join(directory, 'lock')
    const own = join(directory, `lock.${process.pid}`)
    writeFresh(own, describeProcess(process.pid))
    try {
      // link(2) makes the file appear with its content at once, or fails.
      while (!tryLink(own, file)) removeIfStale(directory, file)
    } finally {
      rmSync(own, { force: true })
    }
    return new StateDirLock(file)
  }

  /** Gives the folder back; may be called again. */
  release(): void {
    if (readIfThere(this.#file) === describeProcess(process.pid))
      rmSync(this.#file, { force: true })
  }
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** Moves a dead process's lock aside first, so that of two that find it only one removes it. */
function removeIfStale(directory: string, file: string): void {
  const holder = readIfThere(file)
  if (holder === undefined) return
  const pid = Number.parseInt(holder, 10)
  if (Number.isInteger(pid) && isAlive(pid) && describeProcess(pid) === holder) {
    throw new StateDirLocked(directory, pid)
  }
  const aside = `${file}.stale.${process.pid}`
  try {
    renameSync(file, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  if (readIfThere(aside) !== holder) tryLink(aside, file) // it was another's fresh lock: put it back
  unlinkSync(aside)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Process ID, boot and start time, one a line; where there is no /proc the ID alone. */
function describeProcess(pid: number): string {
  const boot = readIfThere('/proc/sys/kernel/random/boot_id')?.trim() ?? ''
  const stat = readIfThere(`/proc/${pid}/stat`) ?? ''
  // proc(5): field 22 is the start time; field 2, the name in brackets, may hold spaces.
  const startTime = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  return `${pid}\n${boot}\n${startTime}\n`
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
