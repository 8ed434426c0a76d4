import type { OverviewAnswer } from '../../observe/api.js'
import type { Check } from '../check.js'
import { type Finding, Findings, Unchecked } from '../finding.js'

/** Is a mailbox polled where it does not live (rule 5)? Only a running bridge knows. */
export const mailboxesCheck: Check = {
  name: 'mailboxes',
  async run(context) {
    const overview = await context.overview()
    if (overview === undefined) throw new Unchecked('the bridge does not run')
    return judgeMailboxes(overview)
  },
}

/** The finding where all is well; the check `bridge` has told the problems. */
export function judgeMailboxes({ problems }: Pick<OverviewAnswer, 'problems'>): Finding[] {
  if (problems.some(({ key }) => key.startsWith('mailbox-'))) return []
  return [new Findings('mailboxes').ok('none is polled where it does not live')]
}
