import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Config } from '../../src/config/config.js'
import { type FileFacts, filesCheck, judgeFiles } from '../../src/doctor/checks/files.js'
import type { DoctorContext } from '../../src/doctor/context.js'
import { put, scratchFolder } from '../config/scratch.js'

const service = { uid: 998, gid: 997 }
const other = { uid: 1_000, gid: 1_000 }
/** As the README leaves it. */
const secret: FileFacts = {
  path: '/etc/hintbridge/xmpp.secret',
  uid: 0,
  gid: service.gid,
  mode: 0o640,
  holdsSecret: true,
}
const written = 'others than root can write /etc/hintbridge/xmpp.secret'
const read = 'others than root and the bridge can read /etc/hintbridge/xmpp.secret'
const fine = 'no stranger can write the configuration or read its passwords'

const judge = (facts: Partial<FileFacts>, isRoot = true): string[] =>
  judgeFiles([{ ...secret, ...facts }], service, isRoot).map(({ text }) => text)

describe('the files of the bridge', () => {
  it.each([
    ['as the README leaves them', {}, [fine]],
    ['as init leaves them', { gid: 0, mode: 0o600 }, [fine]],
    ['given to the service', { uid: service.uid, mode: 0o400 }, [written]],
    ['writable by its group', { mode: 0o660 }, [written]],
    ['writable by all', { mode: 0o602 }, [written]],
    ['given to somebody else', { uid: other.uid, mode: 0o600 }, [written, read]],
    ['readable by a group of others', { gid: other.gid }, [read]],
    ['without a secret', { gid: other.gid, mode: 0o644, holdsSecret: false }, [fine]],
  ])('%s', (_, facts, texts) => {
    expect(judge(facts)).toEqual(texts)
  })

  it('may belong to who runs all of it as one user, without root', () => {
    expect(judge({ uid: service.uid, mode: 0o600 }, false)).toEqual([fine])
  })

  it('say how to give them back', () => {
    const [finding] = judgeFiles([{ ...secret, uid: 998 }], service, true)
    expect(finding).toMatchObject({ severity: 'warning' })
    expect(finding?.remedy).toMatch(/^chown root:997 and chmod g-w,o-w: .*run as root$/)
  })

  it.runIf(process.getuid?.() === 0)('are all that the configuration names', async () => {
    const stateDir = scratchFolder()
    const folder = join(stateDir, 'etc')
    mkdirSync(folder)
    put(folder, 'xmpp.secret', 'a', 0o660)
    put(folder, 'ca.pem', 'a', 0o644)
    const text =
      'xmpp: { password_file: xmpp.secret, tls: { ca: ca.pem } }\nhttp: { password: a }\n'
    const file = put(folder, 'hintbridge.yaml', text, 0o640)
    for (const name of ['.', 'xmpp.secret', 'ca.pem']) chmodSync(join(folder, name), 0o777)
    const context = { config: { stateDir } as unknown as Config } as DoctorContext
    const [finding] = await filesCheck(file).run(context)
    const paths = [folder, join(folder, 'ca.pem'), join(folder, 'xmpp.secret')].join(', ')
    expect(finding?.text).toBe(`others than root can write ${paths}`)
  })

  it('are not judged while the user of the bridge is unknown', async () => {
    const context = { config: { stateDir: '/nowhere' } as unknown as Config } as DoctorContext
    await expect(filesCheck('/nowhere/a.yaml').run(context)).rejects.toThrow(
      'before there is /nowhere',
    )
  })
})
