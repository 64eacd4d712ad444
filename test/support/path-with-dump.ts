/** `pg_dump`, for examples that dump a database. */
import { mkdir, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'

/** A path on which `pg_dump` is found, which says what it was asked for. */
export async function pathWithDump(directory: string): Promise<string> {
  const folder = join(directory, 'bin')
  await mkdir(folder)
  const script = '#!/bin/sh\necho "dump of $1"\n'
  await writeFile(join(folder, 'pg_dump'), script, { mode: 0o755 })
  return [folder, process.env['PATH']].join(delimiter)
}
