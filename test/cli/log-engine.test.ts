import t from 'tap'
import { openLogEngine } from '../../lib/cli/log-engine.js'
import { devStore } from '../support/dev-store.js'

await t.test('what --log may say', async (t) => {
  const { store } = await devStore(t)
  const rows: [string, RegExp][] = [
    ['mongodb://host/0#name', /--log is bucket, redis:.* or postgres:/],
    ['somewhere', /--log is bucket, or the URL of an engine/],
    ['redis://:secret-word@host/0', /the name of the log goes behind a #/],
    ['postgres://me:secret-word@host/db#', /behind a #/],
  ]
  for (const [place, message] of rows) {
    const opening = openLogEngine(place, {
      store,
      key: 'k',
      sourceId: undefined,
    })
    await t.rejects(opening, { code: 'PAWL_INVALID_OPTION', message }, place)
    const said = await opening.catch((error: unknown) => String(error))
    t.notMatch(said, /secret-word/, 'no password is said')
  }
})

await t.test('the log in the bucket is found by key and source', async (t) => {
  const { store } = await devStore(t)
  const names = await Promise.all(
    [
      { key: 'a', sourceId: undefined },
      { key: 'a', sourceId: 'v1' },
      { key: 'b', sourceId: undefined },
      { key: 'b', sourceId: undefined },
    ].map(async (upload) => {
      const engine = await openLogEngine('bucket', { store, ...upload })
      await engine.close()
      return engine.checkpoint.name
    }),
  )
  t.equal(new Set(names).size, 3)
  t.equal(names[2], names[3])
})
