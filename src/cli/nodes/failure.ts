import { Disconnected, XmppError } from '../../xmpp/errors.js'

/** Why one of several questions has no answer; the others are answered all the same. */
export interface Failure {
  readonly failure: string
}

const barred = 'only its owners, and those whom they name, may read that'

/** The answer, or why the server gave none; rejects where nothing more can be asked. */
export async function orFailure<Answer>(answer: Promise<Answer>): Promise<Answer | Failure> {
  try {
    return await answer
  } catch (error) {
    return failureOf(error)
  }
}

/** What the server refused or did not answer; rethrows any other error, and that of a stream that has ended. */
function failureOf(error: unknown): Failure {
  if (!(error instanceof XmppError) || error instanceof Disconnected) throw error
  // COMPAT ejabberd: `not-allowed` where who asks is not named as a reader, `forbidden` where it is no owner.
  const isBarred = ['forbidden', 'not-allowed'].includes(error.condition)
  return { failure: isBarred ? barred : error.message }
}
