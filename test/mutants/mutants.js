/**
 * Faults that somebody could write, one a mutant, with the text that becomes
 * another. The text is in one place of `lib`, whatever file that is in. `near` are
 * tests of the first tier that are tried before all others, to be quick.
 */
export const mutants = [
  {
    name: 'the last byte of a part may be left out of its hash',
    find: 'while (this.#hashed < this.#filled) {',
    replace: 'while (this.#hashed < this.#filled - 1) {',
    near: ['test/upload/source'],
  },
  {
    name: 'a success is believed before the body has gone',
    find: 'return this.#body !== undefined && this.#body.handedOut < size',
    replace: 'return false',
    near: ['test/store'],
  },
  {
    name: 'a part is proved by its size',
    find: 'return record.size === candidate.size && record.hash === candidate.hash',
    replace: 'return record.size === candidate.size',
    near: ['test/upload/rules'],
  },
  {
    name: 'a part that somebody replaced on the server is reused',
    find: '    sameEtag(record.etag, listed.etag) &&\n',
    replace: '',
    near: ['test/upload/rules'],
  },
  {
    name: 'an object is ours whatever its ETag is',
    find: "if (theirs === ours.value) return 'md5'",
    replace: "return 'md5'",
    near: ['test/upload/rules', 'test/contract/dev-server-s3.sized.test.ts'],
  },
  {
    name: "an object with another upload's mark may be ours",
    find: "  if (found.mark !== undefined) return 'other'\n",
    replace: '',
    near: ['test/upload/rules'],
  },
  {
    name: 'an object that is not what was sent is a success',
    find: "if (check !== 'wrong') return { receipt, check, current }",
    replace: "if (check !== 'never') return { receipt, check, current }",
    near: ['test/scenario/wrong-receipts.test.ts'],
  },
  {
    name: 'Complete is sent before the log says so',
    find: 'await log.append(completing)',
    replace: 'void log.append(completing)',
    near: ['test/durability/power-loss.sized.test.ts'],
  },
  {
    name: 'what is appended to the log is not synced',
    find: '    await file.handle.datasync()\n',
    replace: '',
    near: ['test/checkpoint'],
  },
  {
    name: 'records are not bound to their upload',
    find: '`${HASH_DOMAIN}\\0${logId}\\0${uploadId}\\0`',
    replace: '`${HASH_DOMAIN}\\0${logId}\\0\\0`',
    near: ['test/checkpoint'],
  },
  {
    name: 'bytes that were copied late are believed to be those that came',
    find: 'return hex64(hash.digest()) === xxh64 ? views : undefined',
    replace: 'return views',
    near: ['test/upload/source/kept-chunks.test.ts'],
  },
  {
    name: 'chunks of others than file streams are kept',
    find: 'this.#file = isPlainFileStream(source) ? source : undefined',
    replace: 'this.#file = source as ReadStream',
    near: ['test/upload/source/kept-chunks.test.ts'],
  },
  {
    name: 'a file that took the place of the locked one is not seen',
    find: 'if (named?.dev === device && named.ino === inode) {',
    replace: 'if (named !== undefined) {',
    near: ['test/checkpoint/lock.test.ts'],
  },
  {
    name: 'one attempt more than was allowed',
    find: 'attempts !== undefined && this.#failures >= attempts',
    replace: 'attempts !== undefined && this.#failures > attempts',
    near: ['test/store/patience.test.ts'],
  },
  {
    name: 'an outage is not waited out',
    find: "kind === 'response' || left <= 0",
    replace: "kind === 'response' || left <= 119_000",
    near: ['test/scenario/outages.test.ts'],
  },
  {
    name: 'all that is in flight asks while a store is away',
    find: 'return this.#failuresInRow < closedAfter',
    replace: 'return this.#failuresInRow < Infinity',
    near: ['test/scenario/outages.test.ts'],
  },
  {
    name: 'parts wait on when the store has refused the one that asks',
    find: "if (seen === 'there') this.succeed()",
    replace: "if (seen === 'nothing') this.succeed()",
    near: ['test/store/probe-gate.test.ts'],
  },
  {
    name: 'scripts do not hear that the same command may succeed',
    find: '    ? exitCodes.resumable\n    : exitCodes.failed\n}',
    replace: '    ? exitCodes.failed\n    : exitCodes.failed\n}',
    near: ['test/cli'],
  },
  {
    name: 'what follows the joint is cut as before it',
    find: 'this.#chopper.size = this.#partSize\n',
    replace: '',
    near: ['test/upload/source/part-stream.test.ts'],
  },
  {
    name: 'the log does not say that parts grow',
    find: '      mark,\n      growth,\n    }\n',
    replace: '      mark,\n    }\n',
    near: ['test/scenario/growth.sized.test.ts'],
  },
  {
    name: 'a store that wants parts of one size is not known the next time',
    find: 'if (record.reason === equalParts) state.equalParts = largestOf(upload)',
    replace: '',
    near: ['test/checkpoint/growth.test.ts'],
  },
]

/**
 * The file, of `{ name, text }`, that a mutant changes, as it changes it. Throws
 * unless its text is in one place: a mutant that is none would count as found, or
 * as missed, for nothing.
 */
export function mutated({ name, find, replace }, files) {
  const places = files.flatMap((file) =>
    Array.from({ length: file.text.split(find).length - 1 }, () => file),
  )
  const [file] = places
  if (file === undefined || places.length > 1) {
    throw new Error(
      `"${name}": its text is in ${places.length} places of lib, not in one: ${find}`,
    )
  }
  return { name: file.name, text: file.text.replace(find, () => replace) }
}
