/** The parsed but unchecked YAML, read leniently: what is not there, or of another type, is `undefined`. */

export function at(tree: unknown, path: string): unknown {
  let node = tree
  for (const key of path.split('.')) {
    if (typeof node !== 'object' || node === null || !Object.hasOwn(node, key)) return undefined
    node = (node as Record<string, unknown>)[key]
  }
  return node
}

export function textAt(tree: unknown, path: string): string | undefined {
  const value = at(tree, path)
  return typeof value === 'string' ? value : undefined
}
