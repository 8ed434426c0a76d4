/** Container images without a container engine: built by buildah in chroots, on bases of Debian's own packages. */
import { execFile } from 'node:child_process'
import { existsSync, realpathSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { asteriskRoot } from './asterisk.js'
import type { Scratch } from './scratch.js'

const repository = join(import.meta.dirname, '..')
const authorities = '/etc/ssl/certs/ca-certificates.crt'

const execute = async (command: string, ...args: readonly string[]): Promise<string> => {
  const { stdout } = await promisify(execFile)(command, args, { maxBuffer: 2 ** 26 })
  return stdout
}

/** Why no image can be built or run here; undefined where it can. */
export async function whyNoImages(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'it needs root'
  const hasBuildah = await execute('buildah', '--version').then(isSo, isNotSo)
  if (!hasBuildah) return 'buildah is not installed'
  // What buildah does first; in a chroot whose root is no mount point, and where mounts are forbidden, it cannot.
  const mayMount = await execute(
    'unshare',
    '--mount',
    '--net',
    '--propagation',
    'private',
    'true',
  ).then(isSo, isNotSo)
  return mayMount ? undefined : 'this machine lets nobody make mount and network namespaces'
}

const isSo = (): boolean => true
const isNotSo = (): boolean => false

export class ImageStore {
  readonly #program: readonly string[]

  constructor(private readonly scratch: Scratch) {
    const [root, run] = [scratch.makeFolder('images'), scratch.makeFolder('images-run')]
    // A container that is killed leaves what buildah made for it, by default in /var/tmp.
    const temporary = `TMPDIR=${scratch.makeFolder('images-tmp')}`
    this.#program = ['env', temporary, 'buildah', '--root', root, '--runroot', run]
  }

  /** A program and its arguments: `buildah` with this store. */
  command(...args: readonly string[]): string[] {
    return [...this.#program, ...args]
  }

  /** Runs `buildah`; gives what it printed. */
  async buildah(...args: readonly string[]): Promise<string> {
    const [program = '', ...rest] = this.command(...args)
    return (await execute(program, ...rest)).trim()
  }

  /** Makes the image that the Dockerfile in `docker/NAME` describes, on `base` instead of a public one. */
  async build(name: string, tag: string, base: string): Promise<void> {
    const cache = (await execute('npm', 'config', 'get', 'cache')).trim()
    await this.buildah(
      ...['build', '--isolation', 'chroot', '--format', 'docker', '--tag', tag],
      ...['--build-arg', `BASE=${base}`, '--volume', `${cache}:/root/.npm`],
      ...['--file', join(repository, 'docker', name, 'Dockerfile'), repository],
    )
  }

  /** An image like Docker's `node:20-bookworm-slim`: Debian 12 and this machine's Node.js. */
  async commitNode(): Promise<string> {
    const container = await this.#containerOf(await debian())
    const npm = dirname(dirname(realpathSync(await which('npm'))))
    await this.buildah('copy', container, process.execPath, '/usr/local/bin/node')
    await this.buildah('copy', container, npm, '/usr/local/lib/node_modules/npm')
    // For npm behind a proxy with an authority of its own.
    await this.buildah('copy', container, authorities, authorities)
    await this.buildah('config', '--env', `NODE_EXTRA_CA_CERTS=${authorities}`, container)
    const link = ['ln', '-s', '../lib/node_modules/npm/bin/npm-cli.js', '/usr/local/bin/npm']
    await this.buildah('run', '--isolation', 'chroot', container, '--', ...link)
    return this.#commit(container, 'localhost/base-node')
  }

  /** An image of the lab's Debian sid, with its Asterisk. */
  async commitAsterisk(): Promise<string> {
    return this.#commit(await this.#containerOf(asteriskRoot()), 'localhost/base-asterisk')
  }

  /** Removes what buildah keeps; the folders go with the scratch folder. */
  async remove(): Promise<void> {
    await this.buildah('rm', '--all')
    this.scratch.remove()
  }

  async #containerOf(folder: string): Promise<string> {
    const container = await this.buildah('from', 'scratch')
    await this.buildah('copy', container, folder, '/')
    return container
  }

  async #commit(container: string, tag: string): Promise<string> {
    await this.buildah('commit', '--rm', '--quiet', container, tag)
    return tag
  }
}

const which = async (program: string): Promise<string> =>
  (await execute('sh', '-c', `command -v ${program}`)).trim()

/** The folder of a small Debian 12, made once a machine. */
async function debian(): Promise<string> {
  const folder = join(dirname(asteriskRoot()), 'debian-12')
  if (!existsSync(folder)) {
    const unfinished = `${folder}.new.${process.pid}`
    await execute('mmdebstrap', '--variant=minbase', '--mode=root', 'bookworm', unfinished)
    renameSync(unfinished, folder)
  }
  return folder
}
