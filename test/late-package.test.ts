/** A package that is loaded late, in a process that cannot always load it. */
import t from 'tap'
import { LatePackage } from '../lib/late-package.js'

const tooMany = Object.assign(new Error('too many open files'), {
  code: 'EMFILE',
})

await t.test('it is loaded once, for all who ask for it', async (t) => {
  let loads = 0
  const late = new LatePackage('some-package', async () => ({ load: ++loads }))
  t.equal(late.loaded, undefined, 'not before it is asked for')
  const all = await Promise.all([late.load(), late.load()])
  t.same(all, [{ load: 1 }, { load: 1 }])
  t.equal(late.loaded, all[0])
  t.equal(await late.load(), all[0])
})

await t.test(
  'an import that has failed fails for ever: it is required, until it is there',
  async (t) => {
    const whole = { isWhole: true }
    const left: unknown[] = [tooMany, tooMany, whole]
    const asked: string[] = []
    const late = new LatePackage(
      'some-package',
      async (): Promise<unknown> => {
        throw new Error('as ever')
      },
      {
        find: () => undefined,
        require: (name) => {
          asked.push(name)
          const next = left.shift()
          if (next === tooMany) throw tooMany
          return next
        },
      },
    )
    const first = await Promise.allSettled([late.load(), late.load()])
    const failed = { status: 'rejected', reason: tooMany }
    t.same(first, [failed, failed], 'with what the system says now')
    await t.rejects(late.load(), { code: 'EMFILE' })
    t.equal(late.loaded, undefined)
    t.equal(await late.load(), whole)
    t.equal(late.loaded, whole)
    t.same(asked, ['some-package', 'some-package', 'some-package'])
  },
)

await t.test(
  'what is imported empty, behind a link that was not followed, is required',
  async (t) => {
    const whole = (): string => 'whole'
    const late = new LatePackage<unknown>('some-package', async () => ({}), {
      find: () => undefined,
      require: () => whole,
    })
    t.equal(await late.load(), whole)
    t.equal(late.loaded, whole)
  },
)

await t.test(
  'where it is not, as in a bundle, nobody hears of it',
  async (t) => {
    const late = new LatePackage('no-such-package', async () => 'bundled')
    t.equal(await late.load(), 'bundled')
  },
)

await t.test(
  'where it is around, it is required, again and again, and not imported',
  async (t) => {
    const whole = { isWhole: true }
    const left = [tooMany, tooMany]
    const late = new LatePackage<unknown>(
      'some-package',
      async () => t.fail('it was imported'),
      {
        find: (name) => `/somewhere/${name}`,
        require: () => {
          const next = left.shift()
          if (next !== undefined) throw next
          return whole
        },
      },
    )
    await t.rejects(late.load(), { code: 'EMFILE' })
    await t.rejects(late.load(), { code: 'EMFILE' })
    t.equal(await late.load(), whole)
    t.equal(late.loaded, whole)
  },
)

await t.test('a release that cannot be required is imported', async (t) => {
  const late = new LatePackage('some-package', async () => 'imported', {
    find: (name) => `/somewhere/${name}`,
    require: () => {
      throw Object.assign(new Error('no'), { code: 'ERR_REQUIRE_ESM' })
    },
  })
  t.equal(await late.load(), 'imported')
})
