/** The images are built from their Dockerfiles, and what compose.yaml starts of them does what the demo does. */
import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Composition } from '../../lab/compose.js'
import { ImageStore, whyNoImages } from '../../lab/images.js'
import { createScratch } from '../../lab/scratch.js'
import { readVersion } from '../../src/version.js'

const docker = join(import.meta.dirname, '../../docker')
const obstacle = await whyNoImages()
if (obstacle !== undefined) console.warn(`images are neither built nor run: ${obstacle}`)

/** What buildah leaves where it is told of no other place. */
const left = (): string[] => readdirSync('/var/tmp').filter((name) => name.startsWith('buildah'))

describe.skipIf(obstacle !== undefined)('the container images', () => {
  const scratch = createScratch('images')
  const store = new ImageStore(scratch)
  const before = left()
  let composition: Composition

  beforeAll(async () => {
    const node = await store.commitNode()
    await store.build('bridge', 'hintbridge', node)
    await store.build('prosody', 'hintbridge-prosody', node)
    await store.build('asterisk', 'hintbridge-asterisk', await store.commitAsterisk())
    composition = new Composition(join(docker, 'compose.yaml'), store, scratch)
    await composition.start()
  }, 600_000)
  afterAll(async () => {
    await composition.stop()
    await store.remove()
    expect(left()).toEqual(before)
  }, 60_000)

  it('say that they are healthy', async () => {
    for (const service of ['prosody', 'bridge-a', 'bridge-b'])
      await composition.awaitHealth(service)
  })

  it('hold the bridge of this version, which runs as a user of its own', async () => {
    expect(await composition.exec('bridge-a', 'hintbridge', '--version')).toBe(`${readVersion()}\n`)
    const status = await composition.exec('bridge-a', 'sh', '-c', 'cat /proc/[0-9]*/status')
    expect(status).toMatch(/^Uid:\t950\t950\t950\t950$/m)
  })

  it('keep the workshop out of the bridge’s image', async () => {
    const files = await composition.exec('bridge-a', 'ls', '/opt/hintbridge')
    expect(files.trim().split('\n').sort()).toEqual([
      'LICENSE',
      'dist',
      'node_modules',
      'package.json',
    ])
    await expect(
      composition.exec('bridge-a', 'ls', '/opt/hintbridge/node_modules/typescript'),
    ).rejects.toThrow('No such file')
  })

  it('do what the demo does: a hint and a mailbox of one Asterisk follow on the other', async () => {
    const { stdout } = await promisify(execFile)(join(docker, 'demo'), {
      env: { ...process.env, COMPOSE: composition.writeClient() },
    })
    expect(stdout).toMatch(/All followed\.\n$/)
  }, 120_000)
})
