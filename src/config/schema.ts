import { z } from 'zod'
import { parseEntityId } from '../bridge/state.js'
import { logLevels } from './config.js'
import { formatDuration, parseDuration } from './duration.js'
import { parseHostPort } from './host-port.js'
import { isXmppDomain, parseAccount, parseBareJid } from './jid.js'
import { compileRegex, PatternError } from './regex.js'

/** What stands where the file says nothing, spelled as in the file; what one line can hold stands beside its key below. */
export const defaults = {
  stateDir: '/var/lib/hintbridge',
  sipAsterisk: '127.0.0.1:5060',
  sipListen: '127.0.0.1:5070',
  httpListen: '127.0.0.1:9595',
  console: 'asterisk',
  heartbeat: '10s',
  deadAfter: '30s',
  grace: '5s',
  staleAfter: '60s',
  members: '60s',
  audit: '5m',
  namesPerMember: 20_000,
  names: 200_000,
} as const

/**
 * The configuration file's shape, in the file's own names. Durations come out in milliseconds, addresses split, regular
 * expressions as the text that was checked to compile. Keys that are not named here are errors.
 */
export const settingsSchema = section({
  cluster: text(
    "must be the root of the pubsub node names: letters, digits and '._-', parts divided by '/'",
    (value) => (/^[\w.-]+(\/[\w.-]+)*$/.test(value) ? value : undefined),
  ).default('asterisk'),
  trust: z
    .array(
      text(
        "must be a bare JID such as 'pbx-*@example.org', where * stays within its part",
        (value) => (parseBareJid(value) === undefined ? undefined : value.toLowerCase()),
      ),
      { error: required("a list of bare JIDs that may be members, such as ['pbx-*@example.org']") },
    )
    .min(1, 'must name at least one JID: nobody else could be a member'),
  inspectors: z
    .array(
      text(
        "must be the bare JID of one account, such as 'ops@example.org': the XMPP server knows no *",
        parseAccount,
      ),
      { error: required("a list of bare JIDs that may read, such as ['ops@example.org']") },
    )
    .default([]),
  name: text('must be a name of 1 to 64 characters, without control characters', (value) =>
    /^\P{Cc}{1,64}$/u.test(value) ? value : undefined,
  ).optional(),
  state_dir: filePath(defaults.stateDir),
  xmpp: section({
    service: listOf(
      text(
        "must be a URI such as 'xmpp://xmpp.example.org:5222' (STARTTLS) or 'xmpps://xmpp.example.org:5223' (direct TLS)",
        (value) => (isServiceUri(value) ? value : undefined),
      ),
      "a service URI such as 'xmpp://127.0.0.1:5222', or a list of them",
    ),
    jid: text(
      "must be the bridge's own account as a bare JID, such as 'pbx-a@example.org'",
      (value) => parseBareJid(value)?.jid,
    ),
    ...secretKeys('xmpp'),
    pubsub: text("must be the JID of the pubsub service, such as 'pubsub.example.org'", (value) =>
      isXmppDomain(value) ? value.toLowerCase() : undefined,
    ).optional(),
    sasl: oneOf(['scram', 'scram-unbound', 'plain']).default('scram'),
    tls: section({
      mode: oneOf(['required', 'insecure']).default('required'),
      ca: filePath().optional(),
    }).prefault({}),
  }),
  asterisk: section({
    eid: text(
      "must be an entity ID such as '02:00:00:00:00:0a' (not all zero): 'core show settings' shows it",
      parseEntityId,
    ).optional(),
    console: listOf(
      text("must be the program that is 'asterisk' here", (value) =>
        value === '' || value.includes('\0') ? undefined : value,
      ),
      "the program that is 'asterisk' here, or a list of it and its first arguments",
    ).prefault([defaults.console]),
    sip: section({
      asterisk: address().prefault(defaults.sipAsterisk),
      listen: address().prefault(defaults.sipListen),
      transport: oneOf(['udp', 'tcp']).default('udp'),
      resource: text("must be a name of letters, digits and '._-'", (value) =>
        /^[\w.-]{1,64}$/.test(value) ? value : undefined,
      ).default('hintbridge'),
      ...secretKeys('sip'),
      asterisk_password: z
        .string({ error: required("Asterisk's sip password as text") })
        .optional(),
      asterisk_password_file: filePath().optional(),
      insecure: flag(false),
    }).prefault({}),
  }).prefault({}),
  share: section({
    device_state: section({
      publish: flag(true),
      subscribe: flag(true),
      include: patterns(['.*']),
      exclude: patterns(['^Local/']),
      uncachable: flag(false),
    }).prefault({}),
    message_waiting: section({
      publish: flag(true),
      subscribe: flag(true),
      include: patterns(['.*']),
      exclude: patterns([]),
      claim: patterns([]),
    }).prefault({}),
  }).prefault({}),
  liveness: section({
    heartbeat: duration(100).prefault(defaults.heartbeat),
    dead_after: duration(1).prefault(defaults.deadAfter),
    grace: duration(0).prefault(defaults.grace),
    stale_after: duration(1).prefault(defaults.staleAfter),
    members: duration(1_000).prefault(defaults.members),
    audit: duration(1_000).prefault(defaults.audit),
  }).prefault({}),
  limits: section({
    names_per_member: wholeNumber(defaults.namesPerMember),
    names: wholeNumber(defaults.names),
  }).prefault({}),
  http: section({
    listen: address(0).prefault(defaults.httpListen),
    ...secretKeys('HTTP'),
  }).prefault({}),
  log: section({ level: oneOf(logLevels).default('info') }).prefault({}),
})

