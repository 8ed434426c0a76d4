/**
 * What a compose file starts, without a container engine: each container is a chroot of buildah's, each network of a
 * service a namespace of its own on one bridge. It knows what `docker/compose.yaml` uses, and nothing more; `read_only`,
 * `cap_drop`, `security_opt`, `restart` and `build` are for an engine.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { parse } from 'yaml'
import { z } from 'zod'
import type { ImageStore } from './images.js'
import { run, type Running } from './running.js'
import type { Scratch } from './scratch.js'

const execute = promisify(execFile)

const conditions = ['service_started', 'service_healthy', 'service_completed_successfully'] as const

const serviceSchema = z
  .object({
    image: z.string(),
    environment: z.record(z.string(), z.string()).default({}),
    volumes: z.array(z.string()).default([]),
    depends_on: z.record(z.string(), z.object({ condition: z.enum(conditions) })).default({}),
    entrypoint: z.array(z.string()).optional(),
    command: z.array(z.string()).optional(),
    network_mode: z
      .string()
      .regex(/^service:/)
      .optional(),
    build: z.unknown().optional(),
    restart: z.unknown().optional(),
    read_only: z.unknown().optional(),
    cap_drop: z.unknown().optional(),
    security_opt: z.unknown().optional(),
  })
  .strict()

const imageSchema = z.object({
  Docker: z.object({
    config: z.object({
      Entrypoint: z.array(z.string()).nullish(),
      Cmd: z.array(z.string()).nullish(),
      Healthcheck: z.object({ Test: z.array(z.string()) }).optional(),
    }),
  }),
})

type Service = z.infer<typeof serviceSchema>

interface Container {
  readonly id: string
  readonly running: Running
  readonly healthTest: readonly string[] | undefined
}

export class Composition {
  readonly #services: Readonly<Record<string, Service>>
  readonly #containers = new Map<string, Container>()
  readonly #folder: string
  /** Beginning of the names of namespaces and devices, at most 15 characters with what follows. */
  readonly #prefix = `hb${randomBytes(2).toString('hex')}`

  constructor(
    file: string,
    private readonly store: ImageStore,
    private readonly scratch: Scratch,
  ) {
    const text = parse(readFileSync(file, 'utf8'), { merge: true }) as { services: unknown }
    this.#services = z.record(z.string(), serviceSchema).parse(text.services)
    this.#folder = scratch.makeFolder('compose')
  }

  /** Starts all services in the order of what they depend on. */
  async start(): Promise<void> {
    await this.#makeNetworks()
    const started = new Set<string>()
    const start = async (name: string): Promise<void> => {
      if (started.has(name)) return
      started.add(name)
      for (const [other, { condition }] of Object.entries(this.#service(name).depends_on)) {
        await start(other)
        await this.#await(other, condition)
      }
      const container = await this.#run(name)
      this.#containers.set(name, container)
      await inside(container.running)
    }
    for (const name of Object.keys(this.#services)) await start(name)
  }

  /** Waits until the health check of a service's image is content; throws after half a minute, or when it ends. */
  async awaitHealth(name: string): Promise<void> {
    const { running, healthTest } = this.#container(name)
    if (!healthTest) throw new Error(`${name} has no health check`)
    const deadline = performance.now() + 30_000
    for (;;) {
      const failure = await this.exec(name, ...healthTest).then(() => undefined, String)
      if (failure === undefined) return
      if (!running.isRunning || performance.now() > deadline) {
        throw new Error(`${name} is not healthy: ${failure}\n${this.log(name)}`)
      }
      await delay(200) // a health check is asked, it does not tell
    }
  }

  /** Runs a program in a service's container, as root and with the service's environment. Gives what it printed. */
  async exec(name: string, ...command: readonly string[]): Promise<string> {
    const environment = readFileSync(`/proc/${this.#pid(name)}/environ`, 'utf8')
    const env = Object.fromEntries(
      environment.split('\0').map((line) => line.split(/=(.*)/s).slice(0, 2)),
    ) as NodeJS.ProcessEnv
    const { stdout } = await execute('nsenter', [...this.#inside(name), ...command], { env })
    return stdout
  }

  /** Writes a program that takes `exec -T SERVICE COMMAND…`, as `docker compose` does; gives its path. */
  writeClient(): string {
    const file = join(this.#folder, 'compose')
    const cases = Object.keys(this.#services)
      .filter((name) => this.#containers.get(name)?.running.isRunning)
      .map((name) => `${name}) exec nsenter ${this.#inside(name).join(' ')} "$@" ;;`)
    const text = ['#!/bin/sh', 'service=$3; shift 3', 'case $service in', ...cases, 'esac']
    writeFileSync(file, `${text.join('\n')}\n`, { mode: 0o755 })
    return file
  }

  /** What a service wrote. */
  log(name: string): string {
    return readFileSync(this.#container(name).running.options.logFile, 'utf8')
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#containers.values()].map(({ running }) => running.kill()))
    for (const namespace of [...this.#networks().keys(), 'hub']) {
      await execute('ip', ['netns', 'del', this.#prefix + namespace])
    }
  }

  #service(name: string): Service {
    const service = this.#services[name]
    if (!service) throw new Error(`there is no service '${name}'`)
    return service
  }

  #container(name: string): Container {
    const container = this.#containers.get(name)
    if (!container) throw new Error(`service '${name}' was not started`)
    return container
  }

  /** The services that have a network of their own, with their addresses. */
  #networks(): Map<string, string> {
    const names = Object.keys(this.#services).filter((name) => !this.#service(name).network_mode)
    return new Map(names.map((name, index) => [name, `10.77.0.${index + 2}`]))
  }

  async #makeNetworks(): Promise<void> {
    const ip = (...args: readonly string[]) => execute('ip', args)
    const hub = `${this.#prefix}hub`
    await ip('netns', 'add', hub)
    await ip('-n', hub, 'link', 'add', 'bridge', 'type', 'bridge')
    await ip('-n', hub, 'link', 'set', 'bridge', 'up')
    for (const [name, address] of this.#networks()) {
      const namespace = this.#prefix + name
      await ip('netns', 'add', namespace)
      await ip(
        ...['-n', hub, 'link', 'add', name, 'type', 'veth', 'peer', 'eth0', 'netns', namespace],
      )
      await ip('-n', hub, 'link', 'set', name, 'master', 'bridge', 'up')
      await ip('-n', namespace, 'addr', 'add', `${address}/24`, 'dev', 'eth0')
      await ip('-n', namespace, 'link', 'set', 'eth0', 'up')
      await ip('-n', namespace, 'link', 'set', 'lo', 'up')
    }
  }

  async #run(name: string): Promise<Container> {
    const service = this.#service(name)
    const hosts = [...this.#networks()].map(([host, address]) => `--add-host=${host}:${address}`)
    const id = await this.store.buildah(
      'from',
      '--pull-never',
      ...hosts,
      `localhost/${service.image}`,
    )
    const inspected = await this.store.buildah('inspect', id)
    // Where both an image and `--volume` name a place, buildah 1.28 takes the one or the other by chance (seen).
    await this.store.buildah('config', '--volume', '-', id)
    const { config } = imageSchema.parse(JSON.parse(inspected)).Docker
    const entrypoint = service.entrypoint ?? config.Entrypoint ?? []
    const command = service.command ?? (service.entrypoint ? [] : (config.Cmd ?? []))
    const network = service.network_mode?.replace('service:', '') ?? name
    const running = run({
      name,
      command: 'ip',
      args: [
        ...['netns', 'exec', this.#prefix + network],
        ...['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'],
        ...this.store.command('run', '--isolation', 'chroot'),
        ...Object.entries(service.environment).map(([key, value]) => `--env=${key}=${value}`),
        ...(await this.#mounts(id, service.volumes)),
        // `$$` is how a compose file writes a dollar sign.
        ...[id, '--', ...[...entrypoint, ...command].map((arg) => arg.replaceAll('$$', '$'))],
      ],
      cwd: this.#folder,
      logFile: join(this.#folder, `${name}.log`),
    })
    return { id, running, healthTest: config.Healthcheck?.Test.slice(1) }
  }

  /** A named volume begins as what the first image has at its place, with its owner. */
  async #mounts(id: string, volumes: readonly string[]): Promise<string[]> {
    const mounts: string[] = []
    for (const volume of volumes) {
      const [name = '', place = '', mode = 'rw'] = volume.split(':')
      const folder = join(this.#folder, 'volumes', name)
      if (!existsSync(folder)) {
        this.scratch.makeFolder('compose/volumes')
        const root = await this.store.buildah('mount', id)
        const source = join(root, place)
        if (existsSync(source)) await execute('cp', ['-a', source, folder])
        else this.scratch.makeFolder(`compose/volumes/${name}`)
      }
      mounts.push(`--volume=${folder}:${place}:${mode}`)
    }
    return mounts
  }

  async #await(name: string, condition: (typeof conditions)[number]): Promise<void> {
    const { running } = this.#container(name)
    if (condition === 'service_completed_successfully') {
      const { code } = await running.exited
      if (code !== 0) throw new Error(`${name} ended with ${code}: ${this.log(name)}`)
    } else if (condition === 'service_healthy') await this.awaitHealth(name)
  }

  /** Arguments of `nsenter` for the program that runs in a service's container. */
  #inside(name: string): string[] {
    return ['--target', `${this.#pid(name)}`, '--mount', '--net', '--root', '--wd']
  }

  /** Of the program that runs in a service's container. */
  #pid(name: string): number {
    return innermost(this.#container(name).running.pid)
  }
}

/** Waits until a container's program has a root of its own, or has ended. */
async function inside(running: Running): Promise<void> {
  while (running.isRunning && rootOf(running.pid) === '/') {
    await delay(20) // no event tells of a chroot
  }
}

function rootOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${innermost(pid)}/root`)
  } catch {
    return '/' // it ended meanwhile
  }
}

/** The last of a line of only children. */
function innermost(pid: number): number {
  const tasks = `/proc/${pid}/task`
  const children = readdirSync(tasks).flatMap((task) =>
    readFileSync(join(tasks, task, 'children'), 'utf8')
      .split(' ')
      .filter(Boolean)
      .map(Number),
  )
  return children[0] === undefined ? pid : innermost(children[0])
}
