import { randomBytes } from 'node:crypto'
import { readdirSync, renameSync, rmSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'

/** Two bridges must not share one folder: each would withdraw what the other injects. */
export class StateDirLocked extends Error {
  override readonly name = 'StateDirLocked'
  readonly isTemporary = true

  constructor(
    readonly directory: string,
    /** Who holds it: `the hintbridge with process ID 1 on pbx-a`. */
    readonly holder: string,
  ) {
    super(
      `failed to lock state_dir '${directory}': ${holder} uses it; stop that one, or give this one a folder of its own`,
    )
  }
}

/** As long as the control socket's name at most: a path of a socket holds 107 octets, and `state_dir` is held to that. */
const ownName = /^lock\.[0-9a-f]{8}$/
/** COMPAT: bridges up to 0.1.0 hold no such socket. Where one runs its control socket answers. */
const controlName = 'hintbridge.sock'
/** COMPAT: what a bridge up to 0.1.0 left when it was killed: its process ID. */
const formerName = 'lock'

/** How long a holder may take to say who it is, ms. One that stands still says nothing, and holds the folder all the same. */
const answerMs = 300

/**
 * Holds a folder by a Unix socket that listens in it. The kernel answers for it, whatever namespace of processes or of networks asks,
 * and lets go of it when the process ends. Each takes a name of its own, and only then looks for others: of two that come at once
 * at least one sees the other, and no name that is found dead can come back to life.
 */
export class StateDirLock {
  private constructor(
    private readonly server: Server,
    private readonly path: string,
  ) {}

  /**
   * Takes the lock on a folder that is there. Throws StateDirLocked where a living process holds it, else the file system's error
   * where it takes no socket, though nobody was found that holds it.
   */
  static async take(directory: string): Promise<StateDirLock> {
    const id = randomBytes(4).toString('hex')
    const taken = await StateDirLock.#announce(directory, id).catch((error: unknown) => error)
    try {
      const holder = await findHolder(directory, `lock.${id}`)
      if (holder !== undefined) throw new StateDirLocked(directory, holder)
      if (!(taken instanceof StateDirLock)) throw taken
      removeIfPossible(join(directory, formerName))
      return taken
    } catch (error) {
      if (taken instanceof StateDirLock) taken.release()
      throw error
    }
  }

  /** Gives the folder back; may be called again. */
  release(): void {
    if (!this.server.listening) return
    this.server.close()
    rmSync(this.path, { force: true })
  }

  /** A socket that does not listen yet looks like a dead one: it gets its name when it does. */
  static async #announce(directory: string, id: string): Promise<StateDirLock> {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.end(`the hintbridge with process ID ${process.pid} on ${hostname()}`)
    })
    const stage = join(directory, `bind.${id}`)
    await listen(server, stage)
    server.unref()
    const path = join(directory, `lock.${id}`)
    try {
      renameSync(stage, path)
    } catch (error) {
      server.close()
      throw error
    }
    return new StateDirLock(server, path)
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    // Whoever gets into the folder may ask: root's lock must not look dead to the service's user, or the other way round.
    const mask = process.umask(0o111)
    try {
      server.listen(path, resolve)
    } finally {
      process.umask(mask)
    }
  })
}

/** Who else holds the folder; what dead ones left is removed. */
async function findHolder(directory: string, own: string): Promise<string | undefined> {
  const names = readdirSync(directory)
  // The control socket last: of who listens there nothing is heard.
  const asked = [...names.filter((name) => ownName.test(name)), controlName]
  for (const name of asked.filter((name) => name !== own)) {
    const holder = await ask(join(directory, name))
    if (holder !== undefined) return holder
    if (name !== controlName) removeIfPossible(join(directory, name))
  }
  return undefined
}

/** What is no socket looks dead too, and a folder of that name stays. */
function removeIfPossible(path: string): void {
  try {
    rmSync(path, { force: true })
  } catch {
    // In the way of nobody.
  }
}

/** Who listens there; `undefined` where nobody does. */
function ask(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    let said = ''
    const socket = connect(path)
    const answer = (holder: string | undefined): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(holder)
    }
    const answerSaid = (): void => answer(said === '' ? 'another hintbridge' : said)
    const timer = setTimeout(answerSaid, answerMs)
    socket.setEncoding('utf8')
    socket.on('data', (part: string) => (said = `${said}${part}`.slice(0, 200)))
    socket.on('end', answerSaid)
    socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      if (code === 'ECONNREFUSED' || code === 'ENOENT') answer(undefined)
      else answerSaid() // it took the connection, may not be asked by this user, or has too many that ask
    })
  })
}
