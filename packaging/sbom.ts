/**
 * Writes `dist/sbom.cdx.json`: what the package needs at run time, of the lock file, as CycloneDX. The same lock file gives the
 * same octets, so there is no serial number and no time in it.
 *
 * `npm sbom --omit dev` (npm 11) leaves out what a development dependency names as an optional peer too, such as yaml. So
 * all is asked for, and what is reachable from `dependencies` is kept.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { z } from 'zod'

const bomSchema = z.looseObject({
  serialNumber: z.string().optional(),
  metadata: z.looseObject({
    timestamp: z.string().optional(),
    component: z.looseObject({ 'bom-ref': z.string(), name: z.string() }),
  }),
  components: z.array(z.looseObject({ 'bom-ref': z.string(), name: z.string() })),
  dependencies: z.array(z.object({ ref: z.string(), dependsOn: z.array(z.string()) })),
})
const packageSchema = z.object({
  name: z.string(),
  dependencies: z.record(z.string(), z.string()),
  optionalDependencies: z.record(z.string(), z.string()).default({}),
})

const arguments_ = ['sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'application']
const printed = execFileSync('npm', [...arguments_, '--package-lock-only'], { encoding: 'utf8' })
const bom = bomSchema.parse(JSON.parse(printed))
const own = packageSchema.parse(JSON.parse(readFileSync('package.json', 'utf8')))

const dependsOn = new Map(bom.dependencies.map(({ ref, dependsOn: refs }) => [ref, refs]))
const root = bom.metadata.component['bom-ref']
const direct = new Set(Object.keys({ ...own.dependencies, ...own.optionalDependencies }))
const nameOf = (ref: string): string => ref.slice(0, ref.lastIndexOf('@'))
const roots = (dependsOn.get(root) ?? []).filter((ref) => direct.has(nameOf(ref)))
const reached = new Set(roots)
for (const ref of reached) for (const next of dependsOn.get(ref) ?? []) reached.add(next)

const text = JSON.stringify(
  {
    ...bom,
    serialNumber: undefined,
    metadata: {
      ...bom.metadata,
      timestamp: undefined,
      component: { ...bom.metadata.component, name: own.name },
    },
    components: bom.components.filter((component) => reached.has(component['bom-ref'])),
    dependencies: [
      { ref: root, dependsOn: roots },
      ...bom.dependencies.filter(({ ref }) => reached.has(ref)),
    ],
  },
  null,
  2,
)
writeFileSync('dist/sbom.cdx.json', `${text}\n`)
