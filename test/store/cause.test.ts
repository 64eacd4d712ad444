import { inspect } from 'node:util'
import t from 'tap'
import { codeOf, reduceCause, reduceToName } from '../../lib/store/cause.js'

const failure = Object.assign(new TypeError('connect ECONNREFUSED'), {
  code: 'ECONNREFUSED',
  opts: { headers: { authorization: 'HUSH' } },
  cause: new Error('HUSH'),
})

await t.test('name, code and message are kept, nothing else', async (t) => {
  const reduced = reduceCause(failure)
  t.match(reduced, {
    name: 'TypeError',
    code: 'ECONNREFUSED',
    message: 'connect ECONNREFUSED',
  })
  t.notMatch(inspect(reduced, { depth: 10, showHidden: true }), /HUSH/)
})

await t.test('of a provider not even the message', async (t) => {
  const reduced = reduceToName(Object.assign(new Error('HUSH'), { code: 'E' }))
  t.match(reduced, { name: 'Error', code: 'E', message: 'Error E' })
  t.notMatch(inspect(reduced, { depth: 10, showHidden: true }), /HUSH/)
})

await t.test('several refused addresses are one refusal', async (t) => {
  const all = new AggregateError([failure, failure], '')
  t.equal(codeOf(all), 'ECONNREFUSED')
  t.equal(codeOf(reduceCause(all)), 'ECONNREFUSED')
})

await t.test('anything can be thrown', async (t) => {
  for (const thrown of [undefined, null, 'HUSH', 7, {}, Object.create(null)]) {
    t.equal(codeOf(thrown), undefined)
    t.equal(reduceCause(thrown).message, 'unknown failure')
    t.equal(reduceToName(thrown).message, 'Error')
  }
})
