/** Reading and compressing alone: the floor of a compressed upload. */
import { createReadStream } from 'node:fs'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { compressor } from './compressor.js'

export async function createClient({ compress }) {
  return {
    run: ({ path }) =>
      pipeline(
        createReadStream(path),
        compressor(compress),
        new Writable({ write: (_chunk, _encoding, done) => done() }),
      ),
  }
}
