/** A certificate authority of the lab's own, by openssl. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Scratch } from './scratch.js'

const openssl = async (...args: readonly string[]): Promise<void> => {
  await promisify(execFile)('openssl', [...args])
}

const ecKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

/** Absolute paths of PEM files. */
export interface Certificate {
  readonly certFile: string
  readonly keyFile: string
}

export interface CertificateAuthority {
  readonly caFile: string
  /** Issues a server certificate for these DNS names and 127.0.0.1; the first one names its files. */
  issue(...names: readonly [string, ...string[]]): Promise<Certificate>
  /** Issues one whose time was over yesterday. */
  issueExpired(name: string): Promise<Certificate>
}

/** Makes a certificate authority in a scratch folder; its certificates hold for 30 days. */
export async function createCa(scratch: Scratch, name = 'ca'): Promise<CertificateAuthority> {
  const folder = scratch.makeFolder(name)
  const caFile = join(folder, 'ca.pem')
  const caKeyFile = join(folder, 'ca.key')
  await openssl(
    ...['req', '-x509', ...ecKey, '-days', '30', '-subj', `/CN=hintbridge lab ${name}`],
    ...['-addext', 'keyUsage=critical,keyCertSign,cRLSign', '-keyout', caKeyFile, '-out', caFile],
  )
  return {
    caFile,
    issue: async (...names) => {
      const certFile = join(folder, `${names[0]}.pem`)
      const keyFile = join(folder, `${names[0]}.key`)
      const alternatives = [...names.map((dns) => `DNS:${dns}`), 'IP:127.0.0.1'].join(',')
      await openssl(
        ...['req', '-x509', ...ecKey, '-days', '30', '-subj', `/CN=${names[0]}`],
        ...['-CA', caFile, '-CAkey', caKeyFile, '-addext', 'basicConstraints=critical,CA:FALSE'],
        ...['-addext', `subjectAltName=${alternatives}`, '-addext', 'extendedKeyUsage=serverAuth'],
        ...['-keyout', keyFile, '-out', certFile],
      )
      return { certFile, keyFile }
    },
    issueExpired: async (name) => {
      const [certFile, keyFile, requestFile] = ['pem', 'key', 'csr'].map((suffix) =>
        join(folder, `${name}-expired.${suffix}`),
      ) as [string, string, string]
      await openssl(
        ...['req', '-new', ...ecKey, '-subj', `/CN=${name}`, '-keyout', keyFile],
        ...['-addext', `subjectAltName=DNS:${name}`, '-out', requestFile],
      )
      await openssl(
        ...['x509', '-req', '-in', requestFile, '-copy_extensions', 'copyall'],
        ...['-CA', caFile, '-CAkey', caKeyFile, '-days', '-1', '-out', certFile],
      )
      return { certFile, keyFile }
    },
  }
}
