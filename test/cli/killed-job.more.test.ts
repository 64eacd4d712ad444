/** A tree that is sent by a command which is killed again and again. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { cliDesk } from '../support/cli-desk.js'

const count = 800
const kills = 5

await t.test(
  'every file is there, and none that was said to be sent is sent again',
  async (t) => {
    const d = await cliDesk(t)
    const contents = new Map<string, string>()
    for (let i = 0; i < count; i++) {
      const key = `${String(i % 37)}/file-${i}`
      contents.set(key, `${i}`.repeat((i % 50) + 1))
      await mkdir(join(d.directory, 'tree', String(i % 37)), {
        recursive: true,
      })
      await writeFile(join(d.directory, 'tree', key), contents.get(key) ?? '')
    }
    const env = { XDG_STATE_HOME: join(d.directory, 'state') }
    const line = 'exec pawl put -r --json --jobs 8 tree $URL/'
    const said = new Set<string>()
    const puts = () => d.seen('PutObject')
    /** Runs it, to the end or to the kill behind so many requests. */
    const run = async (mark?: number): Promise<number | null> => {
      const before = puts().length
      const child = d.script(line, env)
      if (mark !== undefined) {
        while (puts().length < before + mark) {
          await new Promise((resolve) => {
            setImmediate(resolve)
          })
        }
        child.kill('SIGKILL')
      }
      const { code, out } = await child.ended
      const again = puts()
        .slice(before)
        .filter(({ key = '' }) => said.has(key))
      t.same(again, [], 'nothing that was said to be sent is sent')
      for (const [, key = ''] of out.matchAll(
        /^\{"event":"result".*?"key":"([^"]+)"/gm,
      )) {
        said.add(key)
      }
      return code
    }
    for (let killed = 1; killed <= kills; killed++) {
      t.equal(await run(Math.ceil(count / (kills + 2))), null)
    }
    t.ok(said.size > 0 && said.size < count)
    t.equal(await run(), 0)
    for (const [key, text] of contents) {
      const stored = String(await d.object(key))
      if (stored !== text) t.equal(stored, text, key)
    }
    // What was under way at a kill may have arrived without a word of it.
    const twice = puts().length - count
    t.ok(twice <= kills * 8, `${twice} of ${count} were sent again`)
  },
)
