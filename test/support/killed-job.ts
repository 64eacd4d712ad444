/** A tree that is sent by a command which is killed again and again. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Test } from 'tap'
import { cliDesk } from './cli-desk.js'
import { randomFrom, seedFor } from './seed.js'

/** Files at once. */
const jobs = 8

export async function killJob(
  t: Test,
  { files, kills }: { files: number; kills: number },
): Promise<void> {
  const seed = seedFor()
  t.comment(`PAWL_SEED=${seed}`)
  const random = randomFrom(seed)
  const d = await cliDesk(t)
  const contents = new Map<string, string>()
  for (let i = 0; i < files; i++) {
    const key = `${i % 37}/file-${i}`
    const path = join(d.directory, 'tree', key)
    contents.set(key, `${i}`.repeat((i % 50) + 1))
    if (i < 37) await mkdir(dirname(path), { recursive: true })
    await writeFile(path, contents.get(key) ?? '')
  }
  const env = { XDG_STATE_HOME: join(d.directory, 'state') }
  const line = 'exec pawl put -r --json --jobs 8 tree $URL/'
  const said = new Set<string>()
  const sentAgain: string[] = []
  let puts = 0
  /** Runs it to the end, or kills it behind so many requests. */
  const run = async (mark = Infinity): Promise<number | null> => {
    let began = 0
    let reached: () => void = () => undefined
    const full = new Promise<void>((resolve) => {
      reached = resolve
    })
    // It may run ahead of the kill by as many files as are sent at once.
    const hold = mark + Math.floor(random() * jobs)
    d.server.setFault(({ operation, key = '' }) => {
      if (operation !== 'PutObject') return undefined
      puts += 1
      began += 1
      if (said.has(key)) sentAgain.push(key)
      if (began >= mark) reached()
      return began > hold ? { kind: 'silence' } : undefined
    })
    const child = d.script(line, env)
    if (mark !== Infinity) {
      await full
      child.kill('SIGKILL')
    }
    const { code, out } = await child.ended
    for (const [, key = ''] of out.matchAll(
      /^\{"event":"result".*?"key":"([^"]+)"/gm,
    )) {
      said.add(key)
    }
    return code
  }
  for (let left = kills; left > 0; left--) {
    const rest = files - said.size - jobs
    const mark = 1 + Math.floor((random() * 2 * rest) / (left + 2))
    t.equal(await run(mark), null, `killed behind ${mark} requests`)
  }
  t.ok(said.size > 0 && said.size < files, `${said.size} were sent by then`)
  t.equal(await run(), 0)
  t.same(sentAgain, [], 'nothing that was said to be sent is sent again')
  let equal = 0
  for (const [key, text] of contents) {
    const stored = await d.object(key).then(String, () => undefined)
    if (stored === text) equal += 1
    else t.equal(stored, text, key)
  }
  t.equal(equal, files, 'every file is there, with its bytes')
  // What was under way at a kill may have arrived without a word of it.
  const twice = puts - files
  t.ok(twice <= kills * 2 * jobs, `${twice} of ${files} were sent again`)
}
