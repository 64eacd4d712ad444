/**
 * Node 20 gives every object a hidden class of its own whose literal begins with a
 * spread and goes on with new names: slow to make, slow to read, and kept until a
 * full collection. What is made for each file has one for all files.
 */
import { setFlagsFromString } from 'node:v8'
import { runInThisContext } from 'node:vm'
import t from 'tap'
import { Agent } from 'undici'
import { s3Store, type ObjectStore } from '../../lib/index.js'
import { realUploadEnvironment } from '../../lib/upload/options/environment.js'
import { readSettings } from '../../lib/upload/options/settings.js'
import { bucket, keys } from '../support/dev-store.js'
import { fileBench } from '../support/file-bench.js'

setFlagsFromString('--allow-natives-syntax')
// As after many calls, when literals are made by what was seen of them.
setFlagsFromString('--no-lazy-feedback-allocation')
const haveOneShape = runInThisContext(
  '(one, other) => %HaveSameMap(one, other)',
) as (one: unknown, other: unknown) => boolean

/** Of either service, so that all is one request. */
const partSize = 5 * 1024 * 1024

await t.test('objects of one literal have one shape, seen so', async (t) => {
  const make = (n: number) => ({ n })
  t.ok(haveOneShape(make(1), make(2)))
  t.notOk(haveOneShape({ a: 1 }, { b: 1 }))
})

for (const dialect of ['v4', 'v1', 's3'] as const) {
  await t.test(
    `${dialect}: what small files are told and sent with has one shape`,
    async (t) => {
      const b = await fileBench(t, { size: 1000 })
      const agent = new Agent()
      t.teardown(() => agent.destroy())
      const headers: unknown[] = []
      const dispatcher = agent.compose((dispatch) => (options, handler) => {
        headers.push(options.headers)
        return dispatch(options, handler)
      })
      const store: ObjectStore =
        dialect === 's3'
          ? s3Store({
              endpoint: b.server.endpoint,
              region: 'us-east-1',
              bucket,
              credentials: {
                accessKeyId: keys.accessKeyId,
                secretAccessKey: keys.accessKeySecret,
              },
              dispatcher,
            })
          : b.another({ signatureVersion: dialect, dispatcher })
      const events: unknown[] = []
      const settings: unknown[] = []
      for (const key of ['a', 'b', 'c', 'd']) {
        const { etag } = await b.run({
          store,
          key,
          partSize,
          on: { part: (event) => void events.push(event) },
        })
        t.not(etag, '')
        settings.push(readSettings({ store, key }, realUploadEnvironment))
      }
      const kinds = { headers, events, settings }
      for (const [what, [, , one, other]] of Object.entries(kinds)) {
        t.type(one, 'object')
        t.ok(haveOneShape(one, other), what)
      }
    },
  )
}
