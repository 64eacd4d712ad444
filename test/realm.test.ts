import { runInNewContext } from 'node:vm'
import t from 'tap'
import { CallbackError, hasBrand, UploadError } from '../lib/errors.js'
import {
  isAbortSignal,
  isError,
  isSharedArrayBuffer,
  messageOf,
  systemCode,
} from '../lib/realm.js'
import { StoreError } from '../lib/store/store-error.js'

/** What another realm makes of a text. */
const made = (text: string): unknown => runInNewContext(text)

await t.test('an error is one in every realm', async (t) => {
  const errors = [
    new TypeError('no'),
    new DOMException('no', 'AbortError'),
    made('new RangeError("no")'),
    made('Object.assign(new Error("no"), { code: "ENOENT" })'),
  ]
  for (const error of errors) {
    t.equal(isError(error), true, String(error))
    t.equal(messageOf(error), 'no')
  }
  for (const other of ['no', undefined, null]) {
    t.equal(isError(other), false)
    t.equal(messageOf(other), String(other))
  }
  t.equal(systemCode(errors[3]), 'ENOENT')
  for (const none of [new Error('no'), { code: 7 }, null, 'ENOENT']) {
    t.equal(systemCode(none), '')
  }
})

await t.test('so is memory, and so is a signal', async (t) => {
  t.equal(isSharedArrayBuffer(made('new SharedArrayBuffer(1)')), true)
  t.equal(isSharedArrayBuffer(made('new ArrayBuffer(1)')), false)
  t.equal(isAbortSignal(new AbortController().signal), true)
  const polyfill = `({
    aborted: false, addEventListener() {}, removeEventListener() {},
  })`
  t.equal(isAbortSignal(made(polyfill)), true)
  for (const none of [{}, { aborted: false }, new EventTarget(), null, 'x']) {
    t.equal(isAbortSignal(none), false)
  }
})

await t.test('errors of another copy of the package are ours', async (t) => {
  const other = (name: string) =>
    Object.defineProperty(new Error('x'), Symbol.for(name), { value: true })
  t.ok(other('pawl.UploadError') instanceof UploadError)
  t.ok(other('pawl.StoreError') instanceof StoreError)
  t.notOk(other('pawl.UploadError') instanceof StoreError)
  t.notOk(other('pawl.UploadError') instanceof CallbackError)
  const ours = new StoreError('x', { kind: 'network' })
  t.ok(ours instanceof StoreError)
  t.ok(ours instanceof UploadError)
  t.notOk(ours instanceof CallbackError)
  t.notOk(new UploadError('PAWL_NETWORK', 'x') instanceof StoreError)
  t.notOk(new Error('x') instanceof UploadError)
  t.notOk(hasBrand(undefined, Symbol.for('pawl.UploadError')))
  t.notMatch(JSON.stringify(ours), /pawl\./, 'and nobody sees it')
})
