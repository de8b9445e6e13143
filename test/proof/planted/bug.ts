/** A place of the source, and what stands there instead. */
export interface Edit {
  /** Stands exactly once in the file. */
  readonly find: string
  readonly replace: string
}

/** A bug that somebody might write: a change of what production runs, which the simulation must find. */
export interface Bug {
  /** A sentence of its own in the report: it has no number, so that the list may grow anywhere. */
  readonly name: string
  /** Which promises it breaks: one of their checkers must find it. */
  readonly breaks: readonly string[]
  /** By the file, below `src/`. */
  readonly edits: ReadonlyMap<string, readonly Edit[]>
  /** Other statements than the workload's: merges, which wait for look-ups, would keep their number low. */
  readonly plan?: 'gets'
}

/** A bug of one change. */
export function bug(name: string, breaks: string, file: string, find: string, replace: string): Bug {
  return { name, breaks: breaks.split(' '), edits: new Map([[file, [{ find, replace }]]]) }
}

/** A bug of several changes: where one guard stands behind another one, or a change needs an import. */
export function bugOf(name: string, breaks: string, edits: Readonly<Record<string, readonly Edit[]>>): Bug {
  return { name, breaks: breaks.split(' '), edits: new Map(Object.entries(edits)) }
}

/** A file's source with the bug in it. Throws where what it changes isn't there any more, or more than once. */
export function planted({ name, edits }: Bug, file: string, source: string): string {
  return edits.get(file)!.reduce((text, { find, replace }) => {
    const places = text.split(find).length - 1
    if (places === 1) return text.replace(find, () => replace)
    throw new Error(`"${name}": what it changes stands ${String(places)} times in src/${file}, not once: ${find}`)
  }, source)
}
