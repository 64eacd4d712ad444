/** A home directory with files of settings in it, gone with the test. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Test } from 'tap'
import { temporaryDirectory } from './dev-store.js'

/** Paths below the home with their text. */
export async function homeWith(
  t: Test,
  files: Readonly<Record<string, string>>,
): Promise<string> {
  const home = await temporaryDirectory(t)
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(home, path)), { recursive: true })
    await writeFile(join(home, path), text)
  }
  return home
}
