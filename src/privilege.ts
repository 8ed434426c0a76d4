/** Who runs this process. */

/** Is it root, whom no advice to become root helps? */
export function isRoot(): boolean {
  return process.getuid?.() === 0
}
