import { execFile, type ExecFileException } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { put } from './config/scratch.js'

const root = new URL('..', import.meta.url).pathname
const { version, dependencies } = z
  .object({ version: z.string(), dependencies: z.record(z.string(), z.string()) })
  .parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')))

const versioned = z.object({ version: z.string() })
const { packages: locked } = z
  .object({ packages: z.record(z.string(), versioned) })
  .parse(JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')))
const billSchema = z.object({
  $schema: z.string(),
  components: z.array(versioned.extend({ name: z.string() })),
})

interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Copies what is built and packed, so that no test that runs beside this one sees `dist` change. */
function copyPackage(folder: string): string {
  const copy = join(folder, 'package')
  const parts = [
    'package.json',
    'package-lock.json',
    'packaging',
    'tsconfig.json',
    'tsconfig.build.json',
    'src',
    'docs',
    'contrib',
    'CHANGELOG.md',
    'SECURITY.md',
    'LICENSE',
  ]
  for (const part of parts) cpSync(join(root, part), join(copy, part), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  return copy
}

function execute(command: string, args: string[], cwd = root) {
  return new Promise<Outcome>((resolve) => {
    const options = { cwd, timeout: 120_000 }
    execFile(command, args, options, (error: ExecFileException | null, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ code, stdout, stderr })
    })
  })
}

describe('the package', () => {
  let scratch: string
  let hintbridge: string
  let packed: readonly string[]

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'hintbridge-pack-'))
    const packing = ['pack', '--json', '--pack-destination', scratch]
    const pack = await execute('npm', packing, copyPackage(scratch))
    expect(pack.code, pack.stderr).toBe(0)
    const listed = /^\[\n[^]*/m.exec(pack.stdout)?.[0] ?? '' // the build speaks before it
    const [tarball] = z
      .array(z.object({ filename: z.string(), files: z.array(z.object({ path: z.string() })) }))
      .parse(JSON.parse(listed))
    packed = tarball?.files.map(({ path }) => path) ?? []
    const file = join(scratch, tarball?.filename ?? '')
    const prefix = join(scratch, 'prefix')
    const install = await execute('npm', [
      'install',
      '--global',
      '--prefer-offline',
      '--prefix',
      prefix,
      file,
    ])
    expect(install.code, install.stderr).toBe(0)
    hintbridge = join(prefix, 'bin', 'hintbridge')
  }, 180_000)

  afterAll(() => rmSync(scratch, { recursive: true, force: true }))

  it('holds the program, the documentation and nothing of the workshop', () => {
    expect(packed).toEqual(
      expect.arrayContaining([
        'dist/main.js',
        'dist/sbom.cdx.json',
        'dist/observe/page/index.html',
        'dist/observe/page/main.js',
        'dist/observe/page/page.css',
        'docs/hintbridge.example.yaml',
        'contrib/systemd/hintbridge.service',
        'docs/security.md',
        'CHANGELOG.md',
        'SECURITY.md',
        'LICENSE',
        'package.json',
      ]),
    )
    expect(packed.filter((path) => /^(src|test|lab|bench|packaging|\.)/.test(path))).toEqual([])
  })

  it('holds a bill of its materials: what it depends on, in the versions of the lock file, and no addresses', () => {
    const modules = join(scratch, 'prefix/lib/node_modules/hintbridge/node_modules')
    const text = readFileSync(join(modules, '../dist/sbom.cdx.json'), 'utf8')
    const bill = billSchema.parse(JSON.parse(text))
    const named = new Map(bill.components.map(({ name, version: each }) => [name, each]))
    for (const name of Object.keys(dependencies)) {
      expect([name, named.get(name)]).toEqual([name, locked[`node_modules/${name}`]?.version])
    }
    const installed = readdirSync(modules).flatMap((name) =>
      name.startsWith('@')
        ? readdirSync(join(modules, name)).map((each) => `${name}/${each}`)
        : name,
    )
    expect(installed.filter((name) => !name.startsWith('.') && !named.has(name))).toEqual([])
    expect(named.has('typescript')).toBe(false)
    expect(text.replace(bill.$schema, '')).not.toMatch(/https?:/)
    // The same lock file gives the same octets.
    expect(text).not.toMatch(/serialNumber|timestamp/)
  })

  it('tells its version', async () => {
    expect(await execute(hintbridge, ['--version'])).toMatchObject({
      code: 0,
      stdout: `${version}\n`,
    })
  })

  it('helps, with its commands and examples', async () => {
    const { code, stdout } = await execute(hintbridge, ['--help'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/hintbridge run [^]*hintbridge init [^]*hintbridge leave [^]*Examples:/)
  })

  it('ends with 1 on a command that it does not know, and points to the help', async () => {
    const { code, stderr } = await execute(hintbridge, ['rum'])
    expect(code).toBe(1)
    expect(stderr).toContain("did you mean 'run'?")
    expect(stderr).toContain("See 'hintbridge --help'")
  })

  it('ends with 78 on a bad configuration, and lists every problem', async () => {
    const file = put(scratch, 'bad.yaml', 'trust: [nobody]\nlog: { level: loud }\n')
    const { code, stdout, stderr } = await execute(hintbridge, ['run', '--config', file])
    expect(code).toBe(78)
    expect(stdout).toBe('')
    expect(stderr.split('\n').map((line) => line.split(':')[0]?.trim())).toEqual([
      'hintbridge',
      'xmpp',
      'xmpp.password_file',
      'asterisk.sip.password_file',
      'trust[0] (line 1)',
      'log.level (line 2)',
      '',
    ])
  })
})
