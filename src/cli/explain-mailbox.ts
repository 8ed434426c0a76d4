/** What the own Asterisk shows of a mailbox against the count that counts, and why they may differ. */
import type { ExplainAnswer, Remark } from '../observe/api.js'
import { askLocally, type LocalAnswer } from '../doctor/local-state.js'
import { becauseOfLeftovers, becauseOfWaiting, judge, type LocalView } from '../doctor/verdict.js'

/**
 * Asks the console whether a mailbox has new messages, by commands of one line; never throws. Source: Asterisk
 * `res_mwi_devstate.c`: the device MWI:MAILBOX is INUSE with new messages, NOT_INUSE without, and is not there before the first count.
 */
export async function askAboutMailbox(
  mailbox: string,
  run: (command: string) => Promise<string>,
): Promise<LocalAnswer> {
  try {
    const modules = await run('module show like res_mwi_devstate')
    if (!/^res_mwi_devstate\.so\s.*(?<!Not)\s+Running\s/m.test(modules)) {
      return { failure: notLoaded }
    }
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) }
  }
  const { state, failure } = await askLocally(`MWI:${mailbox}`, run)
  return failure === undefined ? { hasNewMessages: state === 'INUSE' } : { failure }
}

const notLoaded =
  "its module res_mwi_devstate is not loaded ('module load res_mwi_devstate' on its console changes that)"

/** Compares what is answered with the count that counts. */
export function judgeMailbox(
  answer: Extract<ExplainAnswer, { readonly kind: 'message_waiting' }>,
  local: LocalAnswer,
): { readonly local: LocalView; readonly remarks: readonly Remark[] } {
  const { hasNewMessages } = local
  if (hasNewMessages === undefined) return judge(answer, local)
  const isAsExpected = hasNewMessages === answer.sum.newMessages > 0
  return {
    local: { hasNewMessages, isAsExpected },
    remarks: isAsExpected ? [] : [whyDifferent(answer, hasNewMessages)],
  }
}

/** The first reason that holds. */
function whyDifferent(
  answer: Extract<ExplainAnswer, { readonly kind: 'message_waiting' }>,
  hasNewMessages: boolean,
): Remark {
  const { id, sum } = answer
  const shown = hasNewMessages ? 'new messages' : 'no new messages'
  const text = `this Asterisk shows ${shown}, and ${sum.newMessages} is the count that counts`
  return (
    becauseOfLeftovers(answer, text) ??
    becauseOfWaiting(answer, text) ?? {
      severity: 'warning',
      text: `${text}: it was given another since, that no member tells of`,
      remedy:
        `its own, where share.message_waiting keeps ${id} in; else that of a bridge that ran before on another state_dir, or of ` +
        'something else that publishes to it. The next change, or a restart of Asterisk, puts it right',
    }
  )
}
