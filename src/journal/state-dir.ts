/** What an administrator mends: rights, a file in the way, a file system that is read-only; not a full disk. */
const codes: ReadonlySet<string> = new Set([
  'EACCES',
  'EEXIST',
  'EISDIR',
  'ELOOP',
  'ENAMETOOLONG',
  'ENOENT',
  'ENOTDIR',
  'EPERM',
  'EROFS',
])

/** The folder that `state_dir` names cannot be used by this user. */
export class StateDirUnusable extends Error {
  override readonly name = 'StateDirUnusable'
  readonly isTemporary = false

  constructor(
    readonly directory: string,
    cause: Error,
  ) {
    super(
      `state_dir '${directory}' cannot be written: ${cause.message}: create it and give it, with all that is in it, to the user that runs hintbridge`,
      { cause },
    )
  }
}

/** Runs what needs the folder; throws StateDirUnusable where the file system does not let this user, else what it threw. */
export function inStateDir<Result>(directory: string, task: () => Result): Result {
  try {
    return task()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (error instanceof Error && code !== undefined && codes.has(code)) {
      throw new StateDirUnusable(directory, error)
    }
    throw error
  }
}