/** The checked settings, in the file's own names. */
export type Settings = z.output<typeof settingsSchema>

/** An object that refuses unknown keys and says which one was probably meant. */
function section<Shape extends z.core.$ZodShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `is not known; known here: ${Object.keys(shape).join(', ')}`
        : required('a section with keys of its own')(issue),
  })
}

/** A string that `parse` turns into its value; `undefined` from it is a problem with that message. */
function text<Value>(message: string, parse: (value: string) => Value | undefined) {
  return z
    .string({ error: required(message.replace(/^must be /, '')) })
    .transform((value, context): Value => {
      const parsed = parse(value)
      if (parsed !== undefined) return parsed
      context.addIssue({ code: 'custom', input: value, message })
      return z.NEVER
    })
}

function required(what: string) {
  return (issue: { readonly input?: unknown }): string =>
    issue.input === undefined || issue.input === null
      ? `is required: ${what}`
      : `must be ${what}${typeof issue.input === 'number' ? ' (text; put it in quotes)' : ''}`
}

function duration(leastMs: number) {
  const example = "must be a duration with its unit, such as '500ms', '10s' or '1m'"
  return text(
    leastMs > 1 ? `${example}, at least ${formatDuration(leastMs)}` : example,
    (value) => {
      const ms = parseDuration(value)
      return ms === undefined || ms < leastMs ? undefined : ms
    },
  )
}

function address(leastPort = 1) {
  return text("must be host:port, such as '127.0.0.1:5060' or '[::1]:5060'", (value) => {
    const parsed = parseHostPort(value)
    return parsed === undefined || parsed.port < leastPort ? undefined : parsed
  })
}

function filePath(fallback?: string) {
  const path = text('must be the path of a file or folder', (value) =>
    value === '' || value.includes('\0') ? undefined : value,
  )
  return fallback === undefined ? path : path.prefault(fallback)
}

function flag(fallback: boolean) {
  return z.boolean({ error: required('true or false') }).default(fallback)
}

function wholeNumber(fallback: number) {
  const message = 'must be a whole number of at least 1'
  return z
    .int({ error: required('a whole number of at least 1') })
    .min(1, message)
    .default(fallback)
}

function oneOf<const Words extends readonly string[]>(words: Words) {
  return z.enum(words, { error: required(`one of ${words.join(', ')}`) })
}

function patterns(fallback: string[]) {
  const pattern = z
    .string({ error: required('a regular expression as text') })
    .superRefine((value, context) => {
      const message = objectionToRegex(value)
      if (message !== undefined) context.addIssue({ code: 'custom', input: value, message })
    })
  return z.array(pattern, { error: required('a list of regular expressions') }).default(fallback)
}

function objectionToRegex(pattern: string): string | undefined {
  try {
    compileRegex(pattern)
    return undefined
  } catch (error) {
    if (error instanceof PatternError) return error.message
    throw error
  }
}

/** One value or a list of at least one. */
function listOf<Schema extends z.ZodType>(item: Schema, what: string) {
  return z.preprocess(
    (value) => (typeof value === 'string' ? [value] : value),
    z.array(item, { error: required(what) }).min(1, `must be ${what}`),
  )
}

/** Both are optional here: `secrets.ts` decides between them and the environment. */
function secretKeys(where: string) {
  return {
    password: z
      .string({
        error: required(
          `the ${where} password as text, in quotes if it begins with a mark such as & or *`,
        ),
      })
      .optional(),
    password_file: filePath().optional(),
  }
}

function isServiceUri(value: string): boolean {
  const match = /^xmpps?:\/\/(\[[^\]]+\]|[^/:\s]+)(?::(\d+))?\/?$/.exec(value)
  const parsed = match && parseHostPort(`${match[1] ?? ''}:${match[2] ?? '5222'}`)
  return parsed !== null && parsed !== undefined && parsed.port > 0
}
