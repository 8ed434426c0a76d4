/** Does root run this process? Then advice to become root does not help. */
export function isRoot(): boolean {
  return process.getuid?.() === 0
}
